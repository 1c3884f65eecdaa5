"""`evaluate.Metric` modules of our metrics: `hfkit.metrics.Accuracy().compute(predictions=..., references=...)`.

Arguments that a metric has not (`average`, `normalize`) are scikit-learn's. No network is needed, and no file is left.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import evaluate
import numpy as np
from datasets import Features, Sequence, Value
from sklearn import metrics as sk

from hfkit.evaluation.classification import METRICS, expected_calibration_error
from hfkit.evaluation.metric import figures, named

_CITATION = "Pedregosa et al., Scikit-learn: Machine Learning in Python, JMLR 12, 2011."


class _Module(evaluate.Metric):
    """A metric of ours by its name, what the two columns hold, and who computes it where arguments are given."""

    metric: str
    columns: tuple[tuple[Any, Any], ...]  # (predictions, references), the forms tried in order
    function: Callable[..., Any] | None

    def __init__(self, *args: Any, num_process: int = 1, keep_in_memory: bool | None = None, **kwargs: Any) -> None:
        # Across processes `evaluate` gathers through files; one process needs none.
        in_memory = num_process == 1 if keep_in_memory is None else keep_in_memory
        super().__init__(*args, num_process=num_process, keep_in_memory=in_memory, **kwargs)

    def _build_data_dir(self) -> str:
        return "" if self.keep_in_memory else str(super()._build_data_dir())

    def _info(self) -> evaluate.MetricInfo:
        about = (type(self).__doc__ or "").strip()
        features = [Features({"predictions": p, "references": r}) for p, r in self.columns]
        return evaluate.MetricInfo(description=about, citation=_CITATION, inputs_description="", features=features)

    def _compute(self, predictions: np.ndarray, references: np.ndarray, **kwargs: Any) -> dict[str, Any]:
        truth, answer = np.asarray(references), np.asarray(predictions)
        if self.function and (kwargs or self.metric in ("precision", "recall", "f1")):  # these ask how to average
            value = self.function(truth, answer, **kwargs)
        else:
            value = _figure(self.metric, truth, answer, **kwargs)
        return {_KEYS.get(self.metric, self.metric): value if np.ndim(value) else float(value)}


def _figure(name: str, truth: np.ndarray, answer: np.ndarray) -> float:
    """One figure; `answer` is what it reads, predictions or probabilities. NaN where it is not defined."""
    known = next(known for known in METRICS if known.name == name)
    return figures([known], {"label": truth, known.columns[1]: answer}).get(name, float("nan"))


_KEYS = {"mcc": "matthews_correlation"}  # as `evaluate` has it
_LABELS = ("labels", ((Value("int64"), Value("int64")), (Sequence(Value("int64")), Sequence(Value("int64")))))
_IDS = (_LABELS[0], _LABELS[1][:1])
_NUMBERS = ("numbers", ((Value("float64"), Value("float64")),))
_ROWS = Sequence(Value("float64"))
_SHARES = ("probabilities, one a class", ((_ROWS, Value("int64")), (_ROWS, Sequence(Value("int64")))))
_SCORES = (f"{_SHARES[0]} or one a row", (*_SHARES[1], (Value("float64"), Value("int64"))))
# Name -> the metric (or what scikit-learn computes only with arguments), its columns, scikit-learn's function.
_MODULES: dict[str, tuple[str, Any, Callable[..., Any] | None]] = {
    "Accuracy": ("accuracy", _LABELS, sk.accuracy_score),
    "Precision": ("precision", _LABELS, sk.precision_score),
    "Recall": ("recall", _LABELS, sk.recall_score),
    "F1": ("f1", _LABELS, sk.f1_score),
    "MatthewsCorrelation": ("mcc", _IDS, sk.matthews_corrcoef),
    "RocAuc": ("roc_auc", _SCORES, None),
    "LogLoss": ("log_loss", _SHARES, None),
    "ExpectedCalibrationError": ("ece", _SHARES, expected_calibration_error),
    "MeanSquaredError": ("mse", _NUMBERS, sk.mean_squared_error),
    "MeanAbsoluteError": ("mae", _NUMBERS, sk.mean_absolute_error),
    "Pearson": ("pearson", _NUMBERS, None),
    "Spearman": ("spearman", _NUMBERS, None),
}


@cache
def module(name: str) -> type[_Module]:
    """The class `hfkit.metrics.<name>`; an AttributeError where there is none."""
    if name not in _MODULES:
        raise AttributeError(f"hfkit.metrics has no module {name!r}")
    metric, (kind, columns), function = _MODULES[name]
    about = f"{named(metric).title}. Predictions are {kind}."
    about += f" Arguments as `{function.__name__}`." if function else ""
    told = {"metric": metric, "columns": columns, "function": function and staticmethod(function), "__doc__": about}
    return type(name, (_Module,), told)
