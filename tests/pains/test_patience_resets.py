"""After a resume early stopping begins to count anew, so an interrupted run trains longer than another.

Trainer restores the count only with an argument that is off by default.

Threads: transformers#28544 Lightning#1463
"""

from types import SimpleNamespace
from typing import Any

import pytest
from transformers import EarlyStoppingCallback, TrainingArguments

from hfkit.training.callbacks.best import EarlyStopping

pytestmark = pytest.mark.pain("patience-resets")


def test_upstream_forgets_by_default() -> None:
    assert TrainingArguments(use_cpu=True, report_to=[]).restore_callback_states_from_checkpoint is False
    assert EarlyStoppingCallback(early_stopping_patience=2).early_stopping_patience_counter == 0


def test_hfkit_keeps_the_count_in_the_checkpoint() -> None:
    """Two looks without a better figure before the stop, the third after it."""
    engine: Any = SimpleNamespace(state=SimpleNamespace(stopped=None))
    before = EarlyStopping("accuracy", True, patience=3, threshold=0.0)
    for value in (0.8, 0.7, 0.7):
        before.on_evaluate(engine, {"eval_accuracy": value})
    assert engine.state.stopped is None
    after = EarlyStopping("accuracy", True, patience=3, threshold=0.0)
    after.load_state_dict(engine, before.state_dict())
    after.on_evaluate(engine, {"eval_accuracy": 0.75})
    assert engine.state.stopped
