"""GPT-2 has no padding token: batches fail, and with the end as padding it never learns where a text ends.

Threads: transformers#2630 #4122
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import (
    AutoConfig,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2Model,
)

from hfkit import TrainConfig, build_model, build_task
from hfkit.tasks.text_generation.task import TextGeneration

pytestmark = pytest.mark.pain("gpt2-pad")


@pytest.fixture
def gpt2(tiny_bert: Path, tmp_path: Path) -> Path:
    """A folder with a tiny GPT-2, whose tokenizer ends each text with its end token and has none for padding."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.pad_token, tokenizer.eos_token = None, "[SEP]"
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(tmp_path / "gpt2")
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=64, eos_token_id=3)
    GPT2Model(config).save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"


def test_upstream_cannot_classify_a_batch(gpt2: Path) -> None:
    model = GPT2ForSequenceClassification.from_pretrained(gpt2, num_labels=2)
    with pytest.raises(ValueError, match="no padding token"):
        model(input_ids=torch.tensor([[9, 8, 3], [9, 3, 3]]))


def test_upstream_learns_no_end_where_the_end_is_the_padding(gpt2: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    tokenizer.pad_token = tokenizer.eos_token
    batch = DataCollatorForLanguageModeling(tokenizer, mlm=False)([tokenizer("a warm film")])
    assert tokenizer.eos_token_id in batch["input_ids"]
    assert tokenizer.eos_token_id not in batch["labels"]


def test_hfkit_pads_with_the_end_and_answers_as_one_by_one(gpt2: Path, splits: DatasetDict) -> None:
    config = TrainConfig(model=str(gpt2), max_length=24)
    task = build_task(config, splits)
    built: Any = build_model(config, task, splits)
    model, tokenizer = built[0].eval(), built[1]
    task = task.for_model(model.config, tokenizer)
    rows = list(task.encode(splits["test"].select(range(8)), tokenizer))
    assert len({len(row["input_ids"]) for row in rows}) > 1
    with torch.inference_mode():
        together = task.logits(model, task.collate(rows))
        alone = torch.cat([task.logits(model, task.collate([row])) for row in rows])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_hfkit_learns_every_end_and_no_padding(gpt2: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    task = TextGeneration(packing=False).for_model(AutoConfig.from_pretrained(gpt2), tokenizer)
    assert tokenizer.pad_token_id == (end := tokenizer.eos_token_id)
    texts = Dataset.from_dict({"id": ["a", "b"], "text": ["a warm film", "cold"]})
    targets = task.collate(list(task.to_train(task.encode(texts, tokenizer))))["targets"]
    learnt = [row[row != -100].tolist() for row in targets]
    assert len({len(row) for row in learnt}) == 2, "one of the two is padded"
    assert all(row[-1] == end and row.count(end) == 1 for row in learnt)
