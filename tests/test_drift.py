"""Drift: tests that are never wrong too often and see what matters, and estimates that hold where nothing changed."""

from collections.abc import Callable

import numpy as np
import pytest

from hfkit.base.errors import HfkitError
from hfkit.evaluation.drift import shift, worth

Make = Callable[[np.random.Generator, int], shift.Shift]


def _pair(change: float) -> dict[str, Make]:
    """Each test on 1,000 rows of before and a window, which differ by `change`; 0 is not at all."""

    def shares(rng: np.random.Generator, rows: int) -> shift.Shift:
        return shift.shares(
            "", "", rng.multinomial(1000, [0.5, 0.5]), rng.multinomial(rows, [0.5 - change, 0.5 + change])
        )

    def values(rng: np.random.Generator, rows: int) -> shift.Shift:
        return shift.values("", "", rng.normal(0, 1, 1000), rng.normal(1.5 * change, 1, rows))

    def right(rng: np.random.Generator, rows: int) -> shift.Shift:
        return shift.fewer_right(rng.random(1000) < 0.9, rng.random(rows) < 0.9 - change)

    return {"shares": shares, "values": values, "right": right}


@pytest.mark.parametrize("name", ["shares", "values", "right"])
def test_false_alarms_and_power(name: str) -> None:
    rng = np.random.default_rng(1)
    null, other = _pair(0.0)[name], _pair(0.2)[name]
    wrong = sum(null(rng, 500).p_value < 0.05 for _ in range(500))
    assert wrong <= 40, "binomial: more than 40 of 500 at 5 % has a chance of 0.1 %"
    assert sum(other(rng, 500).p_value < 0.05 / 6 for _ in range(50)) >= 45


def test_contents_tell_texts_apart_and_are_quiet_on_one_kind() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(300)])
    other = np.array([f"term{number}" for number in range(300)])

    def texts(vocabulary: np.ndarray, rows: int) -> list[str]:
        return [" ".join(rng.choice(vocabulary, 12)) for _ in range(rows)]

    quiet = [shift.contents(texts(words, 300), texts(words, 150), seed) for seed in range(40)]
    assert sum(one.p_value < 0.05 for one in quiet) <= 6
    found = shift.contents(texts(words, 300), texts(other, 150))
    assert found.size > 0.99 and found.p_value < 1e-9
    mixed = np.concatenate([words[:240], other[:60]])
    assert shift.contents(texts(words, 300), texts(mixed, 150)).p_value < 1e-3
    assert shift.contents(["a"], ["b"]).p_value == 1.0


def test_all_tests_and_all_looks_together_are_wrong_as_often_as_asked() -> None:
    assert sum(shift.look_alpha(0.05, look) for look in range(1, 10_000)) <= 0.05
    rng, alarms = np.random.default_rng(2), 0
    for _ in range(200):
        made = [make(rng, 500) for make in _pair(0.0).values()]
        alarms += any(one.drifted for one in shift.judged(made, shift.look_alpha(0.05, 1)))
    assert alarms <= 12


def test_a_shift_that_nobody_would_act_on_is_none() -> None:
    many = shift.shares("", "", np.array([500_000, 500_000]), np.array([490_000, 510_000]))
    assert many.p_value < 1e-20 and not shift.judged([many], 0.05)[0].drifted
    large = shift.shares("", "", np.array([500_000, 500_000]), np.array([400_000, 600_000]))
    assert shift.judged([large], 0.05)[0].drifted


def test_rare_classes_count_as_one() -> None:
    before, after = np.array([500, 480, 3, 2, 1]), np.array([250, 240, 0, 1, 2])
    assert shift.shares("", "", before, after).p_value > 0.05
    assert shift.shares("", "", np.array([10, 0]), np.array([7, 0])).p_value == 1.0


def _claims(rng: np.random.Generator, rows: int, over: float = 1.6) -> tuple[np.ndarray, np.ndarray]:
    """Claims of a model that is too sure, and whether each is right."""
    logit = rng.normal(2.0, 1.2, rows)
    chance, claimed = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-over * logit))
    return claimed, rng.random(rows) < chance


def test_an_estimate_without_labels_is_close_and_its_interval_holds() -> None:
    rng, inside, off = np.random.default_rng(3), 0, []
    for _ in range(200):
        known = worth.Chance.fit(*_claims(rng, 400))
        claimed, right = _claims(rng, 500)
        value, low, high = known.accuracy(claimed)
        inside += low <= right.mean() <= high
        off.append((value - right.mean(), claimed.mean() - right.mean()))
    gaps, claims = np.transpose(off)
    assert 180 <= inside <= 199 and np.abs(gaps).mean() < 0.02
    assert abs(gaps.mean()) < 0.005 < 0.03 < claims.mean(), "what is claimed is too much, and the estimate is not"


def test_too_few_rows_tell_nothing_of_a_probability() -> None:
    with pytest.raises(HfkitError, match="49 validation rows are too few"):
        worth.Chance.fit(np.full(49, 0.9), np.ones(49, dtype=bool))
    sure = worth.Chance.fit(np.full(60, 0.99), np.ones(60, dtype=bool))
    assert 0.9 < sure.accuracy(np.full(100, 0.99))[0] < 1


def test_class_shares_undo_the_mistakes_of_validation() -> None:
    rng, inside = np.random.default_rng(4), 0
    mistakes = np.array([[0.9, 0.2], [0.1, 0.8]])  # answered given true
    for _ in range(60):
        truth = rng.integers(0, 2, 1000)
        answer = (rng.random(1000) < mistakes[1, truth]).astype(int)
        new = (rng.random(800) < 0.25).astype(int)
        counts = np.bincount((rng.random(800) < mistakes[1, new]).astype(int), minlength=2)
        found = worth.class_shares(truth, answer, counts, draws=100)
        assert found is not None
        inside += found[1][1] <= 0.25 <= found[1][2]
    assert inside >= 53
    assert worth.class_shares(np.zeros(5, int), np.zeros(5, int), np.array([3, 4])) is None


def test_rows_to_label_are_of_every_confidence_and_enough() -> None:
    chance = np.random.default_rng(5).random(5000)
    chosen = worth.to_label(chance)
    assert len(chosen) == len(set(chosen.tolist())) == 1068, "1.96 squared, a quarter, over 0.03 squared"
    counts = np.histogram(chance[chosen], np.quantile(chance, np.linspace(0, 1, 6)))[0]
    assert counts.min() >= 213 and np.array_equal(chosen, worth.to_label(chance))
    assert len(worth.to_label(chance[:30])) == 30
