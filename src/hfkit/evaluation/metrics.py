"""The figures of a prediction, and the same figures as `evaluate.Metric` modules that need no network.

`figures` is what training looks at after each evaluation: plain scikit-learn calls. The modules (`metrics.Accuracy()`)
are for anyone who knows Hugging Face's `evaluate`. They are looked up late, since importing `evaluate` takes seconds.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn import metrics as sk

if TYPE_CHECKING:
    pass

MODULES = (
    "Accuracy",
    "Precision",
    "Recall",
    "F1",
    "MatthewsCorrelation",
    "RocAuc",
    "LogLoss",
    "ExpectedCalibrationError",
    "MeanSquaredError",
    "MeanAbsoluteError",
    "Pearson",
    "Spearman",
)


def __getattr__(name: str) -> Any:
    if name in MODULES:
        from hfkit.evaluation import hf_modules

        return getattr(hf_modules, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def figures(
    problem_type: str, labels: ArrayLike, prediction: ArrayLike, probabilities: ArrayLike | None = None
) -> dict[str, float]:
    """Every figure that fits the problem, as plain floats.

    Args:
        problem_type: As in a transformers config, or language_modeling: then `labels` are the bytes of each text, and
            `prediction` the nats that the model took to tell it.
        labels: The truth. Class ids (rows,), a 0/1 matrix (rows, labels), or numbers (rows,).
        prediction: The answer, in the shape of `labels`.
        probabilities: (rows, classes). Without it the figures that need it are left out.

    A figure that these rows do not define (ROC AUC where only one class occurs, a correlation with a constant) is left
    out: a run's JSON has no NaN.
    """
    truth, answer = np.asarray(labels), np.asarray(prediction)
    shares = None if probabilities is None else np.asarray(probabilities, dtype=np.float64)
    if problem_type == "language_modeling":
        sums = {"nll": np.array([answer.sum()]), "bytes": np.array([truth.sum()])}
        found = {name: value[0] for name, value in language_figures(sums).items()}
    elif problem_type == "regression":
        found = _regression(truth.astype(np.float64), answer.astype(np.float64))
    elif problem_type == "multi_label_classification":
        found = _multi_label(truth, answer, shares)
    else:
        found = _single_label(truth, answer, shares)
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def language_figures(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The figures of a language model from what was summed over a text; each array is (texts,) or (resamples,).

    Args:
        sums: `nll`, nats of all tokens, the end tokens among them; `bytes`. Perhaps `tokens`, `right` (tokens that
            were the likeliest) and `words`.

    Returns:
        `bits_per_byte`, which compares models whatever their tokens are; with the others `loss` and `perplexity` per
        token, `next_token_accuracy`, and `word_perplexity`, where line ends count as words (Merity et al. 2016).
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = {"bits_per_byte": sums["nll"] / sums["bytes"] / np.log(2)}
        if "tokens" in sums:
            found["loss"] = sums["nll"] / sums["tokens"]
            found["perplexity"] = np.exp(found["loss"])
            found["next_token_accuracy"] = sums["right"] / sums["tokens"]
        if "words" in sums:
            found["word_perplexity"] = np.exp(sums["nll"] / sums["words"])
    return found


def _single_label(truth: np.ndarray, answer: np.ndarray, shares: np.ndarray | None) -> dict[str, float]:
    precision, recall, f1, _ = sk.precision_recall_fscore_support(truth, answer, average="macro", zero_division=0)
    found = {
        "accuracy": sk.accuracy_score(truth, answer),
        "f1_macro": f1,
        "f1_weighted": sk.f1_score(truth, answer, average="weighted", zero_division=0),
        "precision_macro": precision,
        "recall_macro": recall,
        # Where one class is all there is, scikit-learn gives this 0 with a warning.
        "mcc": sk.matthews_corrcoef(truth, answer) if len(np.union1d(truth, answer)) > 1 else 0.0,
    }
    if shares is not None:
        found |= {
            "roc_auc": roc_auc(truth, shares),
            "log_loss": log_loss(truth, shares),
            "ece": expected_calibration_error(truth, shares),
        }
    return found


def _multi_label(truth: np.ndarray, answer: np.ndarray, shares: np.ndarray | None) -> dict[str, float]:
    found = {
        "f1_micro": sk.f1_score(truth, answer, average="micro", zero_division=0),
        "f1_macro": sk.f1_score(truth, answer, average="macro", zero_division=0),
        "f1_weighted": sk.f1_score(truth, answer, average="weighted", zero_division=0),
        "subset_accuracy": sk.accuracy_score(truth, answer),
    }
    if shares is not None:
        found |= {
            "roc_auc": roc_auc(truth, shares),
            "log_loss": log_loss(truth, shares),
            "ece": expected_calibration_error(truth, shares),
        }
    return found


def _regression(truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    found = {"mse": sk.mean_squared_error(truth, answer), "mae": sk.mean_absolute_error(truth, answer)}
    if len(truth) > 1 and np.ptp(truth) > 0 and np.ptp(answer) > 0:
        found |= {"pearson": stats.pearsonr(truth, answer)[0], "spearman": stats.spearmanr(truth, answer)[0]}
    return found


def roc_auc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Area under the ROC curve; NaN where it is not defined.

    One column or two classes: of the last class. More classes: each against the rest, plain mean over those that occur
    and are not alone. A 0/1 matrix of labels: the same, column by column.
    """
    truth, shares = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if shares.ndim == 1:
        shares = np.stack([1 - shares, shares], axis=1)
    if truth.ndim == 1 and shares.shape[1] == 2:
        pairs = [(truth == 1, shares[:, 1])]
    elif truth.ndim == 1:
        pairs = [(truth == k, shares[:, k]) for k in range(shares.shape[1])]
    else:
        pairs = [(truth[:, k] == 1, shares[:, k]) for k in range(shares.shape[1])]
    areas = [sk.roc_auc_score(positive, score) for positive, score in pairs if 0 < positive.sum() < len(positive)]
    return float(np.mean(areas)) if areas else float("nan")


def row_log_loss(labels: ArrayLike, probabilities: ArrayLike) -> np.ndarray:
    """Minus the log of the probability given to the truth, a number per row (the mean over labels for a 0/1 matrix)."""
    truth, shares = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    shares = np.clip(shares, np.finfo(np.float64).eps, 1.0)
    if truth.ndim == 1:
        # float32 shares do not add up to 1 exactly.
        shares = shares / shares.sum(axis=1, keepdims=True)
        return np.asarray(-np.log(shares[np.arange(len(truth)), truth.astype(int)]))
    other = np.clip(1.0 - shares, np.finfo(np.float64).eps, 1.0)
    return np.asarray(-np.where(truth == 1, np.log(shares), np.log(other)).mean(axis=1))


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The mean of `row_log_loss`."""
    return float(row_log_loss(labels, probabilities).mean())


def calibration(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """What the model claimed and whether it was right: two vectors, one entry per claim.

    Classes: the highest probability, and whether that class is the truth. A 0/1 matrix: every label is a claim.
    """
    truth, shares = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if truth.ndim == 2:
        return shares.ravel(), (truth == 1).ravel().astype(np.float64)
    return shares.max(axis=1), (shares.argmax(axis=1) == truth).astype(np.float64)


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> float:
    """How far the claimed probability lies from the share that is right, on average over `bins` equal bins.

    15 bins, as in Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    claimed, right = calibration(labels, probabilities)
    where = np.minimum((claimed * bins).astype(int), bins - 1)
    gap = np.bincount(where, weights=claimed - right, minlength=bins)
    return float(np.abs(gap).sum() / len(claimed))
