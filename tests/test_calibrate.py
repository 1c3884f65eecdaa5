"""`hfkit calibrate` and `hfkit evaluate --split validation`, from a run's files to what its model then answers."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import run_fixture
from run_fixture import write_run

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.cli.calibrate import calibrate
from hfkit.evaluation.metric import as_array
from hfkit.evaluation.stats import intervals
from hfkit.inference import predict_file
from hfkit.report import write_report
from hfkit.runs.run import Run
from hfkit.training.judging import test_split

WRITTEN = ("predictions.parquet", "metrics.json", "model/config.json", "run.json")


def too_sure(table: pa.Table, power: float = 4) -> pa.Table:
    """The same answers, each claimed as if the logits were `power` times as large."""
    shares = as_array(table["probabilities"]).astype(np.float64) ** power
    if as_array(table["label"]).ndim == 2:
        shares /= shares + (1 - as_array(table["probabilities"])) ** power
    else:
        shares /= shares.sum(axis=1, keepdims=True)
    values = pa.array(list(shares.astype(np.float32)), type=table["probabilities"].type)
    return table.set_column(table.column_names.index("probabilities"), "probabilities", values)


def made(path: Path, problem: str = "single_label_classification", rows: int = 300, **more: Any) -> Path:
    """A finished run that is too sure, with validation rows and a model's config."""
    write_run(path, problem, skill=1.0, **more)
    names, run = more.get("names") or run_fixture.NAMES[problem], Run(path)
    test = run.predictions()
    if problem != "regression":
        test = too_sure(test)
        parquet.write_table(
            too_sure(run_fixture._predictions(problem, names, rows, 1.0, 7)), path / test_split.VALIDATION
        )
    parquet.write_table(test, path / "predictions.parquet")
    old = run.metrics
    answers = {name: {"prediction": as_array(test[f"baseline_{name}"])} for name in old["baselines"]}
    figures = intervals(test, run.info["task_settings"], answers, seed=run.config["seed"])
    kept = {name: old[name] for name in ("split", "parameters")}
    (path / "metrics.json").write_text(json.dumps(figures | kept, indent=2, ensure_ascii=False) + "\n")
    (path / "model").mkdir()
    config = {"hfkit": {"task": "text-classification"}, "model_type": "bert"}
    (path / "model" / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    run.update(files=test_split.files(run))
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in WRITTEN}


def test_probabilities_become_true_and_no_label_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "run")
    before, rows = Run(path).metrics, Run(path).predictions()
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", str(path)])
    assert ended.value.code == 0
    after, found = Run(path).metrics, Run(path).predictions()
    assert after["ece"]["value"] <= 0.6 * before["ece"]["value"] and before["ece"]["value"] > 0.03
    assert after["log_loss"]["high"] < before["log_loss"]["value"]
    assert after["uncalibrated"]["ece"] == pytest.approx(before["ece"])
    for name in ("accuracy", "f1_macro", "baselines", "parameters", "split"):
        assert after[name] == before[name]
    assert found["prediction"] == rows["prediction"]
    assert found["uncalibrated_probabilities"] == rows["probabilities"]
    kept = json.loads((path / "model" / "config.json").read_text())["hfkit"]["calibration"]
    assert kept == Run(path).info["task_settings"]["calibration"]
    assert kept["method"] == "temperature" and kept["temperature"] == pytest.approx(4, rel=0.2)
    told = capsys.readouterr().out
    assert "no label changed" in told and "by 300 validation rows" in told
    page = (path / "report.html").read_text()
    assert "How much its confidence is off" in page and "has scaled the probabilities on the validation rows" in page
    assert "the same labels, with probabilities that are not calibrated" in (path / "README.md").read_text()
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path)])
    assert ended.value.code == 0


def test_a_finished_run_says_what_calibration_would_make_of_it(tmp_path: Path) -> None:
    path = made(tmp_path / "run")
    write_report(path)
    page = (path / "report.html").read_text()
    assert "What <code>hfkit calibrate" in page and "300 validation rows, each scaled by what the others say" in page
    (path / test_split.VALIDATION).unlink()
    write_report(path)
    assert "How much its confidence is off" not in (path / "report.html").read_text()


def test_twice_is_once_and_undone_is_as_it_was(tmp_path: Path) -> None:
    path = made(tmp_path / "run")
    write_report(path)
    before, rows = contents(path), Run(path).predictions()
    calibrate(path)
    once = contents(path)
    calibrate(path)
    assert contents(path) == once != before
    calibrate(path, undo=True)
    undone = contents(path)
    assert Run(path).predictions() == rows
    assert {name: undone[name] == before[name] for name in WRITTEN[1:3]} == dict.fromkeys(WRITTEN[1:3], True)
    calibrate(path)
    assert contents(path) == once


def test_test_labels_choose_nothing(tmp_path: Path) -> None:
    found = []
    for name in ("as they are", "shuffled"):
        path = made(tmp_path / name)
        table = Run(path).predictions()
        if name == "shuffled":
            labels = pa.array(np.random.default_rng(0).permutation(table["label"].to_numpy()))
            table = table.set_column(table.column_names.index("label"), "label", labels)
            parquet.write_table(table, path / "predictions.parquet")
        found.append(calibrate(path, optimize="f1"))
    assert found[0] == found[1] and found[0] is not None


@pytest.mark.parametrize("fails", [1, 3, 4])
def test_a_write_that_fails_leaves_the_run_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    path = made(tmp_path / "run")
    before, files = contents(path), sorted(path.rglob("*"))
    replace, calls = Path.replace, []

    def broken(self: Path, target: Any) -> Any:
        calls.append(self)
        if len(calls) == fails:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(HfkitError, match="cannot be written"):
        calibrate(path)
    assert contents(path) == before and sorted(path.rglob("*")) == files


def test_several_labels_keep_their_answers_until_thresholds_are_asked_for(tmp_path: Path) -> None:
    path = made(tmp_path / "run", "multi_label_classification")
    rows = as_array(Run(path).predictions()["prediction"])
    calibrate(path)
    assert (as_array(Run(path).predictions()["prediction"]) == rows).all()
    found = calibrate(path, optimize="f1")
    assert found is not None
    table = Run(path).predictions()
    assert (as_array(table["uncalibrated_prediction"]) == rows).all()
    expected = as_array(table["probabilities"]) >= np.float32(found["thresholds"])
    assert (as_array(table["prediction"]) == expected).all() and (expected != rows).any()
    assert "the likeliest label, whatever was chosen instead" in (path / "README.md").read_text()


def test_costs_choose_what_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, table = made(tmp_path / "run"), tmp_path / "costs.csv"
    table.write_text("truth,negative,positive\npositive,20,0\nnegative,0,1\n")
    found = calibrate(path, optimize="cost", costs=table)
    assert found is not None and found["costs"] == [[0.0, 1.0], [20.0, 0.0]] and "promised" not in found
    rows = Run(path).predictions()
    shares = as_array(rows["probabilities"])[:, 1]
    answered = rows["prediction"].to_numpy()
    assert ((shares > 1 / 21) == answered)[abs(shares - 1 / 21) > 1e-6].all()
    assert (answered != rows["uncalibrated_prediction"].to_numpy()).sum() > 0
    assert "labels of 400 test rows changed" in capsys.readouterr().out


def refused(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 1


def test_runs_that_cannot_be_calibrated_are_told_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = made(tmp_path / "number", "regression")
    several = made(tmp_path / "several", "multi_label_classification")
    old, few, one, seen, words = (made(tmp_path / name) for name in ("old", "few", "one", "seen", "words"))
    (old / test_split.VALIDATION).unlink()
    rows = parquet.read_table(few / test_split.VALIDATION)
    parquet.write_table(rows.slice(0, 49), few / test_split.VALIDATION)
    same = pa.array(np.zeros(len(rows), dtype=int))
    place = rows.column_names.index("label")
    parquet.write_table(rows.set_column(place, "label", same), one / test_split.VALIDATION)
    from datasets import Dataset

    learnt = test_split.digests(Dataset.from_dict({"text": [run_fixture.TEXTS[0].upper()]}))
    parquet.write_table(pa.table({"text": learnt}), seen / test_split.SEEN)
    Run(words).update(task="text-generation", task_settings={"name": "text-generation"})
    costs = tmp_path / "costs.csv"
    costs.write_text("label,missed,wrong\nplot,1,2\nacting,1,x\nmusic,1,1\n")
    for arguments, what in (
        ((number,), "answers with a number, which has no probability"),
        ((words,), "A model for text-generation gives no label of a whole row"),
        ((old,), "hfkit evaluate"),
        ((few,), "49 validation rows, and a calibration needs at least 50"),
        ((one,), "have the same label"),
        ((seen,), "100 of the 300 validation rows stood in training"),
        ((several, "--method", "isotonic"), "of one label each"),
        ((several, "--optimize", "cost"), "go together"),
        ((several, "--optimize", "cost", "--costs", costs), "A cost is no number from 0 up"),
        ((old.parent / "none",), "is not there"),
    ):
        refused("calibrate", *map(str, arguments))
        told = capsys.readouterr().err
        assert what in told and "Traceback" not in told, arguments
    costs.write_text("truth,negative,good\nnegative,0,1\ngood,1,0\n")
    (few / test_split.VALIDATION).unlink()
    parquet.write_table(rows, few / test_split.VALIDATION)
    refused("calibrate", str(few), "--optimize", "cost", "--costs", str(costs))
    assert "a row for each of negative, positive" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: list[tuple[str, str]]) -> Path:
    """A run on the made reviews, some with the wrong label, 76 of them for validation; its data beside it."""
    folder = tmp_path_factory.mktemp("calibrated")
    lines = [f'"{text}",{label if at % 10 else "pos"}\n' for at, (text, label) in enumerate(reviews)]
    (folder / "reviews.csv").write_text("review,sentiment\n" + "".join(lines))
    flags = f"--dataset {folder / 'reviews.csv'} --model {tiny_bert} --output_dir {folder / 'run'} --max_length 32"
    flags += " --learning_rate 3e-3 --num_train_epochs 8 --validation_size 0.35 --mixed_precision no --disable_tqdm"
    with pytest.raises(SystemExit) as ended:
        main(["train", *flags.split()])
    assert ended.value.code == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


def test_an_old_run_gets_its_validation_rows_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (run / test_split.VALIDATION).read_bytes()
    calibrate(run)
    (run / test_split.VALIDATION).unlink()
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(run), "--split", "validation"])
    assert ended.value.code == 0
    assert (run / test_split.VALIDATION).read_bytes() == kept  # as the model itself says, calibrated or not
    assert "on its validation rows" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(run)])
    assert ended.value.code == 0


def test_other_data_are_no_validation_rows(run: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, csv_file = (run / test_split.VALIDATION).read_bytes(), trained / "reviews.csv"
    text = csv_file.read_text()
    csv_file.write_text(text + '"a new one",neg\n')
    try:
        refused("evaluate", str(run), "--split", "validation")
        assert "has other rows than" in capsys.readouterr().err
        csv_file.unlink()
        refused("evaluate", str(run), "--split", "validation")
        assert "reviews.csv" in capsys.readouterr().err
    finally:
        csv_file.write_text(text)
    assert (run / test_split.VALIDATION).read_bytes() == kept
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(run), "--split", "validation", "--dataset", "demo:imdb"])
    assert ended.value.code == 2


def answers(run: Path, texts: list[str], **options: Any) -> list[Any]:
    classify = hfkit.pipeline(run, device="cpu", mixed_precision="no")
    found: list[Any] = classify(texts, **options)
    return found


def test_the_pipeline_answers_with_the_calibrated_probabilities(run: Path) -> None:
    texts = Run(run).predictions()["text"].to_pylist()
    before, logits = answers(run, texts), answers(run, texts, top_k=None, function_to_apply="none")
    calibrate(run, method="temperature")
    after, every = answers(run, texts), answers(run, texts, top_k=None)
    table = Run(run).predictions()
    assert [one["label"] for one in after] == [one["label"] for one in before]
    assert {one["label"] for one in after} == {"neg", "pos"}
    claimed = as_array(table["probabilities"]).max(axis=1)
    assert np.allclose([one["score"] for one in after], claimed, atol=1e-6)
    assert not np.allclose([one["score"] for one in before], claimed, atol=0.01)
    assert [one[0] for one in every] == after and np.allclose([sum(a["score"] for a in one) for one in every], 1)
    assert answers(run, texts, top_k=None, function_to_apply="none") == logits
    new = Path(run / "new.csv")
    new.write_text("review,sentiment\n" + "".join(f'"{text}",neg\n' for text in texts))
    from hfkit.config import DataArguments
    from hfkit.training.judging.judge import evaluate

    figures = evaluate(run, DataArguments(dataset=str(new)))
    seen = parquet.read_table(run / "evaluations" / "new" / "predictions.parquet")
    assert np.allclose(as_array(seen["probabilities"]).max(axis=1), claimed, atol=2e-3)  # in bf16
    assert figures["ece"]["n"] == 24


def rule(run: Path, **calibration: Any) -> None:
    """Put a calibration into the model's config, as `hfkit calibrate` does."""
    place = run / "model" / "config.json"
    config = json.loads(place.read_text())
    config["hfkit"]["calibration"] = calibration
    place.write_text(json.dumps(config))


def test_the_label_that_thresholds_choose_comes_first(run: Path) -> None:
    texts = Run(run).predictions()["text"].to_pylist()
    rule(run, method="none", thresholds=[0.999999, 0.000001])
    assert {one["label"] for one in answers(run, texts)} == {"pos"}
    assert [one["label"] for one in answers(run, texts, top_k=None)[0]] == ["pos", "neg"]


@pytest.mark.parametrize(
    "calibration",
    [{"method": "temperature", "temperature": 0}, {"temperature": 2}, {"method": "none", "thresholds": [1, 2, 3]}],
)
def test_a_calibration_that_somebody_broke_is_refused(run: Path, calibration: dict[str, Any]) -> None:
    rule(run, **calibration)
    with pytest.raises(HfkitError, match="calibration cannot be read"):
        hfkit.pipeline(run, device="cpu")


def wrote(run: Path, *flags: str) -> list[dict[str, str]]:
    texts = Run(run).predictions()["text"].to_pylist()
    (run / "in.csv").write_text("review\n" + "".join(f'"{text}"\n' for text in texts))
    words = ["predict", str(run), "--input", str(run / "in.csv"), "--output", str(run / "out.csv"), *flags]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    with (run / "out.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_answers_that_are_not_sure_enough_are_left_empty_and_counted(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = wrote(run)
    middle = sorted(float(row["score"]) for row in plain)[12]
    capsys.readouterr()
    found = wrote(run, "--min_confidence", repr(middle))
    told = capsys.readouterr().err
    assert [row["label"] for row in found] == [row["label"] if float(row["score"]) >= middle else "" for row in plain]
    assert [row["score"] for row in found] == [row["score"] for row in plain]
    unsure = sum(float(row["score"]) < middle for row in plain)
    assert f"without an answer {unsure}" in told and unsure > 5 and "hfkit calibrate RUN makes them true" in told


def test_promises_and_sets_need_a_calibration_and_follow_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (("--accuracy", "0.9"), ("--sets", "0.9")):
        refused("predict", str(run), "--input", str(run / "metrics.json"), *flags)
        capsys.readouterr()
    plain = wrote(run)
    known = [[0.9, 0.97, 0.1], [0.8, 0.92, 0.5]] + [[0.5, 0.6, 1.0]] * 18
    sets = {"lac": [0.45] * 50, "aps": [None] * 50}
    rule(run, method="temperature", temperature=100.0, promised=known, sets=sets)
    own = [float(row["score"]) for row in plain]  # the model's own, by which both are
    capsys.readouterr()
    found = wrote(run, "--accuracy", "0.9", "--sets", "0.9")
    assert "about 50 % of rows like the validation's are answered" in capsys.readouterr().err
    assert [bool(row["label"]) for row in found] == [one >= 0.8 for one in own]
    assert [json.loads(row["labels"]) for row in found] == [
        [r["label"]] * (o > 0.55) for r, o in zip(plain, own, strict=True)
    ]
    every = wrote(run, "--sets", "0.9", "--set_method", "aps")
    assert all(sorted(json.loads(row["labels"])) == ["neg", "pos"] for row in every)
    classify = hfkit.pipeline(run, device="cpu")
    for asked, what in (
        ({"accuracy": 0.99}, "ask for 0.92 or less"),
        ({"sets": 1.5}, "is no share"),
        ({"sets": 0.9, "set_method": "raps"}, "There is no --set_method raps"),
    ):
        with pytest.raises(HfkitError) as error:
            predict_file(classify, run / "in.csv", run / "out.csv", **asked)
        assert what in str(error.value)
    rule(run, method="none", thresholds=[0.5, 0.5])
    with pytest.raises(HfkitError, match="its thresholds were chosen on the rows"):
        predict_file(run, run / "in.csv", run / "out.csv", accuracy=0.9)


def test_an_image_classifier_is_calibrated_too(tmp_path: Path) -> None:
    """The task's settings and config keep it, and its answers follow."""
    import torch

    from hfkit.tasks.image_classification.task import ImageClassification

    task = ImageClassification(["a", "b"]).calibrated({"method": "temperature", "temperature": 2.0})
    assert ImageClassification.from_settings(json.loads(json.dumps(task.settings()))) == task
    assert task.reading()["calibration"] == {"method": "temperature", "temperature": 2.0}
    assert "calibration" not in task.calibrated(None).reading()
    logits = torch.tensor([[4.0, 0.0]])
    assert task.predictions(logits)["probabilities"][0, 0].item() == pytest.approx(1 / (1 + np.exp(-2)))


def test_of_several_labels_each_says_whether_it_holds(tiny_bert: Path, tmp_path: Path) -> None:
    from test_predict import MULTI, classifier

    classify = classifier(tiny_bert, ["a", "b", "c"], MULTI)
    lines = {"method": "platt", "scale": [1.0] * 3, "offset": [0.0] * 3, "thresholds": [0.0, 1.0, 0.5]}
    classify.reading = classify.reading.calibrated(lines)
    found = {one["label"]: one for one in classify("a film", top_k=None)}
    holding = {name: one["holds"] for name, one in found.items()}
    assert holding == {"a": True, "b": False, "c": found["c"]["score"] >= 0.5}
    (tmp_path / "in.csv").write_text("text\na film\n")
    predict_file(classify, tmp_path / "in.csv", tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert sorted(row["label"]) == sorted(name for name, held in holding.items() if held)
    with pytest.raises(HfkitError, match="any number of labels"):
        predict_file(classify, tmp_path / "in.csv", tmp_path / "out.jsonl", accuracy=0.9)
