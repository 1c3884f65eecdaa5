"""Two pushes at once leave a repository with the weights of one model and the tokenizer of another.

Threads: huggingface_hub#1422 datasets#7708 #7777
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hub_faults import MOVED, Fault
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import hfkit
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("push-conflict")

NAME = "tester/reviews"


def test_upstream_mixes_two_models(hub: Any, tiny_bert: Path) -> None:
    """`push_to_hub` once for the model and once for the tokenizer, as tutorials do; somebody else comes between."""
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(tiny_bert),
        AutoTokenizer.from_pretrained(tiny_bert),
    )
    model.config.who, tokenizer.model_max_length = "me", 11
    model.push_to_hub(NAME)
    model.config.who, tokenizer.model_max_length = "somebody else", 22
    model.push_to_hub(NAME)
    tokenizer.push_to_hub(NAME)
    tokenizer.model_max_length = 11
    tokenizer.push_to_hub(NAME)
    files = hub.store.files(NAME)
    assert b'"who": "somebody else"' in files["config.json"]
    assert b'"model_max_length": 11' in files["tokenizer_config.json"]


def test_hfkit_publishes_one_run_and_then_the_other(hub: Any, finished: Run, tiny_run: Path, tmp_path: Path) -> None:
    """The other push, with a file that ours does not have, is made while the commit of ours is on its way."""
    other = Run(shutil.copytree(tiny_run, tmp_path / "other"))
    (other.model_path / "generation_config.json").write_text("{}")
    hub.order(Fault("POST .*/commit/", MOVED, act=lambda: hfkit.push(other, NAME, verify=False)))
    hfkit.push(finished, NAME, verify=False)
    *made, _ = hub.store.repositories["model", NAME].history("main")
    assert len(made) == 2 and hub.faults.struck[MOVED] == 1
    assert "generation_config.json" in made[1].files and "generation_config.json" not in made[0].files
    for run, commit in zip((finished, other), made, strict=True):
        for file in ("model.safetensors", "config.json", "tokenizer_config.json"):
            assert hub.store.blobs[commit.files[file].key] == (run.model_path / file).read_bytes(), file
        assert hub.store.blobs[commit.files["metrics.json"].key] == (run.path / "metrics.json").read_bytes()
