"""Evaluation keeps all that the model returns for all rows, until memory is full, though only answers are needed.

Threads: transformers#12878 #15466
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate import Accelerator
from datasets import DatasetDict
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from upstream import trainer

from hfkit.config import TrainConfig
from hfkit.evaluation.predict import evaluate
from hfkit.tasks import build_task

pytestmark = pytest.mark.pain("eval-memory")


def talkative(folder: Path) -> Any:
    """A classifier that also returns its hidden states, as many published configs ask for."""
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, output_hidden_states=True)


def test_upstream_keeps_the_hidden_states(tiny_bert: Path, splits: DatasetDict, tmp_path: Path) -> None:
    rows = splits["test"]
    evaluated = trainer(tmp_path, tiny_bert, rows, model=talkative(tiny_bert), validation=rows)
    _, states = evaluated.predict(evaluated.eval_dataset).predictions
    assert sum(state.nbytes for state in states) > 5_000 * len(rows)


@pytest.mark.parametrize("max_length", [8, 32])
def test_hfkit_keeps_some_bytes_a_row_whatever_its_length(
    tiny_bert: Path, splits: DatasetDict, max_length: int
) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_bert), talkative(tiny_bert)
    config = TrainConfig(max_length=max_length, disable_tqdm=True)
    task = build_task(config, splits).for_model(model.config, tokenizer)
    found = evaluate(Accelerator(cpu=True), task, model, task.encode(splits["test"], tokenizer), config)
    assert len(found["prediction"]) == 50
    assert sum(np.asarray(column).nbytes for column in found.values()) <= 64 * 50
