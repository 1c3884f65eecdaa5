"""`hfkit.metrics`: the figures of a prediction, and the same as `evaluate.Metric` modules that need no network.

The modules (`metrics.Accuracy()`) are for anyone who knows Hugging Face's `evaluate`. They are looked up late, since
importing `evaluate` takes seconds.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hfkit.evaluation import classification, metric


def __getattr__(name: str) -> Any:
    if name[:1].isupper():
        from hfkit.evaluation import hf_modules

        return hf_modules.module(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def figures(
    problem_type: str, labels: ArrayLike, prediction: ArrayLike, probabilities: ArrayLike | None = None
) -> dict[str, float]:
    """Every figure that fits the problem, as plain floats; one that these rows do not define is left out.

    Args:
        problem_type: As in a transformers config.
        labels: The truth. Class ids (rows,), a 0/1 matrix (rows, labels), or numbers (rows,).
        prediction: The answer, in the shape of `labels`.
        probabilities: (rows, classes). Without it the figures that need it are left out.
    """
    columns = {"label": labels, "prediction": prediction}
    columns |= {} if probabilities is None else {"probabilities": probabilities}
    return metric.figures(classification.metrics_of({"problem_type": problem_type}), columns)


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> float:
    """How far claims lie from what is right, as `classification.calibration_error` has it."""
    columns = metric.Columns({"label": labels, "probabilities": probabilities})
    return float(classification.calibration_error(columns, np.ones((1, len(columns["label"]))), bins)[0])
