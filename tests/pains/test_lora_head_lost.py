"""A saved adapter lacks the classification head that was trained with it: reloaded, it answers at random.

PEFT saves the head only when it is told that the task is a classification.

Threads: peft#1381 #2032 #2289 #2502
"""

from pathlib import Path

import pytest
from datasets import DatasetDict
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification

from hfkit import TrainConfig, build_model, build_task

pytestmark = pytest.mark.pain("lora-head-lost")


def names(folder: Path) -> list[str]:
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        return list(file.keys())


def test_upstream_forgets_the_head(tiny_bert: Path, tmp_path: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2)
    get_peft_model(model, LoraConfig(target_modules=["query", "value"])).save_pretrained(tmp_path)
    assert not [name for name in names(tmp_path) if "classifier" in name]


@pytest.mark.parametrize("pooling", ["model", "mean"])
def test_hfkit_saves_it(tiny_bert: Path, splits: DatasetDict, tmp_path: Path, pooling: str) -> None:
    config = TrainConfig(model=str(tiny_bert), lora=True, pooling=pooling, max_length=24)
    model, _ = build_model(config, build_task(config, splits), splits)
    model.save_pretrained(tmp_path)
    assert [name for name in names(tmp_path) if "classifier" in name]
