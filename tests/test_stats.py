"""Intervals and tests against statsmodels, and against what they promise."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from hfkit.evaluation import stats
from hfkit.evaluation.metric import Columns, named
from hfkit.evaluation.stats import paired


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (1, 3), (450, 500), (2252, 2500)])
def test_wilson_is_statsmodels(successes: int, n: int) -> None:
    found = stats.wilson(successes, n)
    assert found.value == successes / n
    assert (found.low, found.high) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-12)


def test_mcnemar_is_statsmodels() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(300) < 0.8, rng.random(300) < 0.7
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    found = stats.mcnemar_exact(a, b)
    assert found.p_value == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert (found.only_first, found.only_second) == (table[0][1], table[1][0])


def test_mcnemar_of_a_model_with_itself_is_one() -> None:
    right = np.array([True, False, True])
    assert stats.mcnemar_exact(right, right) == (0, 0, 1.0)
    with pytest.raises(ValueError, match="same rows"):
        stats.mcnemar_exact(right, right[:2])


def test_holm_is_statsmodels() -> None:
    p_values = [0.01, 0.04, 0.03, 0.005, 0.6]
    assert stats.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert stats.holm([]) == []


def of_mean(rows: np.ndarray, n_resamples: int, seed: int = 0) -> stats.Interval:
    drawn = [weights @ rows / len(rows) for weights in stats.resample_counts(len(rows), n_resamples, seed)]
    return stats.percentile(float(rows.mean()), np.concatenate(drawn))


def test_bootstrap_of_a_mean_is_the_textbook_interval() -> None:
    rows = np.random.default_rng(1).normal(5.0, 2.0, 400)
    found = of_mean(rows, 2000)
    half = 1.96 * rows.std() / 20
    assert found.value == rows.mean()
    assert (found.low, found.high) == pytest.approx((rows.mean() - half, rows.mean() + half), abs=0.03)
    assert found == of_mean(rows, 2000)  # seeded


def test_bootstrap_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(100):
        found = of_mean(rng.normal(size=80), 200, seed)
        hits += found.low <= 0 <= found.high
    assert 88 <= hits <= 100


def test_paired_bootstrap_sees_the_pairing() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=200)
    hard = rng.normal(size=200) * 3  # noise that both models share
    better, worse = (Columns({"label": truth, "prediction": truth + hard * size}) for size in (1, 1.1))
    found = paired(named("mse"), better, worse)
    assert found["high"] < 0
    assert found["p_value"] == pytest.approx(2 / 1001)
    same = paired(named("mse"), better, better)
    assert (same["value"], same["low"], same["high"], same["p_value"]) == (0, 0, 0, 1)


@pytest.mark.parametrize("n", [3, 2_000, 2_000_000])
def test_resamples_are_held_a_million_entries_at_a_time(n: int) -> None:
    """What an evaluation holds may not grow with its rows, but for a single resample, which has all of them."""
    assert next(stats.resample_counts(n, 1000)).size <= max(n, 1_000_000)


def test_resample_counts_are_the_same_rows_whatever_the_block() -> None:
    whole = np.concatenate(list(stats.resample_counts(7, 5, seed=3)))
    blocks = np.concatenate(list(stats.resample_counts(7, 5, seed=3, entries=14)))
    assert whole.shape == (5, 7)
    assert (whole.sum(axis=1) == 7).all()
    assert (whole == blocks).all()


def test_rows_that_are_planned_show_the_difference_four_times_in_five() -> None:
    """By what 400 rows showed, the rows that are said to be enough are: counted over 300 such tests."""
    rng = np.random.default_rng(0)

    def answers(rows: int) -> tuple[np.ndarray, np.ndarray]:
        first = rng.random(rows) < 0.85
        return first, np.where(rng.random(rows) < 0.12, rng.random(rows) < 0.6, first)

    first, second = answers(200_000)
    true = float(first.mean() - second.mean())
    first, second = answers(400)
    spread = 1.96 * float(np.std(first.astype(float) - second, ddof=1)) / 20
    rows = stats.rows_for(true, 400, -spread, spread)
    found = [stats.mcnemar_exact(*answers(rows)).p_value < 0.05 for _ in range(300)]
    assert 0.68 < np.mean(found) < 0.9
    assert stats.shown_by(-spread, spread) == pytest.approx(2.8 / 1.96 * spread)
