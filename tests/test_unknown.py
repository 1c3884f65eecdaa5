"""What a tokenizer loses is counted, on the screen, in the run, the report and the card."""

from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator
from datasets import Dataset, DatasetDict
from tiny_classifiers import tokenizer_of
from transformers import AutoConfig, AutoTokenizer

from hfkit.config import TrainConfig
from hfkit.data.text import token_cache
from hfkit.data.text.token_cache import lost_in_tokens
from hfkit.report.card import card
from hfkit.report.page import page
from hfkit.tasks import build_task

pytestmark = pytest.mark.pain("unknown-script")

THAI = ["หนังดีมาก", "หนังแย่มาก", "หนังน่าเบื่อ", "สนุกดี"]


def encoded(folder: Path, texts: list[str], tokenizer: Any = None, **knobs: Any) -> tuple[Any, Dataset, Any]:
    rows = Dataset.from_dict({"text": texts, "label": ["a", "b"] * (len(texts) // 2)}).class_encode_column("label")
    tokenizer = tokenizer or AutoTokenizer.from_pretrained(folder)
    task = build_task(TrainConfig(**knobs), DatasetDict(train=rows))
    task = task.for_model(AutoConfig.from_pretrained(folder), tokenizer)
    return task, rows, tokenizer


@pytest.mark.parametrize("long_text", ["head", "windows"])
def test_unknown_tokens_and_texts_that_become_equal(tiny_bert: Path, long_text: str) -> None:
    texts = [*THAI, "warm film", "Warm  film", "warm", "cold"]
    task, rows, tokenizer = encoded(tiny_bert, texts, long_text=long_text, stride=4)
    found = lost_in_tokens(tokenizer, rows, task.encode(rows, tokenizer))
    assert found["unknown"] == pytest.approx(4 / 10)
    assert found["equal"] == 4  # "Warm  film" differs in case and spaces alone
    assert found["equal_share"] == pytest.approx(4 / 7)


def test_nothing_is_lost_of_bytes_nor_counted_of_what_was_cut(tiny_bert: Path) -> None:
    task, rows, tokenizer = encoded(tiny_bert, THAI, tokenizer_of("gpt"))
    tokenizer.unk_token = tokenizer.eos_token  # as GPT-2 has it
    found = lost_in_tokens(tokenizer, rows, task.encode(rows, tokenizer))
    assert found == {"unknown": 0.0, "equal": 0, "equal_share": 0.0}
    task, rows, tokenizer = encoded(tiny_bert, ["warm film one", "warm film two"], max_length=4)
    assert lost_in_tokens(tokenizer, rows, task.encode(rows, tokenizer))["equal"] == 0
    pictures = Dataset.from_dict({"length": [1]})
    assert lost_in_tokens(tokenizer, pictures, pictures) == {}


@pytest.mark.parametrize("texts", [THAI, ["warm", "cold", "warm film", "a 😀 cold slow film that was warm and slow"]])
def test_it_is_said_and_much_of_it_is_warned_of(
    tiny_bert: Path, texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    task, rows, tokenizer = encoded(tiny_bert, texts)
    data, accelerator = DatasetDict(test=rows), Accelerator(cpu=True)
    found = token_cache.lost(accelerator, task, data, DatasetDict(test=task.encode(rows, tokenizer)), tokenizer)
    said = capsys.readouterr().out
    assert found["test"].keys() >= {"rows", "share", "unknown", "equal"}
    assert "of the tokens are unknown to the tokenizer" in said
    assert ("xlm-roberta" in said and "mt5-small" in said) == (texts == THAI)


def test_the_report_and_the_card_say_it(run_fit: Any) -> None:
    run = run_fit(num_train_epochs=1)
    cut = run.info["truncation"]
    assert all("unknown" in split for split in cut.values())
    cut["test"] |= {"unknown": 0.25, "equal": 7, "equal_share": 0.14}
    run.update(truncation=cut)
    assert "25.00 % of the tokens of test are unknown to the tokenizer; 7 different texts (14.0 %)" in page(run)
    assert "25.00 % of the tokens are unknown to its tokenizer, and 7 different texts (14.0 %)" in card(run)
