"""A label that the model has no output for ends, on a GPU, in an assert that names neither label nor row.

Here, on the CPU, it is an index error.

Threads: pytorch#1204 ultralytics#4728
"""

from pathlib import Path

import pytest
import torch
from datasets import ClassLabel, Dataset
from transformers import AutoConfig, AutoTokenizer

from hfkit.base.errors import HfkitError
from hfkit.tasks.text_classification import TextClassification

pytestmark = pytest.mark.pain("device-side-assert")


def test_upstream_finds_out_in_the_kernel() -> None:
    with pytest.raises(IndexError):
        torch.nn.functional.cross_entropy(torch.zeros(1, 2), torch.tensor([2]))


def test_hfkit_finds_out_when_it_encodes(tiny_bert: Path) -> None:
    rows = Dataset.from_dict({"id": ["a", "b"], "text": ["warm", "odd"], "label": [0, 2]})
    rows = rows.cast_column("label", ClassLabel(names=["pos", "neg", "mixed"]))
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    task = TextClassification(labels=["neg", "pos"]).for_model(AutoConfig.from_pretrained(tiny_bert), tokenizer)
    with pytest.raises(HfkitError, match="mixed"):
        task.encode(rows, tokenizer)
