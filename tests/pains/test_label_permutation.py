"""A model and a data set number the same labels differently: accuracy collapses, and nothing says why.

Threads: TextAttack#684 transformers#10401
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import DatasetDict
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hfkit.config import TrainConfig
from hfkit.runs.run import Run
from hfkit.tasks import build_task

pytestmark = pytest.mark.pain("label-permutation")


@pytest.fixture(scope="module")
def swapped(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model with its two outputs exchanged: pos is 0, neg is 1. It knows exactly as much as before."""
    model = AutoModelForSequenceClassification.from_pretrained(finished.model_path)
    with torch.no_grad():
        model.classifier.weight.copy_(model.classifier.weight.flip(0))
        model.classifier.bias.copy_(model.classifier.bias.flip(0))
    model.config.id2label, model.config.label2id = {0: "pos", 1: "neg"}, {"pos": 0, "neg": 1}
    folder = tmp_path_factory.mktemp("swapped")
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(finished.model_path).save_pretrained(folder)
    return folder


def answers(folder: Path, texts: list[str]) -> np.ndarray:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.argmax(1).numpy()


def test_upstream_compares_numbers_and_accuracy_collapses(swapped: Path, splits: DatasetDict) -> None:
    test = splits["test"]
    assert (answers(swapped, test["text"][:]) == np.asarray(test["label"])).mean() < 0.2


def test_hfkit_maps_labels_by_name(swapped: Path, splits: DatasetDict) -> None:
    model: Any = AutoModelForSequenceClassification.from_pretrained(swapped).eval()
    tokenizer = AutoTokenizer.from_pretrained(swapped)
    task = build_task(TrainConfig(), splits).for_model(model.config, tokenizer)
    assert task.settings()["labels"] == ["pos", "neg"]
    batch = task.collate(list(task.encode(splits["test"], tokenizer)))
    with torch.inference_mode():
        _, predictions = task.loss_and_predictions(model, batch)
    assert (predictions["prediction"] == batch["labels"]).float().mean() > 0.8
