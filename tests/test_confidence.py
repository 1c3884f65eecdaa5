"""The methods behind `hfkit calibrate`, on made rows whose truth is known."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from hfkit.base.errors import HfkitError
from hfkit.evaluation.classification import expected_calibration_error as ece
from hfkit.evaluation.confidence import chosen, conformal, crossed, promised, thresholds
from hfkit.evaluation.confidence.scaling import fitted, logits_of, methods, scaled


def drawn(rows: int, seed: int = 0, classes: int = 3, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, `scale` times too large, and labels drawn with the probabilities that the right ones make."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return logits * scale, np.minimum(labels, classes - 1)


def several(rows: int, seed: int, scale: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits of two labels of which the right ones are scale * logit + offset, and zeros and ones."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, 2))
    return logits, (rng.random((rows, 2)) < 1 / (1 + np.exp(-scale * logits - offset))).astype(np.int8)


def alone(labels: np.ndarray) -> np.ndarray:
    return np.arange(len(labels))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.5])
def test_the_temperature_is_what_the_logits_are_too_large_by(scale: float) -> None:
    logits, labels = drawn(4000, scale=scale)
    found = fitted("temperature", logits, labels)
    assert found["temperature"] == pytest.approx(scale, rel=0.06)
    fresh, truth = drawn(4000, seed=1, scale=scale)
    assert ece(truth, scaled(found, fresh, several=False)) < 0.025


def test_a_line_a_label_is_found_and_a_rare_label_is_left_alone() -> None:
    logits, labels = several(4000, seed=0, scale=0.5, offset=-1.0)
    labels[:, 1] = 0
    labels[:4, 1] = 1
    found = fitted("platt", logits, labels)
    assert found["scale"] == [pytest.approx(0.5, rel=0.1), 1.0]
    assert found["offset"] == [pytest.approx(-1.0, abs=0.15), 0.0]
    assert np.allclose(scaled(found, logits, several=True)[:, 1], 1 / (1 + np.exp(-logits[:, 1])))


@pytest.mark.parametrize("method", ["none", "temperature", "platt", "isotonic"])
def test_the_likeliest_label_stays(method: str) -> None:
    logits, labels = drawn(1500, scale=3.0, classes=4)
    logits[:100] = np.round(logits[:100])  # with ties, and near ones
    logits[50:100] += 1e-9 * np.arange(4)
    found = scaled(fitted(method, logits, labels), logits, several=False)
    best = found[np.arange(len(logits)), logits.argmax(axis=1)]
    assert (best >= found.max(axis=1) - 1e-12).all()
    assert np.allclose(found.sum(axis=1), 1) and (found >= 0).all()


def test_isotonic_mends_what_no_line_can() -> None:
    """What is claimed with 0.55, 0.75 and 0.99 is right in 0.55, 0.9 and 0.9 of the rows."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 6000)
    claimed = np.array([0.55, 0.75, 0.99])[kind]
    labels = np.where(rng.random(6000) < np.array([0.55, 0.9, 0.9])[kind], 0, 1)
    logits = logits_of(np.stack([claimed, 1 - claimed], axis=1), several=False)
    assert crossed.best(logits, labels, alone(labels)) == "isotonic"
    found = {method: ece(labels, crossed.crossed(method, logits, labels, alone(labels))) for method in methods(labels)}
    assert found["isotonic"] < 0.02 < 0.03 < min(found["temperature"], found["platt"])


def test_an_offset_mends_a_model_that_is_more_often_right_than_it_says() -> None:
    """As a line does: sure of everything with 0.7, right in 0.9 of the rows."""
    rng = np.random.default_rng(0)
    probabilities = np.tile([0.7, 0.2, 0.1], (400, 1)) + rng.normal(0, 0.01, (400, 1)) * [1, -1, 0]
    labels = np.where(rng.random(400) < 0.9, 0, 1)
    found = fitted("platt", logits_of(probabilities, several=False), labels)
    after = scaled(found, logits_of(probabilities, several=False), several=False)
    assert after[:, 0].mean() == pytest.approx(0.9, abs=0.02)
    assert np.allclose(after[:, 1] / after[:, 2], probabilities[:, 1] / probabilities[:, 2])


def test_rows_without_a_mistake_do_not_make_a_model_that_is_never_wrong() -> None:
    logits, _ = drawn(144)
    labels = logits.argmax(axis=1)
    assert fitted("temperature", logits, labels)["temperature"] > 0.1
    assert scaled(fitted("isotonic", logits, labels), logits, several=False).max() < 1


def test_what_is_true_already_is_left() -> None:
    """Never worse by more than 0.005 on 4,000 fresh rows, whatever 144 to 500 rows say by chance, but for one of 30."""
    worse = 0
    for seed in range(30):
        logits, labels = drawn((144, 300, 500)[seed % 3], seed=seed, classes=(2, 3, 10)[seed // 10])
        method = crossed.best(logits, labels, alone(labels))
        fresh, truth = drawn(4000, seed=1000 + seed, classes=(2, 3, 10)[seed // 10])
        before, after = (
            ece(truth, scaled(one, fresh, several=False))
            for one in ({"method": "none"}, fitted(method, logits, labels))
        )
        worse += after - before > 0.005
    assert worse <= 1


def test_rows_of_a_group_are_held_out_together() -> None:
    groups = np.repeat(np.arange(40), 5)
    fold = crossed.folds(groups)
    assert all(len(set(fold[groups == group])) == 1 for group in range(40))
    assert len(set(fold)) == crossed.FOLDS and (fold == crossed.folds(groups)).all()


def test_a_row_is_not_scaled_by_its_own_label() -> None:
    logits, labels = drawn(200, scale=2.0)
    before = crossed.crossed("temperature", logits, labels, alone(labels))
    labels[7] = (labels[7] + 1) % 3
    after = crossed.crossed("temperature", logits, labels, alone(labels))
    assert (before[7] == after[7]).all() and (before != after).any()


# What MAPIE 1.6.0 gives: SplitConformalClassifier(prefit=True, random_state=0), conformalized on `rows(0, 60)`, of
# `rows(1000, 200)`, with include_last_label=True for APS: the score up to which labels are taken, and the first sets'
# sizes.
MAPIE = {
    ("lac", 0.8): (0.7970427798842517, [2, 1, 1, 2, 2, 2, 2, 2, 3, 1, 3, 2]),
    ("lac", 0.9): (0.9074721099312568, [3, 1, 3, 2, 3, 2, 4, 2, 4, 2, 3, 2]),
    ("aps", 0.8): (0.8101718433286199, [3, 1, 2, 2, 3, 2, 3, 2, 3, 2, 3, 2]),
    ("aps", 0.9): (0.9357059076421899, [4, 1, 4, 3, 3, 3, 4, 3, 4, 3, 4, 2]),
}


def rows(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    made = np.exp(rng.normal(size=(count, 4)) * 1.2 + 1.5 * np.eye(4)[labels])
    return made / made.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize(("method", "level"), MAPIE)
def test_sets_are_those_of_mapie(method: str, level: float) -> None:
    probabilities, labels = rows(0, 60)
    draw = np.random.RandomState(0).uniform(size=60)
    found = conformal.limits(conformal.scores(method, probabilities, labels, draw))
    limit = found[conformal.LEVELS.index(level)]
    fresh, _ = rows(1000, 200)
    assert limit == pytest.approx(MAPIE[method, level][0], abs=1e-15)
    assert conformal.sets(method, fresh, limit).sum(axis=1)[:12].tolist() == MAPIE[method, level][1]


def test_sets_hold_the_label_as_often_as_asked_over_100_splits() -> None:
    """LAC within binomial limits on both sides; APS takes the last label whole and is above the lower one."""
    held = {"lac": 0, "aps": 0}
    for seed in range(100):
        probabilities, labels = rows(seed, 200)
        fresh, truth = rows(5000 + seed, 100)
        for method in held:
            draw = np.random.default_rng(seed).random(200)
            limit = conformal.limits(conformal.scores(method, probabilities, labels, draw))[conformal.LEVELS.index(0.9)]
            held[method] += int(conformal.sets(method, fresh, limit)[np.arange(100), truth].sum())
    # The spread of a split's own coverage (a beta distribution) is added to that of its 100 rows.
    spread = np.sqrt(100 * (100 * 0.9 * 0.1 + 100**2 * 0.9 * 0.1 / 202))
    assert abs(held["lac"] - 9000 - 100 * 100 * 0.9 / 200) < 3 * spread
    assert held["aps"] > binom.ppf(0.001, 10_000, 0.9) - 3 * spread


def test_too_few_rows_for_a_level_give_every_label() -> None:
    assert conformal.limits(np.linspace(0, 1, 60))[-1] is None
    assert conformal.sets("lac", rows(0, 3)[0], None).all()


def test_the_promised_accuracy_holds_in_95_of_100_splits() -> None:
    logits, labels = drawn(6000, classes=2, scale=2.0)
    sure = scaled({"method": "none"}, logits, several=False).max(axis=1)
    right = logits.argmax(axis=1) == labels
    broken = promises = 0
    for seed in range(100):
        order = np.random.default_rng(seed).permutation(6000)
        kept = promised.passed(0.9, promised.bounds(sure[order[:800]], right[order[:800]]))
        if kept is not None:
            there = order[800:][sure[order[800:]] >= kept[0]]
            promises += 1
            broken += right[there].mean() < 0.9
    assert promises == 100 and broken <= 5


def test_a_bound_is_clopper_and_pearsons_and_counts_rows_as_sure_as_the_last() -> None:
    sure = np.repeat([0.9, 0.8], 100)
    right = np.arange(200) % 10 > 0
    found = promised.bounds(sure, right)
    assert [one[0] for one in found] == [0.9] * 10 + [0.8] * 10 and found[0][2] == 0.5
    exact = (
        binomtest(90, 100, alternative="greater").proportion_ci(1 - promised.RISK / len(promised.STARTS), "exact").low
    )
    assert found[3][1] == pytest.approx(exact)
    assert promised.passed(exact - 0.001, found) == found[-1] and promised.passed(0.99, found) is None


def test_a_share_that_is_passed_only_by_luck_is_not_reached() -> None:
    """From a start on, the first share that fails ends the test, whatever comes after."""
    known = [[1 - step / 20, 0.99, step / 20] for step in range(1, 21)]
    for share in (8, 13, 17, 20):  # after the second start, after the third, the fourth itself
        known[share - 1][1] = 0.5
    assert promised.passed(0.9, known) == known[11]


def test_thresholds_make_f1_the_best_that_there_is() -> None:
    logits, labels = several(400, seed=3, scale=1.0, offset=-2.0)
    shares = scaled({"method": "none"}, logits, several=True)
    found = thresholds.best_f1(shares, labels)
    for k, at in enumerate(found):
        values = [_f1(labels[:, k], shares[:, k] >= cut) for cut in np.linspace(0.01, 0.99, 99)]
        assert _f1(labels[:, k], shares[:, k] >= at) >= max(values) - 0.02


def _f1(truth: np.ndarray, said: np.ndarray) -> float:
    return float(2 * (said & (truth == 1)).sum() / (said.sum() + (truth == 1).sum()))


@pytest.mark.parametrize("classes", [2, 4])
def test_thresholds_of_classes_never_lower_macro_f1_and_add_up_to_one(classes: int) -> None:
    logits, labels = drawn(600, classes=classes)
    kept = (labels < classes - 1) | (np.arange(600) % 6 == 0)  # the last class is rare
    logits, labels = logits[kept], labels[kept]
    shares = scaled({"method": "none"}, logits, several=False)
    found = thresholds.best_f1(shares, labels)
    answers = thresholds.decided({"thresholds": found}, shares, several=False)
    assert answers is not None and sum(found) == pytest.approx(1)
    before, after = (thresholds._macro_f1(one, labels, classes) for one in (shares.argmax(axis=1), answers))
    assert after > before + 0.01
    if classes == 2:
        assert ((shares[:, 1] > found[1]) == (answers == 1)).all()


def test_costs_decide_what_is_the_cheapest_to_expect() -> None:
    shares = np.array([[0.8, 0.2], [0.9, 0.1]])
    costs = [[0, 1], [5, 0]]  # to miss the second class costs five times as much
    answers = thresholds.decided({"costs": costs}, shares, several=False)
    assert answers is not None and answers.tolist() == [1, 0]
    assert thresholds.of_costs([5, 1], [1, 1]) == [pytest.approx(1 / 6), 0.5]


def test_rows_that_say_nothing_are_refused() -> None:
    logits, labels = drawn(1200)
    shares = scaled({"method": "none"}, logits, several=False)

    def asked(count: int, method: str = "auto", truth: np.ndarray = labels) -> dict[str, object]:
        return chosen.calibration(shares[:count], truth[:count], alone(truth[:count]), method)

    with pytest.raises(HfkitError, match="49 validation rows, and a calibration needs at least 50"):
        asked(49)
    with pytest.raises(HfkitError, match="the same label"):
        asked(1200, truth=np.zeros_like(labels))
    with pytest.raises(HfkitError, match="needs 1,000 validation rows"):
        asked(999, "isotonic")
    assert methods(labels)[-1] == "isotonic" and asked(1000, "isotonic")["method"] == "isotonic"
    assert "promised" in asked(200) and "sets" in asked(200)
