"""hfkit labels: planted wrong labels stand first, their number lies in its interval, and nothing is changed by it."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import write
from run_fixture import write_run
from sklearn.datasets import load_digits

from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.evaluation.stats import Interval
from hfkit.evaluation.wrong_labels.counting import floor, together
from hfkit.evaluation.wrong_labels.doubts import COLUMNS, doubts
from hfkit.report.doubted import FILE
from hfkit.tasks.discover import find, specs
from hfkit.tasks.rivals import out_of_fold


def precision(ranking: np.ndarray, wrong: np.ndarray) -> float:
    """Average precision of a ranking of rows, the first first."""
    hit = np.isin(ranking, wrong)
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())


@pytest.fixture(scope="module")
def digits() -> dict[str, Any]:
    """Scanned digits, one label in twenty another, and the probabilities that models of other rows give."""
    pixels, truth = load_digits(return_X_y=True)
    pixels = (pixels - pixels.mean(axis=0)) / pixels.std()
    generator = np.random.default_rng(1)
    wrong = generator.permutation(len(truth))[:90]
    given = truth.copy()
    given[wrong] = (truth[wrong] + generator.integers(1, 10, 90)) % 10
    found = {"truth": truth, "given": given, "wrong": wrong}
    found |= {"right_model": out_of_fold(pixels, truth, 10, strength=0.1)}
    return found | {"model": out_of_fold(pixels, given, 10, strength=0.1)}


def test_planted_wrong_labels_stand_first_and_are_counted(digits: dict[str, Any]) -> None:
    own = digits["model"][np.arange(len(digits["given"])), digits["given"]]
    ranking = np.argsort(own, kind="stable")
    assert np.isin(ranking[:100], digits["wrong"]).mean() >= 0.75
    # cleanlab 2.9.0, get_label_quality_scores, on these: self_confidence 0.9907, normalized_margin 0.9881,
    # confidence_weighted_entropy 0.9685; on one pass over the folds at best 0.9882.
    assert precision(ranking, digits["wrong"]) >= 0.99
    many, share = len(own), floor(digits["given"], digits["model"]).share
    assert share.low * many <= 90 <= share.high * many
    assert share.high * many < 150


def test_labels_that_are_right_leave_nothing_in_doubt(digits: dict[str, Any]) -> None:
    many, share = len(digits["truth"]), floor(digits["truth"], digits["right_model"]).share
    assert share.low == 0 and share.high * many < 10, "nobody flipped any"


def test_a_row_is_judged_by_models_that_did_not_learn_it() -> None:
    generator = np.random.default_rng(0)
    noise, labels = generator.normal(size=(200, 300)), generator.integers(0, 2, 200)
    found = out_of_fold(noise, labels, 2)
    assert abs((found.argmax(axis=1) == labels).mean() - 0.5) < 0.15, "a model that had learnt the row would know it"
    assert np.allclose(found.sum(axis=1), 1)
    assert np.array_equal(found, out_of_fold(noise, labels, 2)), "equal rows, equal answers"


@pytest.mark.parametrize(("share", "classes"), [(0.0, 2), (0.1, 2), (0.02, 6)])
def test_the_interval_holds_the_share_of_wrong_labels(share: float, classes: int) -> None:
    """Over 15 draws of made rows whose model is as sure as it may be."""
    held = 0
    for draw in range(15):
        generator = np.random.default_rng(draw)
        scores = generator.normal(0, 3, (1500, classes))
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        truth = (probabilities.cumsum(axis=1) > generator.random((1500, 1))).argmax(axis=1)
        wrong = generator.random(1500) < share
        given = np.where(wrong, (truth + generator.integers(1, classes, 1500)) % classes, truth)
        found = floor(given, probabilities)
        held += found.share.low - 5e-4 <= share <= found.share.high + 5e-4
        if share == 0:
            assert found.slope == pytest.approx(1, abs=0.25)
    assert held >= 13, "14 of 15 are meant"


def test_parts_that_were_judged_apart_are_added() -> None:
    found = together([Interval(0.1, 0.07, 0.14), Interval(0.0, 0.0, 0.03)], [1000, 100])
    assert found == pytest.approx((100, 70, 100 + np.sqrt(40**2 + 3**2)))


def test_each_task_with_a_cheap_classifier_can_be_asked() -> None:
    able = {spec.name for spec in specs() if spec.offers("baselines", "out_of_fold")}
    assert able == {"text-classification", "image-classification"}
    with pytest.raises(HfkitError, match="none to doubt"):
        doubts({}, find("text-generation"), {})


def ended(*flags: str) -> int:
    with pytest.raises(SystemExit) as found:
        main(["labels", *flags])
    return int(found.value.code or 0)


def flipped_csv(reviews: list[tuple[str, str]], name: str = "data.csv") -> tuple[str, set[str]]:
    """The made reviews with every twentieth label turned, and those rows' ids."""
    other = {"pos": "neg", "neg": "pos"}
    rows = [(text, other[label] if at % 20 == 7 else label) for at, (text, label) in enumerate(reviews)]
    lines = [f'r{at},"{text}",{label}\n' for at, (text, label) in enumerate(rows)]
    return write(name, "id,text,label\n" + "".join(lines)), {f"r{at}" for at in range(7, len(rows), 20)}


def test_a_data_set_is_ranked_on_the_screen_and_in_a_file(
    reviews: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    name, turned = flipped_csv(reviews)
    before = Path(name).read_bytes()
    assert ended("--dataset", name, "--output", "review.csv") == 0
    shown = capsys.readouterr().out
    assert "of 240 labels are wrong (" in shown and "none was changed" in shown
    with Path("review.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*COLUMNS, "text"]
    assert {row["id"] for row in rows[: len(turned)]} == turned, "all of them first"
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    first = rows[0]
    assert {first["label"], first["suggested_label"]} == {"neg", "pos"}
    assert float(first["label_probability"]) < 0.5 < float(first["suggested_probability"])
    assert {row["split"] for row in rows} <= {"train", "validation", "test"}
    assert Path(name).read_bytes() == before
    assert ended("--dataset", name, "--output", "review.csv") == 0, "its own file it replaces"


def test_columns_are_named_as_elsewhere(reviews: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f'"{text}",{label},{at % 3}\n' for at, (text, label) in enumerate(reviews)]
    name = write("odd.csv", "body,mood,note\n" + "".join(lines))
    assert ended("--dataset", name, "--text_column", "body", "--label_column", "mood") == 0
    assert "of 240 labels are wrong (0 to" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "flags", "said"),
    [
        ("a text,b\n" * 0, (), "The file is empty"),
        ("".join(f"text {n},{n / 7:.3f}\n" for n in range(60)), (), "The labels are numbers"),
        ("".join(f"text {n},a|b\n" for n in range(60)), ("--label_separator", "|"), "lists of classes"),
        ("".join(f"text {n},same\n" for n in range(60)), (), "label"),
        ("".join(f"text {n},{'ab'[n % 2] if n > 3 else 'rare'}\n" for n in range(60)), (), "rare (4)"),
        ("".join(f"text {n},{'ab'[n % 2]}\n" for n in range(60)), ("--label_column", "mood"), "mood"),
        ("".join(f"text {n},{'ab'[n % 2]}\n" for n in range(60)), ("--output", "data.csv"), "did not write it"),
        ("".join(f"text {n},{'ab'[n % 2]}\n" for n in range(60)), ("--output", "review.txt"), "is no CSV"),
        ("".join(f"text {n},{'ab'[n % 2]}\n" for n in range(60)), ("--output", "none/review.csv"), "no folder none"),
    ],
)  # fmt: skip
def test_what_cannot_be_doubted_is_one_message(
    rows: str, flags: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = write("data.csv", ("text,label\n" if rows else "") + rows)
    before = Path(name).read_bytes()
    assert ended("--dataset", name, *flags) == 1
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told
    assert Path(name).read_bytes() == before and {path.name for path in Path().iterdir()} == {"data.csv"}


def test_a_run_is_judged_by_its_model_too_and_its_report_shows_test_rows(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "report.html"}
    assert "Which labels are wrong?" not in (run / "report.html").read_text()
    assert ended(str(run), "--output", "review.csv") == 0
    found, page = json.loads((run / FILE).read_text()), (run / "report.html").read_text()
    assert found["labels"] == 240 and "Which labels are wrong?" in page
    assert all(row["split"] == "test" and row["judge"] == "both" for row in found["rows"])
    assert {path: path.read_bytes() for path in kept} == kept, "figures, model and predictions are what they were"
    assert f"Report: {run / 'report.html'}" in capsys.readouterr().out


def test_a_damaged_file_of_doubts_is_told(tmp_path: Path) -> None:
    from hfkit.report.page import page
    from hfkit.runs.run import Run

    run = write_run(tmp_path / "run")
    row = {"id": "test-3", "label": "positive", "suggested_label": "<b>negative", "suggested_probability": 0.97}
    content = {"labels": 2400, "wrong": {"value": 41.4, "low": 20.0, "high": 63.0}, "rows": [row]}
    (run / FILE).write_text(json.dumps(content))
    shown = page(Run(run))
    assert "About 41 of the 2,400 labels of all splits (20 to 63, 95 %)" in shown
    assert "&lt;b&gt;negative" in shown and "probability 0.970" in shown
    for other in ({"rows": [{"id": 1}]}, {"labels": float("inf")}, {"wrong": 41}):
        (run / FILE).write_text(json.dumps(content | other))
        with pytest.raises(HfkitError, match="holds what hfkit does not write"):
            page(Run(run))


def test_a_run_whose_data_changed_is_refused(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    info = json.loads((run / "run.json").read_text())
    changed = tmp_path / "changed.csv"
    changed.write_text(Path(info["config"]["dataset"]).read_text().replace("pos", "neg", 1))
    (run / "run.json").write_text(json.dumps(info | {"config": info["config"] | {"dataset": str(changed)}}))
    assert ended(str(run)) == 1
    assert "no longer those of the run" in capsys.readouterr().err
    assert ended("no-such-run") == 1
    assert "no-such-run is not there" in capsys.readouterr().err
