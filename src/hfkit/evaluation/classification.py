"""`hfkit.metrics`: of one class a row, of several labels a row, of a number a row. scikit-learn's, with weights.

A bootstrap resample is a count per row, so a thousand resamples are a few matrix products. With all weights 1 these are
scikit-learn's figures (tested). `metrics.Accuracy()` and its like are looked up late: that import takes seconds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hfkit.base.errors import HfkitError
from hfkit.evaluation import metric
from hfkit.evaluation.metric import Columns, Metric, Of, mean_of, ratio, total

Counted = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A figure of (support, claimed, right): of each class the rows that have it, were given it, and both."""

ANSWERS, SHARES = ("label", "prediction"), ("label", "probabilities")


def calibration(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """What the model claimed and whether it was right: two vectors, one entry per claim.

    Classes: the highest probability, and whether that class is the truth. A 0/1 matrix: every label is a claim."""
    truth, shares = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if truth.ndim == 2:
        return shares.ravel(), (truth == 1).ravel().astype(np.float64)
    return shares.max(axis=1), (shares.argmax(axis=1) == truth).astype(np.float64)


def calibration_error(columns: Columns, weights: np.ndarray, bins: int = 15) -> np.ndarray:
    """How far the claimed probability lies from the share that is right, on average over `bins` equal bins.

    15 bins, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""
    claimed, right = columns.of_rows(_claims)
    each = len(claimed) // len(columns["label"])
    row = np.repeat(np.arange(len(columns["label"])), each)
    bin_of = np.minimum((claimed * bins).astype(int), bins - 1)
    gaps = _grouped(weights, bin_of, bins, claimed - right, row)
    return np.asarray(np.abs(gaps).sum(axis=1) / (weights.sum(axis=1) * each))


def _claims(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    return calibration(columns["label"], columns["probabilities"])


def roc_auc(columns: Columns, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: of one column or two classes that of the last class; of more the plain mean of each
    against the rest, over those that occur and are not alone; of a 0/1 matrix of labels the same, column by column."""
    truth, shares = columns["label"], columns["probabilities"]
    if shares.ndim == 1:
        shares = np.stack([1 - shares, shares], axis=1)
    classes = [1] if truth.ndim == 1 and shares.shape[1] == 2 else range(shares.shape[1])
    positive = truth == 1 if truth.ndim == 2 else truth[:, None] == np.arange(shares.shape[1])
    areas = np.stack([_area(positive[:, k], shares[:, k], weights) for k in classes])
    defined = np.isfinite(areas)
    return np.asarray(np.where(defined, areas, 0).sum(axis=0) / defined.sum(axis=0))


def _area(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of (positive, negative) pairs in the right order; a tie is half right."""
    _, group = np.unique(score, return_inverse=True)
    groups = int(group.max()) + 1
    above = _grouped(weights, group, groups, positive)
    below = _grouped(weights, group, groups, ~positive)
    ordered = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
    return np.asarray(ordered / (above.sum(axis=1) * below.sum(axis=1)))


def _grouped(
    weights: np.ndarray, group: np.ndarray, groups: int, values: ArrayLike = 1.0, row: np.ndarray | None = None
) -> np.ndarray:
    """The weighted sum of `values` in each group: (resamples, groups). `row` says whose an entry is: each its own."""
    from scipy import sparse

    entries = np.broadcast_to(np.asarray(values, dtype=np.float64), group.shape)
    rows = weights.shape[1]
    table = sparse.csr_array((entries, (group, np.arange(rows) if row is None else row)), shape=(groups, rows))
    return np.asarray((table @ weights.T).T)


def _counts(columns: Columns, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class that occurs, or each label: rows that have it, rows that were given it, and those that are both."""
    truth, answer = columns["label"], columns["prediction"]
    if truth.ndim == 2:
        have, got = truth == 1, answer == 1
        return total(weights, have), total(weights, got), total(weights, have & got)
    names, both = np.unique(np.concatenate([truth, answer]), return_inverse=True)
    truth, answer = both[: len(truth)], both[len(truth) :]
    sums = (_grouped(weights, truth, len(names)), _grouped(weights, answer, len(names)))
    return *sums, _grouped(weights, truth, len(names), truth == answer)


def _of_counts(figure: Counted) -> Of:
    return lambda columns, weights: figure(*columns.of_sums(_counts, weights))


def _macro(per_class: np.ndarray, support: np.ndarray, claimed: np.ndarray) -> np.ndarray:
    """The plain mean over the classes that occur in a resample, as scikit-learn takes it."""
    return np.asarray(per_class.sum(axis=1) / ((support + claimed) > 0).sum(axis=1))


def _mcc(support: np.ndarray, claimed: np.ndarray, right: np.ndarray) -> np.ndarray:
    rows = support.sum(axis=1)
    covariance = right.sum(axis=1) * rows - (support * claimed).sum(axis=1)
    spread = (rows**2 - (support**2).sum(axis=1)) * (rows**2 - (claimed**2).sum(axis=1))
    return ratio(covariance, np.sqrt(spread))


def _right(columns: Columns) -> np.ndarray:
    same = columns["label"] == columns["prediction"]
    return np.asarray(same.all(axis=1) if same.ndim == 2 else same)


def _log_loss(columns: Columns) -> np.ndarray:
    """Minus the log of the probability given to the truth, a number per row (the mean over labels for a 0/1 matrix)."""
    truth, least = columns["label"], np.finfo(np.float64).eps
    shares = np.clip(columns["probabilities"], least, 1.0)
    if truth.ndim == 1:
        # float32 shares do not add up to 1 exactly.
        shares = shares / shares.sum(axis=1, keepdims=True)
        return np.asarray(-np.log(shares[np.arange(len(truth)), truth.astype(int)]))
    return np.asarray(-np.where(truth == 1, np.log(shares), np.log(np.clip(1.0 - shares, least, 1.0))).mean(axis=1))


def _centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Around 0, and about 1 large: by a power of two, which changes no digit. All 0 where they are all the same."""
    numbers = values.astype(np.float64)
    spread = np.ptp(numbers)
    return (numbers - numbers.mean()) / 2.0 ** np.ceil(np.log2(spread)) if spread > 0 else np.zeros_like(numbers)


def _correlation(placed: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Of:
    """Pearson's, of labels and predictions after `placed`."""

    def of(columns: Columns, weights: np.ndarray) -> np.ndarray:
        def mean(values: np.ndarray) -> np.ndarray:
            return np.asarray((weights * values).sum(axis=1) / weights.sum(axis=1))

        x, y = (placed(columns[name], weights) for name in ANSWERS)
        mean_x, mean_y = mean(x), mean(y)
        spread = (mean(x * x) - mean_x**2) * (mean(y * y) - mean_y**2)
        return np.where(spread > 1e-18, (mean(x * y) - mean_x * mean_y) / np.sqrt(spread), np.nan)

    return of


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The rank of each row within each resample, ties sharing their mean rank, centred for the sake of precision."""
    _, group = np.unique(values, return_inverse=True)
    count = _grouped(weights, group, int(group.max()) + 1)
    ranks = np.cumsum(count, axis=1) - (count - 1) / 2
    return np.asarray(ranks[:, group] - weights.sum(axis=1, keepdims=True) / 2)


def _average(of: str, kind: str, figure: Counted, **more: Any) -> Metric:
    """F1, precision or recall, averaged over the classes in one of scikit-learn's ways."""
    title = f"{'F1' if of == 'f1' else of} ({kind})"
    return Metric(f"{of}_{kind}", title, ANSWERS, _of_counts(figure), hub=of, hub_arguments={"average": kind}, **more)


def _error_of(name: str, title: str, size: np.ufunc) -> Metric:
    def of_row(columns: Columns) -> np.ndarray:
        return np.asarray(size(columns["label"].astype(np.float64) - columns["prediction"].astype(np.float64)))

    return Metric(name, title, ANSWERS, mean_of(of_row), better="lower", unit="", hub=name)


_WEIGHTED = _average(
    "f1", "weighted", lambda s, c, r: ratio((ratio(2 * r, s + c) * s).sum(axis=1), s.sum(axis=1)), compared=False
)
_OF_PROBABILITIES = (
    Metric("roc_auc", "ROC AUC", SHARES, roc_auc, hub="roc_auc"),
    Metric("log_loss", "log loss", SHARES, mean_of(_log_loss), better="lower"),
    Metric(
        *("ece", "calibration error (ECE)", SHARES, calibration_error),
        better="lower",
        hub="expected_calibration_error",
        hub_arguments={"bins": 15},
    ),
)
PROBLEMS: dict[str, tuple[Metric, ...]] = {
    "single_label_classification": (
        Metric("accuracy", "accuracy", ANSWERS, mean_of(_right), right=_right, hub="accuracy"),
        _average("f1", "macro", lambda s, c, r: _macro(ratio(2 * r, s + c), s, c)),
        _WEIGHTED,
        _average("precision", "macro", lambda s, c, r: _macro(ratio(r, c), s, c), compared=False),
        _average("recall", "macro", lambda s, c, r: _macro(ratio(r, s), s, c), compared=False),
        Metric("mcc", "Matthews correlation", ANSWERS, _of_counts(_mcc), hub="matthews_correlation"),
        *_OF_PROBABILITIES,
    ),
    "multi_label_classification": (
        # Over all labels, those too that no row has.
        _average("f1", "macro", lambda s, c, r: ratio(2 * r, s + c).mean(axis=1)),
        _average("f1", "micro", lambda s, c, r: ratio(2 * r.sum(axis=1), (s + c).sum(axis=1))),
        _WEIGHTED,
        Metric("subset_accuracy", "subset accuracy", ANSWERS, mean_of(_right), right=_right, hub="accuracy"),
        *_OF_PROBABILITIES,
    ),
    "regression": (
        _error_of("mse", "mean squared error", np.square),
        _error_of("mae", "mean absolute error", np.abs),
        Metric("pearson", "Pearson correlation", ANSWERS, _correlation(_centred), hub="pearsonr"),
        Metric("spearman", "Spearman correlation", ANSWERS, _correlation(_ranks), hub="spearmanr"),
    ),
}
"""By transformers' problem type; the first of each is the primary one."""

METRICS = tuple(metric for metrics in PROBLEMS.values() for metric in metrics)


def metrics_of(settings: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a classifier, the primary one first, by the `problem_type` in its settings; an HfkitError for one
    that is none."""
    problem = settings.get("problem_type")
    if problem not in PROBLEMS:
        raise HfkitError(f"{problem!r} is no problem type", fix=f"one of {', '.join(PROBLEMS)}")
    return PROBLEMS[problem]


def figures(
    problem_type: str, labels: ArrayLike, prediction: ArrayLike, probabilities: ArrayLike | None = None
) -> dict[str, float]:
    """Every figure that fits the problem, as plain floats; one that these rows do not define is left out.

    `problem_type` is as in a transformers config. `labels` and `prediction` are class ids (rows,), a 0/1 matrix (rows,
    labels), or numbers (rows,); `probabilities` (rows, classes), for the figures that need them."""
    columns = {"label": labels, "prediction": prediction}
    columns |= {} if probabilities is None else {"probabilities": probabilities}
    return metric.figures(metrics_of({"problem_type": problem_type}), columns)


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> float:
    """`calibration_error` of these rows."""
    columns = Columns({"label": labels, "probabilities": probabilities})
    return float(calibration_error(columns, np.ones((1, len(columns["label"]))), bins)[0])


def __getattr__(name: str) -> Any:
    if name[:1].isupper():
        from hfkit.evaluation import hf_modules

        return hf_modules.module(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
