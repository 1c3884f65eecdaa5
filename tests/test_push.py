"""A run published over real HTTP: one commit, opened by a stranger, and every refusal in plain words."""

from pathlib import Path
from typing import Any

import pytest

import hfkit


def test_a_text_run_is_one_commit_that_plain_transformers_opens(
    hub: Any, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in tiny_run.rglob("*") if path.is_file()}
    made = hfkit.Run(tiny_run).push("tester/reviews", private=True, tag="v1")
    assert made is not None and made.verified == 8
    repository = hub.store.repositories["model", "tester/reviews"]
    assert [commit.title for commit in repository.history("main")][1:] == ["initial commit"]
    assert repository.branches["main"] == repository.tags["v1"] == made.commit
    files = hub.store.files("tester/reviews")
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "run.json", "metrics.json"} <= set(files)
    assert {"report.html", "predictions.parquet"} <= set(files)
    assert files["model.safetensors"] == (tiny_run / "model" / "model.safetensors").read_bytes()
    assert b'"tester/reviews"' in files["README.md"] and str(tiny_run).encode() not in files["README.md"]
    assert repository.private
    assert {path: path.read_bytes() for path in tiny_run.rglob("*") if path.is_file()} == before
    assert "8 examples are equal, bit for bit" in capsys.readouterr().out
