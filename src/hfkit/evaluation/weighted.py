"""The figures of `hfkit.metrics` with a weight per row, for many sets of weights at once.

A bootstrap resample is a count per row, so a thousand resamples are a few matrix products instead of a thousand passes
of scikit-learn. With all weights 1 these are scikit-learn's figures exactly (tested).
"""

import numpy as np
from scipy import sparse

from hfkit.evaluation import metrics

Figures = dict[str, np.ndarray]


def weighted_figures(
    problem_type: str, truth: np.ndarray, answer: np.ndarray, shares: np.ndarray | None, weights: np.ndarray
) -> Figures:
    """Every figure of `metrics.figures`, each as (resamples,); NaN where a resample does not define it.

    Args:
        problem_type: As in a transformers config.
        truth: Class ids (rows,), a 0/1 matrix (rows, labels), or numbers (rows,).
        answer: As `truth`.
        shares: Probabilities (rows, classes), or None.
        weights: (resamples, rows) float64.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if problem_type == "language_modeling":
            sums = {"nll": weights @ answer.astype(np.float64), "bytes": weights @ truth.astype(np.float64)}
            return metrics.language_figures(sums)
        if problem_type == "regression":
            return _regression(truth.astype(np.float64), answer.astype(np.float64), weights)
        if truth.ndim == 2:
            found = _multi_label(truth, answer, weights)
        else:
            found = _single_label(truth, answer, weights)
        if shares is not None:
            found["roc_auc"] = _roc_auc(truth, shares, weights)
            found["log_loss"] = weights @ metrics.row_log_loss(truth, shares) / weights.sum(axis=1)
            found["ece"] = _ece(truth, shares, weights)
        return found


def _sums(weights: np.ndarray, group: np.ndarray, groups: int, values: np.ndarray | None = None) -> np.ndarray:
    """Sum of the weights (times `values`) in each group: (resamples, groups)."""
    entries = np.ones(len(group)) if values is None else values
    table = sparse.csr_array((entries, (group, np.arange(len(group)))), shape=(groups, len(group)))
    return np.asarray((table @ weights.T).T)


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """top / bottom, and 0 where there is nothing to divide by, as scikit-learn's zero_division=0."""
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=np.float64), where=bottom > 0)


def _single_label(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> Figures:
    classes = int(max(truth.max(), answer.max())) + 1
    support, claimed = _sums(weights, truth, classes), _sums(weights, answer, classes)
    right = _sums(weights, truth, classes, (truth == answer).astype(np.float64))
    rows = weights.sum(axis=1)
    f1 = _ratio(2 * right, support + claimed)
    seen = (support + claimed) > 0  # scikit-learn's macro average is over the classes that occur
    covariance = right.sum(axis=1) * rows - (support * claimed).sum(axis=1)
    spread = (rows**2 - (support**2).sum(axis=1)) * (rows**2 - (claimed**2).sum(axis=1))
    return {
        "accuracy": right.sum(axis=1) / rows,
        "f1_macro": f1.sum(axis=1) / seen.sum(axis=1),
        "f1_weighted": (f1 * support).sum(axis=1) / rows,
        "precision_macro": _ratio(right, claimed).sum(axis=1) / seen.sum(axis=1),
        "recall_macro": _ratio(right, support).sum(axis=1) / seen.sum(axis=1),
        "mcc": _ratio(covariance, np.sqrt(spread)),
    }


def _multi_label(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> Figures:
    right = weights @ ((truth == 1) & (answer == 1))
    support, claimed = weights @ (truth == 1), weights @ (answer == 1)
    f1 = _ratio(2 * right, support + claimed)
    return {
        "f1_micro": _ratio(2 * right.sum(axis=1), support.sum(axis=1) + claimed.sum(axis=1)),
        "f1_macro": f1.mean(axis=1),
        "f1_weighted": _ratio((f1 * support).sum(axis=1), support.sum(axis=1)),
        "subset_accuracy": weights @ (truth == answer).all(axis=1) / weights.sum(axis=1),
    }


def _ece(truth: np.ndarray, shares: np.ndarray, weights: np.ndarray, bins: int = 15) -> np.ndarray:
    claimed, right = metrics.calibration(truth, shares)
    row = np.repeat(np.arange(len(truth)), len(claimed) // len(truth))
    bin_of = np.minimum((claimed * bins).astype(int), bins - 1)
    table = sparse.csr_array((claimed - right, (bin_of, row)), shape=(bins, len(truth)))
    return np.abs(np.asarray(table @ weights.T)).sum(axis=0) / (weights.sum(axis=1) * (len(claimed) // len(truth)))


def _roc_auc(truth: np.ndarray, shares: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if truth.ndim == 2:
        areas = [_area(truth[:, k] == 1, shares[:, k], weights) for k in range(shares.shape[1])]
    elif shares.shape[1] == 2:
        areas = [_area(truth == 1, shares[:, 1], weights)]
    else:
        areas = [_area(truth == k, shares[:, k], weights) for k in range(shares.shape[1])]
    table = np.stack(areas)
    defined = np.isfinite(table)
    return np.where(defined, table, 0).sum(axis=0) / defined.sum(axis=0)


def _area(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of (positive, negative) pairs in the right order; a tie is half right."""
    _, group = np.unique(score, return_inverse=True)
    groups = int(group.max()) + 1
    above = _sums(weights, group, groups, positive.astype(np.float64))
    below = _sums(weights, group, groups, (~positive).astype(np.float64))
    ordered = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
    return np.asarray(ordered / (above.sum(axis=1) * below.sum(axis=1)))


def _regression(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> Figures:
    rows = weights.sum(axis=1)
    return {
        "mse": weights @ (truth - answer) ** 2 / rows,
        "mae": weights @ np.abs(truth - answer) / rows,
        "pearson": _correlation(truth - truth.mean(), answer - answer.mean(), weights),
        "spearman": _correlation(_ranks(truth, weights), _ranks(answer, weights), weights),
    }


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray((weights * values).sum(axis=1) / weights.sum(axis=1))

    mean_x, mean_y = mean(x), mean(y)
    spread = (mean(x * x) - mean_x**2) * (mean(y * y) - mean_y**2)
    return np.where(spread > 1e-18, (mean(x * y) - mean_x * mean_y) / np.sqrt(spread), np.nan)


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The rank of each row within each resample, ties sharing their mean rank, centred for the sake of precision."""
    _, group = np.unique(values, return_inverse=True)
    count = _sums(weights, group, int(group.max()) + 1)
    ranks = np.cumsum(count, axis=1) - (count - 1) / 2
    return np.asarray(ranks[:, group] - weights.sum(axis=1, keepdims=True) / 2)
