"""With gradient accumulation the loss, and with it the step, is a multiple of that of the large batch.

A model whose forward takes **kwargs and ignores `num_items_in_batch` makes Trainer sum the accumulated losses. hfkit
never leaves the division to the model: it divides the summed loss of all batches by the rows of the update.

Threads: transformers#34191 #37766 ms-swift#10084
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import AutoConfig, BertForSequenceClassification, Trainer, TrainingArguments

from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("accumulation-loss")


class Careless(BertForSequenceClassification):
    """As many model files on the Hub are written."""

    def forward(self, input_ids: Any, attention_mask: Any, labels: Any = None, **kwargs: Any) -> Any:
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels)


def trainer_loss(folder: Path, base: Path, accumulation: int) -> float:
    """The loss that Trainer logs for one update of 16 equal rows."""
    rows = {"input_ids": [[2, 9, 3]] * 16, "attention_mask": [[1, 1, 1]] * 16, "labels": [1] * 16}
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=16 // accumulation,
        gradient_accumulation_steps=accumulation,
        max_steps=1,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    config = AutoConfig.from_pretrained(base, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    trainer = Trainer(Careless(config), arguments, train_dataset=Dataset.from_dict(rows))
    trainer.train()
    return float(trainer.state.log_history[0]["loss"])


def test_upstream_counts_the_loss_once_for_every_batch(tiny_bert: Path, tmp_path: Path) -> None:
    large = trainer_loss(tmp_path, tiny_bert, 1)
    assert trainer_loss(tmp_path, tiny_bert, 4) == pytest.approx(4 * large, rel=0.2)


def test_hfkit_has_the_loss_of_the_large_batch(run_fit: Callable[..., Run]) -> None:
    knobs: dict[str, Any] = {"dropout": 0.0, "max_steps": 3, "eval_strategy": "no", "save_strategy": "no"}
    large = run_fit("large", per_device_train_batch_size=16, **knobs)
    cut = run_fit("cut", per_device_train_batch_size=4, gradient_accumulation_steps=4, **knobs)
    losses = [[line["loss"] for line in run.log()] for run in (large, cut)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
