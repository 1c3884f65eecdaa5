"""`evaluate.Metric` modules of our metrics: `hfkit.metrics.Accuracy().compute(predictions=..., references=...)`.

Where arguments are given that scikit-learn has and a metric has not (`average`, `normalize`), it computes the figure.
Unlike `evaluate.load("accuracy")` they need no network and, in one process, leave no file behind.
"""

from collections.abc import Callable
from typing import Any

import evaluate
import numpy as np
from datasets import Features, Sequence, Value
from sklearn import metrics as sk

from hfkit.evaluation import metric, metrics

_CITATION = "Pedregosa et al., Scikit-learn: Machine Learning in Python, JMLR 12, 2011."


class _Module(evaluate.Metric):
    """A metric of ours by its name, what it is called here (else the same), and what the two columns hold."""

    metric = key = ""
    function: Callable[..., Any] = staticmethod(lambda references, predictions: float("nan"))  # given arguments
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
        answer, truth, known = np.asarray(predictions), np.asarray(references), metrics.BY_NAME.get(self.metric)
        if known is None or kwargs:
            value = type(self).function(truth, answer, **kwargs)
        else:
            value = metric.figures([known], {"label": truth, known.columns[1]: answer}).get(self.metric, np.nan)
        return {self.key or self.metric: value if np.ndim(value) else float(value)}


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

    metric, function, columns = "accuracy", staticmethod(sk.accuracy_score), _LABELS


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

    metric, key, function, columns = "mcc", "matthews_correlation", staticmethod(sk.matthews_corrcoef), _LABELS[:1]


class RocAuc(_Module):
    """Area under the ROC curve. Predictions are probabilities, one a row or one a class (macro, one vs rest)."""

    metric, columns = "roc_auc", _PROBABILITIES


class LogLoss(_Module):
    """Mean of minus the log of the probability given to the truth. Predictions are probabilities, one a class."""

    metric, columns = "log_loss", _PROBABILITIES[:2]


class ExpectedCalibrationError(_Module):
    """Gap between claimed probability and share of right answers, over `bins=15`. Predictions are probabilities."""

    metric, function, columns = "ece", staticmethod(metrics.expected_calibration_error), _PROBABILITIES[:2]


class MeanSquaredError(_Module):
    """Mean of the squared differences. Arguments as `mean_squared_error`."""

    metric, function, columns = "mse", staticmethod(sk.mean_squared_error), _NUMBERS


class MeanAbsoluteError(_Module):
    """Mean of the absolute differences. Arguments as `mean_absolute_error`."""

    metric, function, columns = "mae", staticmethod(sk.mean_absolute_error), _NUMBERS


class Pearson(_Module):
    """Linear correlation of truth and answer, from -1 to 1."""

    metric, columns = "pearson", _NUMBERS


class Spearman(_Module):
    """Correlation of the ranks of truth and answer, from -1 to 1."""

    metric, columns = "spearman", _NUMBERS
