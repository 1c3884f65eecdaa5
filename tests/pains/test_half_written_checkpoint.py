"""A job that is killed while it saves leaves half a checkpoint, and the resume picks exactly that one and crashes.

tests/faults breaks runs at every single write; here is one kill in the middle of a save.

Threads: transformers#27820 #28015 #28364 #35580 #36094 Lightning#19970
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from processes import in_child
from transformers import Trainer
from upstream import trainer

from hfkit.base import atomic
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("half-written-checkpoint")


class Killed(Trainer):
    """Dies in its second save, between the weights and the rest. Nothing is cleaned up, as after SIGKILL."""

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.state.global_step == 2:
            raise SystemExit
        super()._save_optimizer_and_scheduler(output_dir)


def test_upstream_resumes_from_the_half(tiny_bert: Path, few: Dataset, tmp_path: Path) -> None:
    knobs: dict[str, Any] = {"max_steps": 3, "save_strategy": "steps", "save_steps": 1}
    with pytest.raises(SystemExit):
        trainer(tmp_path, tiny_bert, few, kind=Killed, **knobs).train()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-2"]
    with pytest.raises(FileNotFoundError, match="checkpoint-2"):
        trainer(tmp_path, tiny_bert, few, **knobs).train(resume_from_checkpoint=True)


def test_hfkit_resumes_from_the_whole_one(
    run_fit: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    knobs: dict[str, Any] = {"save_strategy": "steps", "save_steps": 5, "num_train_epochs": 1}
    whole = run_fit("whole", **knobs)

    def work() -> None:
        hashed, saves = atomic.digests, []

        def digests(folder: Path) -> Any:
            saves.append(folder)
            if len(saves) == 2:  # the tensors are written, the manifest is not
                os.kill(os.getpid(), signal.SIGKILL)
            return hashed(folder)

        atomic.digests = digests  # for the rest of this child's life
        run_fit("run", **knobs)

    assert in_child(work) == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("step-*")] == ["step-000005"]
    again = run_fit("run", **knobs)
    assert "resumed at update 5 of 10" in capsys.readouterr().out
    assert (again.model_path / "model.safetensors").read_bytes() == (
        whole.model_path / "model.safetensors"
    ).read_bytes()
    assert not list((again.path / "checkpoints").glob(".*"))
