"""The automatic batch size makes another training of it, more and smaller updates at the same rate, or is forgotten.

Threads: transformers#24558 #25956 #29518
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import BertForSequenceClassification
from upstream import trainer

from hfkit.runs.run import Run
from hfkit.tasks.text_classification import TextClassification

pytestmark = pytest.mark.pain("batch-size-finder")

ROOM = 6  # rows that fit into memory


def full() -> torch.OutOfMemoryError:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")


class Large(BertForSequenceClassification):
    """Memory is full above six rows."""

    def forward(self, input_ids: Any = None, attention_mask: Any = None, labels: Any = None) -> Any:
        if self.training and len(input_ids) > ROOM:
            raise full()
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels)


def test_upstream_changes_the_training(tiny_bert: Path, few: Dataset, tmp_path: Path) -> None:
    seven: dict[str, Any] = {"per_device_train_batch_size": 7, "auto_find_batch_size": True}
    model = Large.from_pretrained(tiny_bert, num_labels=2)
    found = trainer(tmp_path, tiny_bert, few, model=model, num_train_epochs=1, **seven)
    found.train()
    assert found.state.global_step == 8, "48 rows in updates of 7 are 7"


def test_hfkit_makes_the_same_updates_of_smaller_batches_and_remembers(
    run_fit: Callable[..., Run],
    ctrl_c: Callable[[int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knobs: dict[str, Any] = {"dropout": 0.0, "num_train_epochs": 1}
    whole = run_fit("whole", **knobs)
    scored, failures = TextClassification.loss_and_predictions, []

    def small_memory(self: TextClassification, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        if model.training and len(batch["input_ids"]) > ROOM:
            failures.append(len(batch["input_ids"]))
            raise full()
        return scored(self, model, batch)

    monkeypatch.setattr(TextClassification, "loss_and_predictions", small_memory)
    with ctrl_c(3):
        run_fit("found", auto_find_batch_size=True, **knobs)
    assert failures == [16, 8]
    found = run_fit("found", auto_find_batch_size=True, **knobs)
    assert failures == [16, 8], "after the resume memory was filled again"
    assert found.info["training"]["steps"] == whole.info["training"]["steps"] == 10
    for one, other in zip(whole.log(), found.log(), strict=True):
        assert one.get("loss") == pytest.approx(other.get("loss"), abs=2e-5)
