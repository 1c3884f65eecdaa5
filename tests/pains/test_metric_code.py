"""Loading a metric runs Python that came with its name, from the Hub or a folder, and no switch forbids it.

Threads: none
"""

from pathlib import Path

import evaluate
import pytest

from hfkit import metrics

pytestmark = pytest.mark.pain("metric-code")

METRIC = """
from pathlib import Path
import datasets
import evaluate
Path("ran").touch()

class Score(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})
        return evaluate.MetricInfo(description="", citation="", features=features)
    def _compute(self, predictions, references):
        return {"score": 1.0}
"""


def test_upstream_runs_what_it_finds() -> None:
    Path("score").mkdir()
    Path("score/score.py").write_text(METRIC)
    evaluate.load("./score")
    assert Path("ran").exists()


def test_hfkit_has_its_metrics_as_classes() -> None:
    """tests/test_house.py forbids `evaluate.load` in every file of hfkit."""
    assert issubclass(metrics.F1, evaluate.Metric) and metrics.F1.__module__.startswith("hfkit.")
