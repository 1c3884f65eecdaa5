"""`evaluate.Metric` modules over scikit-learn: `hfkit.metrics.Accuracy().compute(predictions=..., references=...)`.

Unlike `evaluate.load("accuracy")` they need no network and, in one process, leave no file behind.
"""

from collections.abc import Callable
from typing import Any

import evaluate
import numpy as np
from datasets import Features, Sequence, Value
from scipy import stats
from sklearn import metrics as sk

from hfkit.evaluation import metrics

_CITATION = "Pedregosa et al., Scikit-learn: Machine Learning in Python, JMLR 12, 2011."


class _Module(evaluate.Metric):
    """One figure: its name, its function of (references, predictions), and what the two columns hold."""

    key: str
    function: Callable[..., Any]
    columns: tuple[tuple[Any, Any], ...]  # (predictions, references), the forms tried in order

    def __init__(self, *args: Any, num_process: int = 1, keep_in_memory: bool | None = None, **kwargs: Any) -> None:
        # Across processes `evaluate` gathers through files; one process needs none.
        in_memory = num_process == 1 if keep_in_memory is None else keep_in_memory
        super().__init__(*args, num_process=num_process, keep_in_memory=in_memory, **kwargs)

    def _build_data_dir(self) -> str:
        return "" if self.keep_in_memory else str(super()._build_data_dir())

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=(type(self).__doc__ or "").strip(),
            citation=_CITATION,
            inputs_description="",
            features=[Features({"predictions": p, "references": r}) for p, r in self.columns],
        )

    def _compute(self, predictions: np.ndarray, references: np.ndarray, **kwargs: Any) -> dict[str, Any]:
        value = type(self).function(np.asarray(references), np.asarray(predictions), **kwargs)
        return {self.key: value if np.ndim(value) else float(value)}


_LABELS = (
    (Value("int64"), Value("int64")),
    (Sequence(Value("int64")), Sequence(Value("int64"))),
)
_NUMBERS = ((Value("float64"), Value("float64")),)
_PROBABILITIES = (
    (Sequence(Value("float64")), Value("int64")),
    (Sequence(Value("float64")), Sequence(Value("int64"))),
    (Value("float64"), Value("int64")),
)


class Accuracy(_Module):
    """Share of rows answered right (for lists of labels: with every label right). Arguments as `accuracy_score`."""

    key, function, columns = "accuracy", staticmethod(sk.accuracy_score), _LABELS


class Precision(_Module):
    """Share of the answers that are right. Arguments as `precision_score`: `average="macro"`, `pos_label`..."""

    key, function, columns = "precision", staticmethod(sk.precision_score), _LABELS


class Recall(_Module):
    """Share of the truth that is found. Arguments as `recall_score`: `average="macro"`, `pos_label`..."""

    key, function, columns = "recall", staticmethod(sk.recall_score), _LABELS


class F1(_Module):
    """Harmonic mean of precision and recall. Arguments as `f1_score`: `average="macro" | "micro" | "weighted"`..."""

    key, function, columns = "f1", staticmethod(sk.f1_score), _LABELS


class MatthewsCorrelation(_Module):
    """Correlation of truth and answer, from -1 to 1; 0 is guessing. Arguments as `matthews_corrcoef`."""

    key, function, columns = "matthews_correlation", staticmethod(sk.matthews_corrcoef), _LABELS[:1]


class RocAuc(_Module):
    """Area under the ROC curve. Predictions are probabilities, one a row or one a class (macro, one vs rest)."""

    key, function, columns = "roc_auc", staticmethod(metrics.roc_auc), _PROBABILITIES


class LogLoss(_Module):
    """Mean of minus the log of the probability given to the truth. Predictions are probabilities, one a class."""

    key, function, columns = "log_loss", staticmethod(metrics.log_loss), _PROBABILITIES[:2]


class ExpectedCalibrationError(_Module):
    """Gap between claimed probability and share of right answers, over `bins=15`. Predictions are probabilities."""

    key, function, columns = "ece", staticmethod(metrics.expected_calibration_error), _PROBABILITIES[:2]


class MeanSquaredError(_Module):
    """Mean of the squared differences. Arguments as `mean_squared_error`."""

    key, function, columns = "mse", staticmethod(sk.mean_squared_error), _NUMBERS


class MeanAbsoluteError(_Module):
    """Mean of the absolute differences. Arguments as `mean_absolute_error`."""

    key, function, columns = "mae", staticmethod(sk.mean_absolute_error), _NUMBERS


def _pearson(references: np.ndarray, predictions: np.ndarray) -> float:
    return float(stats.pearsonr(references, predictions)[0])


def _spearman(references: np.ndarray, predictions: np.ndarray) -> float:
    return float(stats.spearmanr(references, predictions)[0])


class Pearson(_Module):
    """Linear correlation of truth and answer, from -1 to 1."""

    key, function, columns = "pearson", staticmethod(_pearson), _NUMBERS


class Spearman(_Module):
    """Correlation of the ranks of truth and answer, from -1 to 1."""

    key, function, columns = "spearman", staticmethod(_spearman), _NUMBERS
