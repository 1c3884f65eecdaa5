"""A special token in a user's text, such as `</s>` in a web page, is taken for the model's own: BART's forward refuses
the batch.

Threads: transformers#26468, PiPPy#308
"""

from pathlib import Path

import pytest
import transformers
from tiny_classifiers import classifier, saved

import hfkit

pytestmark = pytest.mark.pain("special-tokens-in-text")

TEXTS = ["a warm film", "old price <s>12</s> now a cold film"]


@pytest.fixture
def bart(tmp_path: Path) -> Path:
    return saved(tmp_path / "bart", *classifier("bart"))


def test_upstream_refuses_the_batch(bart: Path) -> None:
    classify = transformers.pipeline("text-classification", model=str(bart), device="cpu")
    with pytest.raises(ValueError, match="same number of <eos> tokens"):
        classify(TEXTS, batch_size=2)


def test_hfkit_reads_them_as_text(bart: Path) -> None:
    classify = hfkit.pipeline(bart, device="cpu", mixed_precision="no")
    assert [answer["label"] in ("neg", "pos") for answer in classify(TEXTS)] == [True, True]
    ids = classify.batch_of(TEXTS[1:])["input_ids"][0].tolist()
    assert ids.count(classify.tokenizer.eos_token_id) == 1
