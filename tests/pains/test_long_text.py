"""A text that is too long crashes the pipeline, or is cut without a word.

A run reads it as in training, and counts what it cuts.

Threads: transformers#4501 #24392
"""

import pytest
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import hfkit
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("long-text")

LONG = "a warm film " * 200


def test_upstream_crashes(finished: Run) -> None:
    tokenizer = AutoTokenizer.from_pretrained(finished.model_path, model_max_length=100_000)  # as many are published
    model = AutoModelForSequenceClassification.from_pretrained(finished.model_path)
    classify = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    with pytest.raises((RuntimeError, IndexError)):
        classify(LONG)


def test_hfkit_reads_it_as_in_training(finished: Run) -> None:
    classify = hfkit.pipeline(finished.path, device="cpu", mixed_precision="no")
    (answer,) = classify(LONG)
    (head,) = classify("a warm film " * 7 + "a")  # 22 words and two special tokens
    assert answer["label"] == head["label"] and answer["score"] == pytest.approx(head["score"], abs=1e-6)


def test_hfkit_counts_what_it_cuts(finished: Run) -> None:
    assert finished.info["truncation"]["train"].keys() >= {"rows", "share", "max_length", "long_text"}
    assert "truncated" in finished.predictions().column_names
