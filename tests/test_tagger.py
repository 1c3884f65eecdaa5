"""The recurrent tagger: a text alone is what it is in a batch, the CRF goes from word to word, what is saved is it."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification

import hfkit  # noqa: F401  # which registers the model
from hfkit.baselines.configs import RecurrentTaggerConfig
from hfkit.baselines.tagger import RecurrentForTokenClassification


def made(crf: bool = True) -> RecurrentForTokenClassification:
    torch.manual_seed(0)
    config = RecurrentTaggerConfig(vocab_size=50, embedding_size=16, hidden_size=12, crf=crf, num_labels=5)
    model = RecurrentForTokenClassification(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.eval()


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(9) < torch.tensor([9, 5, 1])[:, None]
    starts = mask & torch.tensor([1, 0, 1, 1, 0, 1, 0, 0, 1], dtype=torch.bool)
    return {"input_ids": ids.masked_fill(~mask, 0), "attention_mask": mask.long(), "word_starts": starts}


@pytest.mark.parametrize("crf", [True, False])
def test_alone_equals_in_a_batch(crf: bool) -> None:
    model, whole = made(crf), batch()
    logits, paths = model(**whole).logits, model.decode(**whole)
    for row, length in enumerate((9, 5, 1)):
        alone = {name: value[row : row + 1, :length] for name, value in whole.items()}
        here = alone["word_starts"][0]
        assert torch.allclose(model(**alone).logits[0][here], logits[row, :length][here], atol=1e-5)
        assert torch.equal(model.decode(**alone)[0], paths[row, :length])


def test_with_a_crf_the_logits_are_probabilities_and_the_path_is_the_likeliest() -> None:
    model, whole = made(), batch()
    logits = model(**whole).logits
    assert torch.allclose(
        logits[whole["word_starts"]].exp().sum(dim=1), torch.ones(int(whole["word_starts"].sum())), atol=1e-5
    )
    best = model.decode(**whole)
    assert bool((best[~whole["word_starts"]] == -100).all())
    inputs = {name: whole[name] for name in ("input_ids", "attention_mask")}
    least = model(**inputs, labels=best).loss
    for _ in range(20):
        other = torch.where(whole["word_starts"], torch.randint(0, 5, best.shape), -100)
        assert model(**inputs, labels=other).loss >= least - 1e-6


@pytest.mark.parametrize("crf", [True, False])
def test_what_is_saved_is_the_same_to_the_bit(crf: bool, tmp_path: Path) -> None:
    model, whole = made(crf), batch()
    model.save_pretrained(tmp_path)
    again = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    assert type(again) is RecurrentForTokenClassification
    assert torch.equal(again(**whole).logits, model(**whole).logits)


def test_gradients_reach_all_of_it_and_a_row_without_a_word_harms_nothing() -> None:
    model, whole = made().train(), batch()
    labels = torch.where(whole["word_starts"], 2, -100)
    labels[2] = -100
    loss = model(whole["input_ids"], whole["attention_mask"], labels=labels).loss
    loss.backward()
    assert bool(loss.isfinite())
    assert all(parameter.grad is not None and bool(parameter.grad.isfinite().all()) for parameter in model.parameters())
