"""The disk is full at the last save: after days of training there is a traceback, and nothing to go on from.

Threads: SimpleTuner#2353
"""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset
from upstream import trainer

from hfkit.base.errors import HfkitError
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("disk-full")


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_upstream_trains_to_the_end_and_loses_it(
    tiny_bert: Path, few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", no_space)
    run = trainer(tmp_path, tiny_bert, few, num_train_epochs=1, save_strategy="epoch")
    with pytest.raises(OSError, match="No space left"):
        run.train()
    assert run.state.global_step == 3, "nobody asked the disk before"
    assert not list(tmp_path.rglob("*.safetensors"))


def test_hfkit_asks_the_disk_after_the_first_update(
    run_fit: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(HfkitError, match=r"the disk has 0 MB left(.|\n)*free space"):
        run_fit()
    assert len(Run(tmp_path / "run").log()) <= 1


def test_hfkit_goes_on_from_the_last_checkpoint_once_there_is_space(
    run_fit: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full at the last of two saves: one message, and the same command ends as if nothing had been."""
    import safetensors.torch

    whole, write, saves = run_fit("whole"), safetensors.torch.save_file, []

    def filling(tensors: Any, path: Any, *rest: Any, **more: Any) -> None:
        saves.append(path)
        if "step-000020" in str(path):
            no_space()
        write(tensors, path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.torch, "save_file", filling)
        with pytest.raises(HfkitError, match="No space left on device"):
            run_fit()
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-000010"]
    again = run_fit()
    assert (again.model_path / "model.safetensors").read_bytes() == (
        whole.model_path / "model.safetensors"
    ).read_bytes()
