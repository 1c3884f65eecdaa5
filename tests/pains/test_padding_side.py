"""A model that finds a text's end by the padding token, or reads padding, answers otherwise in a batch.

Threads: transformers#1882 #35352, Chinese-LLaMA-Alpaca-2#160
"""

from pathlib import Path

import pytest
import transformers
from tiny_classifiers import classifier, saved

import hfkit

pytestmark = pytest.mark.pain("padding-side")

TEXTS = ["warm", "a cold film that was not warm at all", "a film that was as slow as it was warm and that nobody left"]


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A published classifier whose config names another padding token than its tokenizer."""
    model, tokenizer = classifier("llama", pad_token_id=0)
    tokenizer.pad_token = "</s>"
    return saved(tmp_path / "llama", model, tokenizer)


def test_upstream_answers_by_what_shares_the_batch(llama: Path) -> None:
    classify = transformers.pipeline("text-classification", model=str(llama), device="cpu", top_k=None)
    alone = [{one["label"]: one["score"] for one in classify(text, top_k=None)} for text in TEXTS]
    batch = [{one["label"]: one["score"] for one in answer} for answer in classify(TEXTS, batch_size=3, top_k=None)]
    assert max(abs(one["pos"] - other["pos"]) for one, other in zip(alone, batch, strict=True)) > 0.05


def test_hfkit_answers_as_alone(llama: Path) -> None:
    classify = hfkit.pipeline(llama, device="cpu", mixed_precision="no")
    together = [answer["score"] for answer in classify(TEXTS)]
    assert together == pytest.approx([classify(text)[0]["score"] for text in TEXTS], abs=1e-5)
