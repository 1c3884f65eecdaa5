"""A saved classifier answers LABEL_0 and LABEL_1, and nobody knows any more which is which.

Threads: transformers#13298 #28589 #34637
"""

from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("no-id2label")


def test_upstream_answers_label_0(tiny_bert: Path, tmp_path: Path) -> None:
    AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    (answer,) = pipeline("text-classification", str(tmp_path), device="cpu")("a warm film")
    assert answer["label"] in ("LABEL_0", "LABEL_1")


def test_hfkit_answers_with_names_in_plain_transformers_too(finished: Run) -> None:
    answers = pipeline("text-classification", str(finished.model_path), device="cpu", top_k=None)(["a warm film"])
    assert {answer["label"] for answer in answers[0]} == {"neg", "pos"}
