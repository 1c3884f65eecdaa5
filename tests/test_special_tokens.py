"""Special tokens that users write are text, and what a model refuses all the same is told with its rows."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from tiny_classifiers import STYLES, classifier, saved, tokenizer_of
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, BertConfig, PerceiverConfig, PreTrainedTokenizerFast

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.data.text.packing import read_texts
from hfkit.data.text.special_tokens import has_padding, read_as_text
from hfkit.evaluation.predict import named
from hfkit.models.inspection import readable
from hfkit.tasks.text_generation.task import TextGeneration

pytestmark = pytest.mark.pain("special-tokens-in-text")


def unigram() -> PreTrainedTokenizerFast:
    """As of T5 and XLM-R: the special tokens are pieces of the vocabulary, and the best ones."""
    pieces = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces += [("▁", -2.0), ("▁warm", -4.0), *((letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz<>/")]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    roles = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)


@pytest.mark.parametrize("style", [*STYLES, "unigram"])
def test_special_tokens_in_a_text_are_text_here_and_where_it_is_saved(style: str, tmp_path: Path) -> None:
    tokenizer = unigram() if style == "unigram" else tokenizer_of(style)
    plain = tokenizer("a warm film")["input_ids"]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    frame = tokenizer("")["input_ids"]
    text = "warm " + " ".join(tokenizer.all_special_tokens) + "film"
    read_as_text(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    for reader in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        for given in (text, text + text):
            found = reader([given], truncation=True, max_length=60)["input_ids"][0]
            assert sorted(set(found) & special) == sorted(special & set(frame))
            assert sum(token in special for token in found) == len(frame)
        assert reader("a warm film")["input_ids"] == plain, "other texts are read as before"


def test_a_language_model_reads_them_as_text_and_its_chat_template_means_them(tmp_path: Path) -> None:
    tokenizer = unigram()
    TextGeneration().for_model(BertConfig(), tokenizer)
    tokenizer.save_pretrained(tmp_path)
    for reader in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        assert 2 not in read_texts(reader, ["a warm </s> film"], special=False)["input_ids"][0]
        assert read_texts(reader, ["a warm</s>"], special=True)["input_ids"][0][-1] == 2


@pytest.mark.parametrize("kind", ["bart", "mbart", "t5"])
def test_a_web_page_does_not_end_a_text(kind: str, tmp_path: Path) -> None:
    classify = hfkit.pipeline(saved(tmp_path, *classifier(kind)), device="cpu", mixed_precision="no")
    texts = ["warm", "a <s>cold</s> film", "</s></s> slow"]
    assert len(classify(texts)) == 3


def test_what_a_model_refuses_is_told_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classify: Any = hfkit.pipeline(saved(tmp_path, *classifier("bart")), device="cpu", mixed_precision="no")

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("All examples must have the same number of <eos> tokens.")

    monkeypatch.setattr(classify.model, "forward", refuse)
    with pytest.raises(HfkitError, match="same number of <eos> tokens") as error:
        classify(["a warm film"])
    assert "a warm film" in str(error.value) and "leave these rows out" in str(error.value)
    rows = Dataset.from_dict({"id": ["r7", "r8", "r9"]})
    with pytest.raises(HfkitError, match="rows r8, r9"), readable(lambda: named(rows, [1, 2])):
        refuse()


def test_training_and_evaluation_name_the_rows(run_fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hfkit.tasks.text_classification.task import TextClassification

    def refuse(*_: Any) -> None:
        raise ValueError("no such batch")

    monkeypatch.setattr(TextClassification, "logits", refuse)
    with pytest.raises(HfkitError, match=r"cannot read a batch: no such batch\n  where: rows r\d+, "):
        run_fit(num_train_epochs=1)


@pytest.mark.parametrize(("token", "known"), [(None, False), (-1, False), (99, False), (0, True), (98, True)])
def test_a_padding_token_is_one_that_the_model_has(token: int | None, known: bool) -> None:
    config = BertConfig(vocab_size=99, pad_token_id=0)
    config.pad_token_id = token
    assert has_padding(config) is known
    assert not has_padding(PerceiverConfig())  # it has no such field
