"""prove: a stranger's model, its card's claims beside what is measured, and what makes either look better."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json_file
from hfkit.cli import main
from hfkit.config import DataArguments
from hfkit.evaluation.classification import PROBLEMS
from hfkit.hub.claims import Claim, read
from hfkit.hub.proving import prove as proved

Captured = pytest.CaptureFixture[str]

CARD = """---
license: mit
model-index:
- name: reviews
  results:
  - task: {type: text-classification}
    dataset: {name: Films, type: someone/films, split: test}
    metrics:
    - {type: accuracy, value: 91.0, name: Accuracy}
    - {type: f1, value: 0.2, name: F1 macro, args: {average: macro}}
    - {type: f1, value: 0.4}
    - {type: accuracy, value: much}
    - {type: bleu, value: 20.1}
  - dataset: {name: Other rows, type: someone/other, split: validation}
    metrics:
    - {type: accuracy, value: 0.99}
---
# A model
"""


def prove(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["prove", *map(str, arguments)])
    return ended.value.code if isinstance(ended.value.code, int) else 0


@pytest.fixture
def stranger(tiny_run: Path, tmp_path: Path) -> Path:
    """The tiny run's model as a folder of its own, with a card that claims things."""
    folder = tmp_path / "stranger"
    shutil.copytree(tiny_run / "model", folder)
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.fixture
def films(tmp_path: Path, reviews: list[tuple[str, str]]) -> Path:
    """150 rows in train.csv and 53 others in test.csv, three of which are in train.csv too."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name, rows in (("train", reviews[:150]), ("test", reviews[190:240] + reviews[:3])):
        lines = [f'"{text}",{label}\n' for text, label in rows]
        (folder / f"{name}.csv").write_text("review,sentiment\n" + "".join(lines))
    return folder


def test_claims_stand_beside_figures_and_a_rival(stranger: Path, films: Path, capsys: Captured) -> None:
    assert prove(stranger, "--dataset", films) == 0
    told, proof = capsys.readouterr().out, read_json_file(Path("evaluations/stranger/films/proof.json"))
    value = proof["accuracy"]["value"]
    held = {(claim["metric"], claim["dataset"], claim["claimed"]): claim for claim in proof["claims"]}
    accuracy = held["Accuracy", "Films", 0.91]
    assert accuracy["figure"] == "accuracy"
    assert accuracy["inside"] == (proof["accuracy"]["low"] - 0.005 <= 0.91 <= proof["accuracy"]["high"] + 0.005)
    assert held["F1 macro", "Films", 0.2]["inside"] is False and held["F1 macro", "Films", 0.2]["meant"] == 1
    assert held["f1", "Films", 0.4]["meant"] == 2, "an F1 that does not say which may be either"
    assert held["bleu", "Films", 20.1]["figure"] is None and held["accuracy", "Other rows", 0.99]["figure"] is None
    assert f"F1 macro: 0.200 claimed; {proof['f1_macro']['value']:.3f}" in told and "the claim is outside" in told
    assert "2 claims not held against these rows, of Films, test; Other rows, validation" in told
    assert proof["unreadable_claims"] == 1 and proof["seen_in_training"] == 3
    assert "3 of the 53 texts stand in other splits" in told
    rival = proof["baselines"]["tfidf_logreg"]
    assert rival["difference"]["value"] == pytest.approx(value - rival["accuracy"]["value"])


def test_permuted_labels_are_told(stranger: Path, films: Path, capsys: Captured) -> None:
    config = json.loads((stranger / "config.json").read_text())
    config |= {"id2label": {"0": "pos", "1": "neg"}, "label2id": {"pos": 0, "neg": 1}}
    (stranger / "config.json").write_text(json.dumps(config))
    assert prove(stranger, "--dataset", films) == 0
    proof = read_json_file(Path("evaluations/stranger/films/proof.json"))
    assert proof["other_order"]["labels"] == ["neg", "pos"]
    assert proof["other_order"]["accuracy"] == pytest.approx(1 - proof["accuracy"]["value"])
    assert "in the order neg, pos" in capsys.readouterr().out


def test_labels_without_names_are_those_of_the_data(stranger: Path, films: Path, capsys: Captured) -> None:
    named = proved(str(stranger), DataArguments(dataset=str(films)))
    config = json.loads((stranger / "config.json").read_text())
    names = {str(number): f"LABEL_{number}" for number in range(2)}
    config |= {"id2label": names, "label2id": {name: int(number) for number, name in names.items()}}
    (stranger / "config.json").write_text(json.dumps(config))
    capsys.readouterr()
    found = proved(str(stranger), DataArguments(dataset=str(films)))
    assert "LABEL_0, LABEL_1: the model's labels have no names, and are taken as neg, pos" in capsys.readouterr().out
    assert found["accuracy"] == named["accuracy"] and found["other_order"] is None


def test_one_file_has_rivals_where_their_rows_are_named(stranger: Path, films: Path, capsys: Captured) -> None:
    (stranger / "README.md").unlink()
    assert prove(stranger, "--dataset", films / "test.csv", "--output", "proof") == 0
    told, proof = capsys.readouterr().out, read_json_file(Path("proof/proof.json"))
    assert "is one file, all of it judged" in told and "claims no figure" in told
    assert proof["baselines"] == {} and proof["seen_in_training"] is None
    assert prove(stranger, "--dataset", films / "test.csv", "--train_dataset", films / "train.csv") == 0
    proof = read_json_file(Path("evaluations/stranger/test/proof.json"))
    assert set(proof["baselines"]) >= {"tfidf_logreg"} and proof["seen_in_training"] == 3


def test_a_published_model_is_proved_at_its_commit(hub: Any, tiny_run: Path, films: Path, capsys: Captured) -> None:
    made = hfkit.push(tiny_run, "tester/reviews", verify=False)
    assert made is not None
    assert prove("tester/reviews", "--dataset", films) == 0
    proof = read_json_file(Path("evaluations/tester-reviews/films/proof.json"))
    assert proof["revision"] == made.commit
    assert {claim["dataset"] for claim in proof["claims"]} == {"reviews.csv"}, "its own card claims its own rows"
    assert "claims not held against these rows" in capsys.readouterr().out


def test_what_is_wrong_is_one_message(stranger: Path, films: Path, tmp_path: Path, capsys: Captured) -> None:
    assert prove("nowhere/", "--dataset", films) == 1
    assert "there is no folder" in capsys.readouterr().err
    (tmp_path / "other.csv").write_text("text,label\na film,good\nb film,bad\n")
    assert prove(stranger, "--dataset", tmp_path / "other.csv") == 1
    assert "labels that the model does not know: bad, good" in capsys.readouterr().err
    (stranger / "README.md").write_text("---\nmodel-index: [\n---\n")
    assert prove(stranger, "--dataset", films) == 1
    error = capsys.readouterr().err
    assert "front matter of the card cannot be read" in error and "Traceback" not in error
    assert not Path("evaluations").exists()


@pytest.mark.parametrize(
    "index",
    [
        "7",
        "[7]",
        "[{results: 7}]",
        "[{results: [{metrics: 7}]}]",
        "[{results: [{dataset: 7, metrics: [{value: .nan}]}]}]",
    ],
)
def test_an_index_of_any_form_is_read(index: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"---\nmodel-index: {index}\n---\n")
    found, unread = read(tmp_path / "README.md")
    assert found == [] and unread == ("nan" in index)


def test_a_claim_is_of_the_figures_that_it_may_mean() -> None:
    metrics = PROBLEMS["single_label_classification"]

    def meant(**claim: Any) -> list[str]:
        made = Claim(**{"title": "", "value": 1.0, "dataset": "x"} | claim)
        return [metric.name for metric in metrics if made.is_of(metric)]

    assert meant(metric="f1") == ["f1_macro", "f1_weighted"]
    assert meant(metric="f1", arguments={"average": "weighted"}) == ["f1_weighted"]
    assert meant(metric="f1", title="Macro F1") == ["f1_macro"]
    assert meant(metric="f1", arguments={"average": "binary"}) == []
    assert meant(metric="f1_macro") == ["f1_macro"]
    assert meant(metric="matthews_correlation") == ["mcc"]
    with pytest.raises(HfkitError, match="cannot be read"):
        read(Path("nothing.md"))
