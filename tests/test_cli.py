"""The command hfkit, as a user gives it: exit statuses, messages, and what is on disk afterwards."""

import csv
import dataclasses
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import in_child

from hfkit.cli import runs
from hfkit.cli.command import demo_of, main
from hfkit.cli.launch import exit_cleanly
from hfkit.config import TrainConfig
from hfkit.config.parsing import parse
from hfkit.runs.run import _HELD, Run, claim, held
from hfkit.tasks import discover

RECIPES = Path(__file__).parents[1] / "recipes"
Captured = pytest.CaptureFixture[str]


def hfkit(*arguments: object) -> int:
    """Run a command in this process and return its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 0


def test_train_leaves_a_whole_run(tiny_run: Path) -> None:
    names = {path.name for path in tiny_run.iterdir()}
    assert {"run.json", "log.jsonl", "timing.jsonl", "model", "predictions.parquet", "metrics.json"} <= names
    assert {"report.html", "README.md"} <= names
    facts = json.loads((tiny_run / "run.json").read_text())
    assert facts["state"] == "finished"
    assert facts["task_settings"]["labels"] == ["neg", "pos"]
    assert json.loads((tiny_run / "metrics.json").read_text())["accuracy"]["value"] > 0.9


@pytest.mark.parametrize("task", discover.names())
def test_every_task_has_a_demo(task: str) -> None:
    for flags in (["--task", task, "--demo"], ["--demo", f"--task={task}"]):
        config = parse(TrainConfig, demo_of(flags), flags)
        assert (config.task, config.model, config.dataset) == (
            task,
            *map(discover.find(task).demo.get, ("model", "dataset")),
        )
        assert config.model.startswith(("demo:", "baseline:"))


@pytest.mark.parametrize(
    ("recipe", "task"), [("resnet_cifar10", "image-classification"), ("gpt2_wikitext", "text-generation")]
)
def test_the_command_and_the_recipe_have_one_demo(recipe: str, task: str) -> None:
    module = runpy.run_path(str(RECIPES / f"{recipe}.py"))
    (config_class,) = (each for each in module.values() if isinstance(each, type) and issubclass(each, TrainConfig))
    theirs = parse(config_class, module["DEMO"], ["--demo"])
    ours = parse(TrainConfig, dict(discover.find(task).demo), ["--task", task, "--demo"])
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)


def test_predict_writes_a_file_with_every_column(tiny_run: Path, tmp_path: Path, capfd: Captured) -> None:
    (tmp_path / "in.csv").write_text('id,review\n7,"a wonderful, moving film"\n8,an awful boring film\n')
    assert hfkit("predict", tiny_run, "--input", "in.csv", "--output", "out.csv", "--disable_tqdm") == 0
    assert capfd.readouterr().err.endswith("2 rows written to out.csv: pos 1, neg 1\n")
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [(row["id"], row["label"]) for row in rows] == [("7", "pos"), ("8", "neg")]
    assert all(0.5 <= float(row["score"]) <= 1 for row in rows)


def test_predict_reads_lines(tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: Captured) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"brilliant superb film\ntired hollow film\n")))
    assert hfkit("predict", tiny_run, "--input", "-", "--disable_tqdm") == 0
    lines = capfd.readouterr().out.split("\n")
    assert [line.split("\t")[0] for line in lines[:2]] == ["pos", "neg"]


def test_evaluate_on_other_data(tiny_run: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "new.csv").write_text("review,sentiment\na superb film,pos\na dreadful film,neg\na warm story,pos\n")
    assert hfkit("evaluate", tiny_run, "--dataset", "new.csv", "--output", "figures") == 0
    figures = json.loads((tmp_path / "figures" / "metrics.json").read_text())
    assert figures["accuracy"]["n"] == 3
    assert figures["accuracy"]["low"] <= figures["accuracy"]["value"] <= figures["accuracy"]["high"]
    assert figures["seen_in_training"] == 0
    assert "\n0 of the 3 texts stood in training.\n" in capsys.readouterr().out


def test_evaluate_reads_the_columns_that_the_run_has_read(tiny_run: Path, tmp_path: Path) -> None:
    rows = "a,x,a superb film,pos\nb,y,a dreadful film,neg\nc,y,a warm story,pos\n"
    (tmp_path / "new.csv").write_text(f"text,label,review,sentiment\n{rows}")
    assert hfkit("evaluate", tiny_run, "--dataset", "new.csv", "--output", "figures") == 0
    assert json.loads((tmp_path / "figures" / "metrics.json").read_text())["accuracy"]["n"] == 3


def test_evaluate_says_how_much_it_knows_from_training(tiny_run: Path, capsys: Captured) -> None:
    facts = json.loads((tiny_run / "run.json").read_text())
    learnt = facts["data"]["splits"]["train"]["rows"]
    assert hfkit("evaluate", tiny_run, "--dataset", tiny_run.parent / "reviews.csv", "--output", "figures") == 0
    assert json.loads(Path("figures/metrics.json").read_text())["seen_in_training"] == learnt
    assert f"{learnt} of the 240 texts stood in training, so these figures flatter" in capsys.readouterr().out


def test_report_is_made_again_from_files(tiny_run: Path, tmp_path: Path, capsys: Captured) -> None:
    copy = tmp_path / tiny_run.name  # a run is called what its folder is
    shutil.copytree(tiny_run, copy)
    (copy / "report.html").unlink()
    assert hfkit("report", copy) == 0
    again = (copy / "report.html").read_text().replace(str(copy), str(tiny_run))
    assert again == (tiny_run / "report.html").read_text()
    assert "TF-IDF" in capsys.readouterr().out


def test_labels_and_texts_of_strangers_move_no_cursor(tiny_bert: Path, tmp_path: Path, capfd: Captured) -> None:
    labels = ("\x1b[2Jbad", "go\u202eod\x9b")
    rows = [[f"a film\x1b[31m number {row}", labels[row % 2]] for row in range(30)]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "label"], *rows])
    flags = ["--dataset", "in.csv", "--model", tiny_bert, "--max_length", 16, "--max_steps", 1, "--disable_tqdm"]
    assert hfkit("train", *flags, "--output_dir", "one") == 0
    assert hfkit("train", *flags, "--output_dir", "two", "--seed", 1) == 0
    assert hfkit("predict", "one", "--input", "in.csv", "--disable_tqdm") == 0
    assert hfkit("evaluate", "one", "--dataset", "in.csv") == 0
    assert hfkit("compare", "one", "two") == 0
    (tmp_path / "new.csv").write_text("text,label\na film,\x1b[31mnew\nb film,\x1b[32mold\n")
    assert hfkit("evaluate", "one", "--dataset", "new.csv") == 1
    shown = "".join(capfd.readouterr())
    assert shown.count("\ufffd[2Jbad") > 3
    assert re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown.replace("\t", "")) == []


def test_compare_ranks_runs(tiny_run: Path, tmp_path: Path, capsys: Captured) -> None:
    shutil.copytree(tiny_run, tmp_path / "other")
    assert hfkit("compare", tiny_run, tmp_path / "other", "--output", "compared") == 0
    said = capsys.readouterr().out
    assert "accuracy" in said and "Written to compared/compare.html" in said
    assert json.loads((tmp_path / "compared" / "compare.json").read_text())["ranking"]
    assert (tmp_path / "compared" / "compare.html").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "nowhere"),
        ("evaluate", "nowhere", "--dataset", "x.csv"),
        ("predict", "nowhere/at/all", "--input", "x.csv", "--output", "y.csv"),
        ("compare", "nowhere", "elsewhere"),
        ("train", "--dataset", "missing.csv"),
    ],
)
def test_a_mistake_ends_with_1_and_one_message(arguments: tuple[str, ...], tmp_path: Path, capsys: Captured) -> None:
    assert hfkit(*arguments) == 1
    told = capsys.readouterr().err
    assert told.count("error: ") == 1
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("trian",),
        ("report",),
        ("predict", "run", "--inp", "x"),
        ("compare", "a", "--outp", "x"),
        ("evaluate", "run"),
        ("evaluate", "run", "--data", "x"),
        ("train", "--learning_r", "1"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], capsys: Captured) -> None:
    assert hfkit(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


NAMES = [
    ("report", "runs/bert_imbd"),
    ("push", "runs/bert_imbd", "me/it"),
    ("push-space", "bert_imbd", "me/it"),
    ("verify", "bert_imbd"),
    ("evaluate", "runs/bert_imbd", "--dataset", "x.csv"),
    ("compare", "runs/bert_imdb", "runs/bert_imbd"),
    ("predict", "runs/bert_imbd", "--input", "x.csv"),
    ("predict", "bert_imbd", "--input", "x.csv"),
    ("generate", "./bert_imbd", "--prompt", "x"),
    ("chat", "runs/bert_imbd"),
    ("demo", "runs/bert_imbd"),
    ("merge", "runs/bert_imbd"),
]


def test_a_wrong_name_is_told_before_anything_heavy_is_imported_and_the_nearest_run_named() -> None:
    claim(TrainConfig(), Path("runs/bert_imdb"), "x").update(state="finished")
    code = f"""import sys
from hfkit.cli import main
for arguments in {NAMES!r}:
    try: main(arguments)
    except SystemExit as ended: print(ended.code, *sorted({{"torch", "datasets", "accelerate"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1"] * len(NAMES)
    assert done.stderr.count("did you mean runs/bert_imdb?") == done.stderr.count("error: ") == len(NAMES)


WRONG_MODELS = {
    ("train", "--dataset", "x.csv", "--model", "baseline:lsmt"): "did you mean lstm",
    ("train", "--dataset", "x.csv", "--model", "baseline:lstm_ml", "--task", "text-generation"): "did you mean lstm_lm",
    ("train", "--dataset", "x.csv", "--model", "baseline:lenet", "--task", "image-classification"): "mean lenet5",
    ("train", "--dataset", "x.csv", "--model", "baseline:lstm", "--task", "text-clasification"): "text-classification",
    ("train", "--dataset", "x.csv", "--model", "demo:minilm6"): "did you mean minilm?",
    ("train", "--dataset", "x.csv", "--model", "./models/fimls"): "did you mean models/films?",
    ("train", "--dataset", "x.csv", "--model", "models/fimls/"): "did you mean models/films?",
    ("predict", "demo:minilm6", "--input", "x.csv"): "did you mean minilm?",
}


def test_a_model_that_there_is_not_is_told_before_torch_is_imported_and_the_nearest_named() -> None:
    Path("models/films").mkdir(parents=True)
    code = f"""import sys
from hfkit.cli import main
for arguments in {list(WRONG_MODELS)!r}:
    try: main(arguments)
    except SystemExit as ended: print(ended.code, *sorted({{"torch", "datasets", "accelerate"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1"] * len(WRONG_MODELS)
    for told, near in zip(done.stderr.split("error: ")[1:], WRONG_MODELS.values(), strict=True):
        assert near in told


def test_a_warning_of_a_library_is_one_line_without_its_source() -> None:
    code = """import sys, warnings
from hfkit.cli.launch import exit_cleanly
said = "lr_scheduler.step() comes first\\n (Triggered internally at /pytorch/aten/src/ATen/Context.cpp:84.)"
sys.exit(exit_cleanly(lambda: warnings.warn(said, UserWarning)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "warning: lr_scheduler.step() comes first\n"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"HFKIT_DEBUG": "1"}
    )
    assert "UserWarning" in told.stderr and ":4: " in told.stderr


def test_a_wrong_command_or_model_is_told_with_what_is_near(capsys: Captured) -> None:
    assert hfkit("trian", "--dataset", "x.csv") == 2
    assert "there is no command trian; did you mean train?" in capsys.readouterr().err
    claim(TrainConfig(), Path("out/bert_imdb"), "x").update(state="finished")
    for command in ("report", "out/bert_imbd"), ("predict", "out/bert_imbd", "--input", "x.csv"):
        assert hfkit(*command) == 1
        assert "did you mean out/bert_imdb?" in capsys.readouterr().err
    claim(TrainConfig(), Path("runs/bert_imdb"), "x").update(state="finished")
    assert hfkit("train", "--dataset", "x.csv", "--model", "runs/bert_imbd") == 1
    assert "did you mean runs/bert_imdb?" in capsys.readouterr().err


def test_train_asks_for_data_with_three_examples(capsys: Captured) -> None:
    for flags in ((), ("--model", "baseline:lstm"), ("--task=text-generation",)):
        assert hfkit("train", *flags) == 2
        said = capsys.readouterr().err
        assert "--dataset is missing" in said and said.count("\n  hfkit train ") == 3
    for line in said.splitlines()[1:4]:
        flags = shlex.split(line.split("   ")[0])[2:]
        assert parse(TrainConfig, demo_of(flags), flags).dataset


def test_what_a_killed_run_is_called_does_not_depend_on_who_is_asked(capsys: Captured) -> None:
    run = claim(TrainConfig(), Path("runs/killed"), "x")  # run.json says "running", and no process holds it
    assert run.info["state"] == "running" and run.state == "stopped" and "stopped" in repr(run)
    assert runs.state(run.path).startswith("stopped")
    others = (("evaluate", run.path, "--dataset", "x.csv"), ("predict", run.path, "--input", "x.csv"))
    for command in (("report", run.path), ("push", run.path, "me/it"), ("compare", run.path, run.path), *others):
        assert hfkit(*command) == 1
        said = capsys.readouterr().err
        assert "runs/killed is stopped" in said and "give its command again" in said
    run.hold()

    def asked_anew() -> None:
        _HELD.clear()  # which the child has from its parent
        assert held(run.path)

    try:
        assert run.state == Run(run.path).state == "running"
        assert hfkit("report", run.path) == 1
        said = capsys.readouterr().err
        assert "is running" in said and "wait for it to end" in said
        assert in_child(asked_anew) == 0, "asking has not lost the lock"
    finally:
        run.release()


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    claim(TrainConfig(), Path("anything"), "x").update(state="finished")
    monkeypatch.setattr("hfkit.report.write_report", interrupted)
    monkeypatch.setattr("hfkit.write_report", interrupted, raising=False)
    assert hfkit("report", "anything") == 130


def test_a_reader_that_has_seen_enough_ends_predict_quietly() -> None:
    # The command's own end, without the seconds that a model takes: answers go to a pipe that nobody reads.
    answers = "lambda *_, **__: [print('pos', flush=True) for _ in range(9)]"
    code = f"import sys, types; sys.modules['hfkit.inference'] = types.SimpleNamespace(predict_file={answers})"
    code += "; from hfkit.cli.command import main; main(['predict', 'run', '--input', '-'])"
    Path("run").mkdir()
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.stderr, done.returncode) == ("", 141)


def test_help_shows_the_commands_in_groups(capsys: Captured) -> None:
    assert hfkit("--help") == 0
    page = capsys.readouterr().out
    groups = re.split(r"^(data|train|judge|use|publish):$", page, flags=re.MULTILINE)
    assert groups[1::2] == ["data", "train", "judge", "use", "publish"]
    shown = [re.findall(r"^  ([a-z-]+) ", text, re.MULTILINE) for text in groups[2::2]]
    assert [names[0] for names in shown] == ["card", "train", "doctor", "predict", "push"]
    assert sum(map(len, shown)) == 24 and len(page.splitlines()) <= 48


def test_help_is_quick() -> None:
    command = [sys.executable, "-c", "from hfkit.cli.command import main; main(['--help'])"]
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - began)
    assert "train" in done.stdout
    assert min(seconds) < 0.5


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_a_label_that_the_console_cannot_print_is_escaped(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", console)
    assert exit_cleanly(lambda: print("label: \u03b8\u03b5\u03c4\u03b9\u03ba\u03cc")) == 0
    console.flush()
    assert console.buffer.getvalue() == b"label: \\u03b8\\u03b5\\u03c4\\u03b9\\u03ba\\u03cc\n"
