"""monitor: a run's looks at new rows: quiet on its own kind, awake on another, and honest about what it cannot know."""

import csv
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from words import review

from hfkit.base.untrusted import read_json_file
from hfkit.cli import main

Captured = pytest.CaptureFixture[str]


def hfkit(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code if isinstance(ended.value.code, int) else 0


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("review", "sentiment"), *rows])
    return path


def made(seed: int, count: int, good: float = 0.5) -> list[tuple[str, str]]:
    rng = random.Random(seed)
    labels = [rng.random() < good for _ in range(count)]
    return [(review(rng.randrange(10_000), label), "pos" if label else "neg") for label in labels]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A run of 700 made reviews, of which 200 validate it and 100 test it; read-only."""
    folder = tmp_path_factory.mktemp("watched")
    data = write(folder / "reviews.csv", made(0, 700))
    flags = f"--dataset {data} --model {tiny_bert} --output_dir {folder / 'run'} --learning_rate 5e-3 --max_length 32"
    more = "--validation_size 0.3 --test_size 0.15 --num_train_epochs 1 --disable_tqdm --use_cpu"
    assert hfkit("train", *flags.split(), *more.split()) == 0
    return folder / "run"


def look(run: Path, rows: Path, *more: object) -> tuple[int, dict[str, Any]]:
    status = hfkit("monitor", run, "--input", rows, "--output", "watch", "--disable_tqdm", *more)
    return status, read_json_file(Path("watch/monitor.json"))


def drifted(found: dict[str, Any]) -> set[str]:
    return {one["name"] for one in found["shifts"] if one["drifted"]}


def test_rows_of_its_own_kind_are_quiet(run: Path, tmp_path: Path, capsys: Captured) -> None:
    status, found = look(run, write(tmp_path / "new.csv", made(5000, 150)))
    told = capsys.readouterr().out
    assert status == 0 and not found["drift"] and drifted(found) == set()
    assert {one["name"] for one in found["shifts"]} == {"answers", "confidence", "length", "pieces", "contents"}
    assert found["estimated_accuracy"]["holds"] and "Estimated accuracy, without labels" in told
    page = Path("watch/monitor.html").read_text()
    assert "Quiet: these rows" in page and page.count("<svg") == 1 and "<script" not in page
    assert parquet.read_metadata("watch/answers.parquet").num_rows == 150
    assert not Path("watch/rows_to_label.csv").exists()


def test_another_kind_is_drift_and_an_estimate_is_none(run: Path, tmp_path: Path, capsys: Captured) -> None:
    rows = [(f"zug {at} fährt nach Berlin, 100 % <b>sicher</b>", "pos") for at in range(300)]
    status, found = look(run, write(tmp_path / "new.csv", rows))
    told = capsys.readouterr().out
    assert status == 3 and found["drift"] and {"contents", "pieces"} <= drifted(found)
    assert not found["estimated_accuracy"]["holds"] and "an estimate is none: it would say" in told
    assert (
        found["rows_to_label"] == 300
        and "Label the 300 rows of rows_to_label.csv: they tell it to within 5.7 points" in told
    )
    with Path("watch/rows_to_label.csv").open(encoding="utf-8") as file:
        asked = list(csv.DictReader(file))
    assert [row["row"] for row in asked] == [str(at) for at in range(1, 301)] and asked[0]["label"] in ("pos", "neg")
    assert "an estimate is none" in Path("watch/monitor.html").read_text()


def test_class_shares_that_change_are_seen_and_estimated(run: Path, tmp_path: Path) -> None:
    status, found = look(run, write(tmp_path / "new.csv", made(5000, 400, good=0.2)))
    assert status == 3 and "answers" in drifted(found)
    value, low, high = found["class_shares"]["pos"]
    assert low <= value <= high and abs(value - 0.2) < 0.08


def test_labels_that_somebody_gave_are_counted(run: Path, tmp_path: Path, capsys: Captured) -> None:
    rows = made(5000, 200)
    status, found = look(run, write(tmp_path / "new.csv", rows), "--label_column", "sentiment")
    assert status == 0 and found["accuracy"]["n"] == 200 and found["accuracy"]["value"] > 0.9
    permuted = [(text, "neg" if label == "pos" else "pos") for text, label in rows]
    permuted[0] = (permuted[0][0], "")
    status, found = look(run, write(tmp_path / "permuted.csv", permuted), "--label_column", "sentiment")
    assert status == 3 and drifted(found) == {"accuracy"} and found["accuracy"]["n"] == 199
    assert found["rows_to_label"] == 0 and "on 199 labelled rows" in capsys.readouterr().out


def test_looks_add_up_and_a_growing_file_goes_on(run: Path, tmp_path: Path, capsys: Captured) -> None:
    rows = made(5000, 220)
    grown = write(tmp_path / "new.csv", rows[:120])
    assert look(run, grown)[1]["alpha"] == pytest.approx(0.025)
    assert look(run, grown)[0] == 1, "the same bytes once more"
    assert "looked at before, as it is" in capsys.readouterr().err
    assert look(run, grown, "--since", "last")[0] == 1
    assert "No row came since the last look" in capsys.readouterr().err
    write(grown, rows)
    status, found = look(run, grown, "--since", "last")
    assert status == 0 and (found["look"], found["rows"]) == (2, 100)
    assert found["alpha"] == pytest.approx(0.05 / 6)
    write(grown, [("other", "pos"), *rows])
    assert look(run, grown, "--since", "last")[0] == 1
    assert "are not those of the last look" in capsys.readouterr().err
    assert len(Path("watch/history.jsonl").read_text().splitlines()) == 2


def test_a_calibrated_run_is_held_against_calibrated_rows(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "true")
    rows = write(tmp_path / "new.csv", made(5000, 150))
    before = look(run, rows)[1]
    assert hfkit("calibrate", tmp_path / "true") == 0
    shutil.rmtree("watch")
    status, found = look(tmp_path / "true", rows)
    claims = [next(one for one in each["shifts"] if one["name"] == "confidence") for each in (before, found)]
    assert status == 0 and claims[1]["was"] != claims[0]["was"]
    assert abs(claims[1]["was"] - claims[1]["now"]) < 0.02, "both are what the calibrated model claims"


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        ("review,sentiment\n", "", "has a header and no rows"),
        ("", "", "empty"),
        ("review,sentiment\na film,good\n", "--label_column sentiment", "labels that the model does not know: good"),
        ("review,sentiment\na film,pos\n", "--label_column mood", "There is no column 'mood'"),
        ("note,sentiment\na film,pos\n", "--text_column review", "There is no column 'review'"),
        ("review,sentiment\na film,pos\n", "--since last", "No look at"),
    ],
)
def test_what_is_wrong_is_one_message(
    run: Path, tmp_path: Path, capsys: Captured, text: str, more: str, says: str
) -> None:
    (tmp_path / "new.csv").write_text(text)
    status = hfkit("monitor", run, "--input", "new.csv", "--output", "watch", "--disable_tqdm", *more.split())
    error = capsys.readouterr().err
    assert status == 1 and says in error and "Traceback" not in error
    assert not Path("watch/monitor.json").exists() and not Path("watch/history.jsonl").exists()


def test_a_run_of_something_else_is_refused(tiny_run: Path, run: Path, tmp_path: Path, capsys: Captured) -> None:
    rows = write(tmp_path / "new.csv", made(5000, 60))
    shutil.copytree(run, tmp_path / "old")
    (tmp_path / "old" / "validation.parquet").unlink()
    assert hfkit("monitor", "old", "--input", rows, "--disable_tqdm") == 1
    assert "no validation predictions" in capsys.readouterr().err
    assert hfkit("monitor", tiny_run, "--input", rows, "--output", "watch", "--disable_tqdm") == 1
    assert "validation rows are too few" in capsys.readouterr().err
