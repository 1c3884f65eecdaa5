"""Columns of a table are dropped without a word, because the model's forward has no argument of their name.

Trainer says so only at info level.

Threads: transformers#29458 #25054
"""

import logging
from pathlib import Path

import pytest
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("columns-dropped")


def test_upstream_drops_without_a_word(tiny_bert: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2)
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to=[], use_cpu=True)
    rows = Dataset.from_dict({"input_ids": [[2, 9, 3]], "stars": [5], "labels": [1]})
    trainer = Trainer(model, arguments, train_dataset=rows)
    with caplog.at_level(logging.WARNING):
        batch = next(iter(trainer.get_train_dataloader()))
    assert "stars" not in batch and "stars" not in caplog.text


def test_hfkit_names_them_on_the_screen_and_in_the_run(finished: Run) -> None:
    """The fixture's CSV has a column `seen_at`, which is neither text nor label."""
    assert any("seen_at" in note for note in finished.info["data"]["notes"])
