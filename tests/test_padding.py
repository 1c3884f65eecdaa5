"""A text is answered as if it stood alone, whatever shares its batch, for every architecture."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, DatasetDict
from tiny_classifiers import ARCHITECTURES, READ_PADDING, classifier, saved
from transformers import AutoModelForTokenClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING

import hfkit
from hfkit import TrainConfig, build_model, build_task
from hfkit.base.errors import HfkitError
from hfkit.tasks.text_classification.inference import TextClassificationPipeline
from hfkit.tasks.text_classification.models import settle_padding
from hfkit.tasks.text_classification.task import TextClassification
from hfkit.tasks.token_classification.models import settle_padding_of_words as settle_words
from hfkit.tasks.token_classification.task import TokenClassification
from hfkit.tasks.token_classification.words.windows import Reader

TEXTS = ["warm", "a cold film that was not warm", "a film that was as warm as it was slow and that nobody left " * 2]


def logits(task: TextClassification, model: Any, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    columns = task.truncated.encode(tokenizer, texts)
    rows = [{name: column[at] for name, column in columns.items()} for at in range(len(texts))]
    with torch.no_grad():
        return task.logits(model, task.collate(rows))


@pytest.mark.pain("padding-side")
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_alone_equals_in_a_batch(kind: str) -> None:
    model, tokenizer = classifier(kind)
    said = settle_padding(model, tokenizer, kind)
    task = TextClassification.from_model(model.config, tokenizer)
    together = logits(task, model, tokenizer, TEXTS)
    alone = torch.cat([logits(task, model, tokenizer, [text]) for text in TEXTS])
    assert alone.std(dim=0).max() > 1e-3, "the texts have different answers"
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)
    assert (task.padding == "none") == (kind in READ_PADDING) == (said is not None)
    assert task.padding == "left" or kind != "xlnet"


def taggers() -> list[str]:
    known = {config.model_type for config in MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING}
    return [kind for kind in ARCHITECTURES if kind in known]


@pytest.mark.parametrize("kind", taggers())
def test_so_do_the_words_of_a_tagger(kind: str) -> None:
    model, tokenizer = classifier(kind, auto_model=AutoModelForTokenClassification)
    settle_words(model, tokenizer, kind)
    task = TokenClassification.from_model(model.config, tokenizer)
    reader = Reader(tokenizer, task.max_length, task.stride)
    texts = [text.split() for text in TEXTS]
    rows = [
        {"input_ids": [w.input_ids for w in found], "words": [w.words for w in found], "count": len(words)}
        for words, found in zip(texts, reader.read(texts), strict=True)
    ]
    with torch.no_grad():
        together, tags = task.answers(model, task.collate(rows))
        alone = [task.answers(model, task.collate([row])) for row in rows]
    torch.testing.assert_close(together, torch.cat([one for one, _ in alone]), rtol=1e-3, atol=1e-4)
    assert together.std(dim=0).max() > 1e-3 and torch.equal(tags, torch.cat([said for _, said in alone]))
    assert task.padding == "none" or kind not in READ_PADDING


def test_a_config_with_another_padding_token_than_its_tokenizer(tmp_path: Path) -> None:
    model, tokenizer = classifier("llama", pad_token_id=0)
    tokenizer.pad_token = "<s>"
    pipe = hfkit.pipeline(saved(tmp_path, model, tokenizer), device="cpu", mixed_precision="no")
    alone = torch.cat([pipe.logits([text]) for text in TEXTS])
    torch.testing.assert_close(pipe.logits(TEXTS), alone, rtol=1e-4, atol=1e-4)
    assert pipe.reading.pad_token_id == 0 and pipe.tokenizer.pad_token_id != 0


@pytest.mark.parametrize(("length", "unknown"), [(3, False), (None, True)])
def test_the_probe_pads_also_where_texts_are_cut_short_or_unknown(length: int | None, unknown: bool) -> None:
    model, tokenizer = classifier("fnet")
    model.config.hfkit = {"max_length": length}
    if unknown:  # any text is the one token that stands for what is not known
        tokenizer.backend_tokenizer.pre_tokenizer = tokenizer.backend_tokenizer.post_processor = None
    assert settle_padding(model, tokenizer, "mine") is not None and model.config.hfkit["padding"] == "none"


def test_a_tokenizer_that_pads_on_the_wrong_side_is_told_the_other() -> None:
    model, tokenizer = classifier("gpt2")
    tokenizer.padding_side = "left"
    said = settle_padding(model, tokenizer, "mine")
    assert said is not None and "padding: on the right" in said and "mine" in said
    assert TextClassification.from_model(model.config, tokenizer).padding == tokenizer.padding_side == "right"


def test_a_model_that_cannot_read_short_texts_is_refused() -> None:
    model, tokenizer = classifier("nystromformer")
    for layer in model.nystromformer.encoder.layer:
        layer.attention.self.seq_len = 16  # pooled in landmarks of two tokens each
    with pytest.raises(HfkitError, match="mine cannot read a short text"):
        settle_padding(model, tokenizer, "mine")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_built_and_opened_it_is_said_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved(tmp_path / "fnet", *classifier("fnet"))
    rows = Dataset.from_dict({"text": TEXTS[:2] * 4, "label": ["a", "b"] * 4}).class_encode_column("label")
    config = TrainConfig(model=str(folder))
    task = build_task(config, DatasetDict(train=rows))
    model, tokenizer = build_model(config, task, DatasetDict(train=rows))
    assert "rows of one length are computed together" in capsys.readouterr().out
    task = task.for_model(model.config, tokenizer)
    assert task.settings()["padding"] == model.config.hfkit["padding"] == "none"
    loss, _ = task.loss_and_predictions(model, task.collate(list(task.encode(rows, tokenizer))))
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)
    with pytest.warns(UserWarning, match="rows of one length"):
        pipe = hfkit.pipeline(folder, device="cpu")
    assert isinstance(pipe, TextClassificationPipeline) and pipe.reading.padding == "none"
