"""A run that was stopped and resumed ends with other weights than one that ran through, so its figures are nobody's.

tests/test_resume.py kills runs with SIGKILL over every pair of settings; here is the shortest case.

Threads: accelerate#2016 transformers#17032 #46628
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from upstream import trainer

from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("resume-not-exact")


def test_upstream_ends_elsewhere_where_batches_are_grouped(tiny_bert: Path, few: Dataset, tmp_path: Path) -> None:
    """Stopped in the second epoch: the rest's order is drawn anew. With plain shuffling transformers 5.24 is exact, and
    5.5 was not."""
    knobs: dict[str, Any] = {"num_train_epochs": 2, "train_sampling_strategy": "group_by_length"}
    knobs |= {"per_device_train_batch_size": 4, "save_strategy": "steps", "save_steps": 17}
    whole = trainer(tmp_path / "run", tiny_bert, few, **knobs)
    whole.train()
    again = trainer(tmp_path / "run", tiny_bert, few, **knobs)
    again.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-17"))
    assert whole.state.global_step == again.state.global_step == 24
    assert not torch.equal(whole.model.classifier.weight, again.model.classifier.weight)


def test_hfkit_ends_in_the_same_bytes(
    run_fit: Callable[..., Run], ctrl_c: Callable[[int], AbstractContextManager[None]]
) -> None:
    """Batches grouped by length, two workers, dropout; stopped in the second epoch."""
    whole = run_fit("whole", dataloader_num_workers=2)
    with ctrl_c(13):
        run_fit("again", dataloader_num_workers=2)
    again = run_fit("again", dataloader_num_workers=2)
    for name in ("model/model.safetensors", "log.jsonl", "predictions.parquet"):
        assert (again.path / name).read_bytes() == (whole.path / name).read_bytes(), name
