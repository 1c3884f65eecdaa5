"""A metric as simple as accuracy is fetched from the Hub, so evaluation fails or hangs without a network.

Threads: evaluate#315 #373 #567 #473
"""

import evaluate
import pytest

from hfkit import metrics

pytestmark = pytest.mark.pain("metrics-need-network")


def test_upstream_asks_the_hub_for_code() -> None:
    with pytest.raises((ConnectionError, FileNotFoundError)):
        evaluate.load("accuracy")


def test_hfkit_does_not() -> None:
    accuracy = metrics.Accuracy()
    assert isinstance(accuracy, evaluate.Metric)
    assert accuracy.compute(predictions=[0, 1, 1, 0], references=[0, 1, 0, 0]) == {"accuracy": 0.75}
