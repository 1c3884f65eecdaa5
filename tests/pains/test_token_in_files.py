"""A Hub token given to a training is written into its folder, and published with the model.

Threads: none
"""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from upstream import trainer

pytestmark = pytest.mark.pain("token-in-files")

TOKEN = "hf_" + "secret" * 5


def holding(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_upstream_writes_it(tiny_bert: Path, few: Dataset, tmp_path: Path) -> None:
    trainer(tmp_path / "run", tiny_bert, few, hub_token=TOKEN).save_model()
    assert holding(tmp_path / "run") == ["training_args.bin"]


def test_hfkit_takes_it_from_the_environment_and_writes_it_nowhere(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    run = job(max_steps=2)
    assert run.state == "finished" and holding(run.path) == []
    assert not [name for name in run.config if name.endswith("token")], "no flag takes one"
