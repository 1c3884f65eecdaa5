"""A file of weights is a program: unpickling it runs what a stranger wrote (CVE-2025-32434, CVE-2026-24747).

tests/hostile tries many more such folders, through both doors that open them.

Threads: none
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import DatasetDict

from hfkit import TrainConfig, build_model, build_task
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("pickled-weights")


class Program:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    """A model whose weights are such a file."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    (folder / "model.safetensors").unlink()
    torch.save(Program(), folder / "pytorch_model.bin")
    return folder


def test_upstream_runs_it(folder: Path) -> None:
    """The call of many model pages, from before `weights_only` was the default."""
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert Path("ran").exists()


def test_hfkit_reads_safetensors_alone(folder: Path, splits: DatasetDict) -> None:
    config = TrainConfig(model=str(folder), max_length=24)
    with pytest.raises(HfkitError, match="safetensors"):
        build_model(config, build_task(config, splits), splits)
    assert not Path("ran").exists()
