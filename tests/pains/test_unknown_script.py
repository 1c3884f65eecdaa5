"""Texts in a script that the tokenizer does not know become the same unknown tokens, and training goes on without a
word.

Threads: transformers#7648, tokenizers#450
"""

from pathlib import Path

import pytest
from accelerate import Accelerator
from datasets import Dataset, DatasetDict
from transformers import AutoConfig, AutoTokenizer

from hfkit.config import TrainConfig
from hfkit.data.text import token_cache
from hfkit.tasks import build_task

pytestmark = pytest.mark.pain("unknown-script")

TEXTS = ["หนังดีมาก", "หนังแย่มาก", "สนุกดี", "น่าเบื่อ"]


def test_upstream_makes_one_text_of_all(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    assert len({tuple(ids) for ids in tokenizer(TEXTS)["input_ids"]}) == 1


def test_hfkit_counts_them_and_names_other_models(tiny_bert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = Dataset.from_dict({"text": TEXTS, "label": ["a", "b", "a", "b"]}).class_encode_column("label")
    data, tokenizer = DatasetDict(train=rows), AutoTokenizer.from_pretrained(tiny_bert)
    task = build_task(TrainConfig(), data).for_model(AutoConfig.from_pretrained(tiny_bert), tokenizer)
    encoded = DatasetDict(train=task.encode(rows, tokenizer))
    found = token_cache.lost(Accelerator(cpu=True), task, data, encoded, tokenizer)["train"]
    assert (found["unknown"], found["equal"], found["equal_share"]) == (1.0, 4, 1.0)
    said = capsys.readouterr().out
    assert "warning: the tokenizer does not know what these texts are written in" in said
    assert "google/mt5-small where texts are to be written" in said, "an encoder writes none"
