"""Run directories damaged by hand, or made to mean harm: report, compare, evaluate, predict and pipeline read them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guard import Case, cases, contents, refused, write

import hfkit
from hfkit.config import DataArguments
from hfkit.inference import predict_file
from hfkit.training.judging.judge import evaluate

RUN = Path("run")


def change(file: str, how: Callable[[Any], Any]) -> Callable[[], str]:
    def make() -> str:
        content = json.loads((RUN / file).read_text())
        found = how(content)
        (RUN / file).write_text(json.dumps(content if found is None else found))
        return str(RUN)

    return make


def info(**entries: Any) -> Callable[[], str]:
    return change("run.json", lambda content: content.update(entries))


def without(file: str, key: str) -> Callable[[], str]:
    return change(file, lambda content: content.pop(key) and None)


def file(name: str, content: str | bytes | None) -> Callable[[], str]:
    def make() -> str:
        if content is None:
            (RUN / name).unlink()
        else:
            write(f"run/{name}", content)
        return str(RUN)

    return make


def cut(name: str) -> Callable[[], str]:
    def make() -> str:
        data = (RUN / name).read_bytes()
        (RUN / name).write_bytes(data[: len(data) // 2])
        return str(RUN)

    return make


REPORTED = cases(
    ("run.json of nothing", file("run.json", ""), ("run.json",)),
    ("run.json cut off", cut("run.json"), ("run.json", "JSON")),
    ("run.json that is a list", file("run.json", "[]"), ("run.json", "object")),
    ("run.json that nests", file("run.json", "[" * 100_000), ("run.json", "nested")),
    ("run.json with endless digits", file("run.json", '{"state": ' + "9" * 5000 + "}"), ("run.json", "digits")),
    ("run.json that is no UTF-8", file("run.json", b'{"a": "\xff"}'), ("run.json",)),
    ("run.json without its data", without("run.json", "data"), ("run", "data")),
    ("run.json without its model", without("run.json", "model"), ("run", "model")),
    ("run.json without its settings", without("run.json", "task_settings"), ("run", "task_settings")),
    ("run.json without its config", without("run.json", "config"), ("run", "config")),
    ("run.json with a list for data", info(data=[]), ("run",)),
    ("run.json with a number for a model", info(model=7), ("run",)),
    ("run.json with one label of two", change("run.json", lambda c: c["task_settings"].update(labels=["neg"])),
     ("run",)),
    ("metrics.json of nothing", file("metrics.json", ""), ("metrics.json",)),
    ("metrics.json that is gone", file("metrics.json", None), ("run", "figures")),
    ("metrics.json without a figure", without("metrics.json", "accuracy"), ("run", "accuracy")),
    ("metrics.json of words", change("metrics.json", lambda c: c["accuracy"].update(value="high")), ("run",)),
    ("metrics.json of another problem", change("metrics.json", lambda c: c.update(problem_type="../../x")), ("run",)),
    ("a log line cut off", file("log.jsonl", '{"step": 1, "loss": 0.5}\n{"step": 2, "lo'),
     ("log.jsonl, line 2", "JSON")),
    ("a log line that is a list", file("log.jsonl", "[1]\n"), ("log.jsonl, line 1", "object")),
    ("a log line of words", file("log.jsonl", '{"step": "one", "loss": "much"}\n' * 3), ("run",)),
    ("a log of NULs", file("log.jsonl", b"\0" * 99), ("log.jsonl, line 1",)),
    ("predictions of nothing", file("predictions.parquet", b""), ("predictions.parquet",)),
    ("predictions cut off", cut("predictions.parquet"), ("predictions.parquet",)),
    ("predictions that are gone", file("predictions.parquet", None), ("predictions.parquet",)),
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, tiny_run: Path) -> Path:
    shutil.copytree(tiny_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("case", REPORTED)
def test_a_damaged_run_is_not_reported(case: Case, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(case, hfkit.write_report, capsys)


@pytest.mark.parametrize("case", REPORTED[:6:2] + REPORTED[7:9] + REPORTED[-3:])
def test_a_damaged_run_is_not_compared(
    case: Case, run: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(case, lambda path: str(hfkit.compare([str(tiny_run), path])), capsys)


def test_a_line_of_times_that_a_kill_cut_off_is_left_out(run: Path) -> None:
    with (run / "timing.jsonl").open("a") as stream:
        stream.write('{"step": 7, "sec')
    assert [line for line in hfkit.Run(run).timing() if "total_seconds" in line]
    hfkit.write_report(run)


EVALUATED = cases(
    ("run.json without settings", without("run.json", "task_settings"), ("run", "task_settings")),
    ("run.json without a config", without("run.json", "config"), ("run", "config")),
    ("run.json of no task", info(task="../../evil"), ("evil",)),
    ("settings of the wrong kind", info(task_settings={"labels": 7}), ("run",)),
    ("settings of a list", info(task_settings=[]), ("run",)),
    ("a config of the wrong kind", info(config={"per_device_eval_batch_size": "many"}), ("run",)),
    ("a model that is gone", lambda: (shutil.rmtree(RUN / "model"), str(RUN))[1], ("run",)),
)


@pytest.mark.parametrize("case", EVALUATED)
def test_a_damaged_run_is_not_evaluated(case: Case, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("new.csv", "text,label\na warm film,pos\na cold film,neg\n")
    refused(case, lambda path: evaluate(path, DataArguments("new.csv")), capsys)


def test_a_run_cannot_grant_itself_trust(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run from elsewhere says trust_remote_code in its run.json, and brings the code."""
    write("new.csv", "text,label\na warm film,pos\na cold film,neg\n")

    def make() -> str:
        write("run/model/evil.py", "open('ran', 'w')")
        asks = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}}
        change("model/config.json", lambda content: content.update(asks))()
        return change("run.json", lambda content: content["config"].update(trust_remote_code=True))()

    case = Case("trust", make, ("Python code",))
    refused(case, lambda path: evaluate(path, DataArguments("new.csv")), capsys)
    refused(case, lambda path: predict_file(path, "new.csv", "out.csv"), capsys)
    assert not Path("ran").exists()


def test_the_name_of_a_data_set_does_not_lead_out_of_the_evaluations(run: Path) -> None:
    write("up/here/x", "")
    write("up/data.csv", "text,label\na warm film,pos\na cold film,neg\n")
    before = contents(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("up/here")
        evaluate(run, DataArguments(".."))
    assert {path: told for path, told in contents(run).items() if path in before} == before
    assert (run / "evaluations" / "data" / "metrics.json").is_file()


def test_a_report_overwrites_nothing_that_a_run_links_to(run: Path) -> None:
    Path("precious").write_text("mine")
    for name in (".report.html.tmp", ".README.md.tmp", ".run.json.tmp", "report.html"):
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to("../precious")
    hfkit.write_report(run)
    assert Path("precious").read_text() == "mine"
    assert (run / "report.html").is_file() and not (run / "report.html").is_symlink()
