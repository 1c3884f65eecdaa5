"""Zero-shot classification: a model of pairs answers labels that nobody trained, as transformers' pipeline does."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import hfkit
from hfkit import HfkitError
from hfkit.inference import predict_file

TEXTS = ["a warm film with a clever plot", "boring and dull", "the plot of the film", "a warm film"]
LABELS = ["warm", "dull", "clever"]


@pytest.fixture(scope="module")
def folder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of pairs with large weights, so that its answers differ; entailment stands first, as in some."""
    path = tmp_path_factory.mktemp("pairs")
    torch.manual_seed(1)
    names = ["entailment", "neutral", "contradiction"]
    model = transformers.BertForSequenceClassification.from_pretrained(
        tiny_bert, num_labels=3, id2label=dict(enumerate(names)), label2id={name: at for at, name in enumerate(names)}
    )
    for weight in model.parameters():
        if weight.dim() == 2:
            weight.data.mul_(8)
    model.save_pretrained(path)
    transformers.AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def ask(folder: Path) -> Any:
    return hfkit.pipeline(folder, task="zero-shot-classification", mixed_precision="no")


@pytest.mark.parametrize("several", [False, True])
def test_it_answers_as_transformers_does(folder: Path, ask: Any, several: bool) -> None:
    plain = transformers.pipeline("zero-shot-classification", model=str(folder))
    asked = {"candidate_labels": LABELS, "hypothesis_template": "It is {}.", "multi_label": several}
    found, expected = ask(TEXTS, **asked), plain(TEXTS, **asked)
    for one, other in zip(found, expected, strict=True):
        assert (one["sequence"], one["labels"]) == (other["sequence"], other["labels"])
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
    assert len({tuple(one["scores"]) for one in found}) == len(TEXTS)
    assert ask(TEXTS[0], "warm, dull")["labels"] == ask(TEXTS[0], ["warm", "dull"])["labels"]
    assert list(ask(iter(TEXTS), **asked)) == found


def test_the_other_side_is_found_by_name(folder: Path, tmp_path: Path) -> None:
    """transformers takes the first or the last label for a contradiction, whatever it is called."""
    model = transformers.BertForSequenceClassification.from_pretrained(folder)
    ask = hfkit.pipeline(folder, task="zero-shot-classification", mixed_precision="no")
    before = ask(TEXTS[0], ["warm"])["scores"]
    order, weights = [2, 0, 1], model.classifier
    weights.weight.data, weights.bias.data = weights.weight.data[order], weights.bias.data[order]
    model.config.id2label = {0: "CONTRADICTION", 1: "ENTAILMENT", 2: "NEUTRAL"}
    model.config.label2id = {name: at for at, name in model.config.id2label.items()}
    model.save_pretrained(tmp_path / "turned")
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "turned")
    turned = hfkit.pipeline(tmp_path / "turned", task="zero-shot-classification", mixed_precision="no")
    assert turned(TEXTS[0], ["warm"])["scores"] == pytest.approx(before, abs=1e-6)


def test_a_file_gets_the_likeliest_label(folder: Path, ask: Any) -> None:
    Path("in.csv").write_text("id,text\n" + "".join(f"{at},{text}\n" for at, text in enumerate(TEXTS)))
    assert predict_file(folder, "in.csv", "out.csv", candidate_labels=LABELS, mixed_precision="no") == 4
    with Path("out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [one["labels"][0] for one in ask(TEXTS, LABELS)]
    assert [row["id"] for row in rows] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "no candidate_labels"),
        ({"candidate_labels": []}, "holds none"),
        ({"candidate_labels": "warm,,dull"}, "holds an empty one"),
        ({"candidate_labels": ["warm", "warm "]}, "holds one twice"),
        ({"candidate_labels": LABELS, "hypothesis_template": "It is so."}, "has no {} for the label"),
        ({"candidate_labels": LABELS, "top_k": 2}, "takes no top_k=2"),
    ],
)
def test_what_cannot_be_asked(ask: Any, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(HfkitError, match=message):
        ask(TEXTS, **asked)


def test_rows_and_models_that_do_not_fit(ask: Any, folder: Path, tiny_run: Path) -> None:
    for row in (3, {"text": "a", "text_pair": "b"}, "half \ud83d"):
        with pytest.raises(HfkitError, match=r"not a text|a pair|half a character"):
            ask([row], LABELS)
    with pytest.raises(HfkitError, match="none or several mean that a text follows"):
        hfkit.pipeline(tiny_run, task="zero-shot-classification")
    Path("in.csv").write_text("text\na\n")
    with pytest.raises(HfkitError, match="none or several mean that a text follows"):
        predict_file(tiny_run, "in.csv", "out.csv", candidate_labels=LABELS)
    assert not Path("out.csv").exists()
