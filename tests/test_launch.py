"""A recipe as its user starts it: in one process and in two, refused, interrupted, killed and started again."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hfkit.runs.run import Run

RECIPE = Path(__file__).parent.parent / "recipes" / "bert_imdb.py"


@pytest.fixture
def flags(tiny_bert: Path, reviews_csv: Path) -> list[str]:
    """The demo, made small: 2-layer BERT on made reviews. 77 test rows, which no batch size divides."""
    knobs = {
        "model": tiny_bert,
        "dataset": reviews_csv,
        "pooling": "model",
        "max_length": 16,
        "mixed_precision": "no",
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 8,
        "learning_rate": 1e-3,
        "validation_size": 0.1,
        "test_size": 0.32,
        "logging_steps": 1,
    }
    return ["--demo", "--disable_tqdm", *(str(part) for name, value in knobs.items() for part in (f"--{name}", value))]


def torchrun() -> list[str]:
    """torchrun with two processes, on a port that is free, so that two suites can run at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "MASTER_ADDR": "127.0.0.1", **more}


def start(*command: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(*command: str, **more: str) -> str:
    process = start(*command, **more)
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        process.terminate()  # torchrun takes its two processes with it
    assert process.returncode == 0, output
    return output


def by_name(run: Run, column: str) -> dict[str, float]:
    table = run.predictions()
    return dict(zip(table["id"].to_pylist(), table[column].to_pylist(), strict=True))


@pytest.mark.pain("duplicated-tail")
@pytest.mark.pain("schedule-too-fast")
def test_two_processes_are_one_run_with_the_figures_of_one_process(flags: list[str], tmp_path: Path) -> None:
    """Accumulating two batches in one process and one batch on each of two processes are the same updates."""
    flags = [*flags, "--num_train_epochs", "1"]
    finish(sys.executable, str(RECIPE), *flags, "--output_dir", "one", "--gradient_accumulation_steps", "2")
    printed = finish(*torchrun(), str(RECIPE), *flags, "--output_dir", "two", ACCELERATE_USE_CPU="true")
    one, two = Run("one"), Run("two")
    assert printed.count("accuracy") > 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["one", "two"]
    assert (one.info["hardware"]["num_processes"], two.info["hardware"]["num_processes"]) == (1, 2)
    assert two.info["training"]["steps"] == one.info["training"]["steps"]
    for before, after in zip(one.log(), two.log(), strict=True):
        assert before.keys() == after.keys()
        for name in before:
            assert after[name] == pytest.approx(before[name], rel=1e-3, abs=1e-4), name

    ids = two.predictions()["id"].to_pylist()
    assert len(ids) == len(set(ids)) == two.metrics["accuracy"]["n"] == two.info["data"]["splits"]["test"]["rows"]
    assert len(ids) % 8 and len(ids) % 16
    assert by_name(two, "loss") == pytest.approx(by_name(one, "loss"), rel=1e-3, abs=1e-4)
    assert by_name(two, "label") == by_name(one, "label")
    for name, figure in one.metrics.items():
        if isinstance(figure, dict) and "value" in figure:
            assert two.metrics[name]["value"] == pytest.approx(figure["value"], rel=1e-3, abs=1e-4), name


def test_two_processes_that_do_not_know_each_other_are_refused(flags: list[str]) -> None:
    import torch

    if torch.accelerator.is_available():
        pytest.skip("with a GPU the two processes do meet")
    command = [*torchrun(), str(RECIPE), *flags, "--output_dir", "run"]
    # Without the empty CUDA_VISIBLE_DEVICES of the suite, which tells hfkit to stay on the CPU.
    plain = {name: value for name, value in environment().items() if name != "CUDA_VISIBLE_DEVICES"}
    process = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=120)
    if process.returncode == 0:  # accelerate 1.12 lets them meet
        assert Run("run").info["hardware"]["num_processes"] == 2
        return
    assert process.stderr.count("they do not know each other") == 1
    assert "ACCELERATE_USE_CPU=true" in process.stderr
    assert not Path("run").exists()


@pytest.mark.pain("resume-not-exact")
def test_a_run_that_was_stopped_or_killed_ends_in_the_same_bytes(flags: list[str]) -> None:
    """SIGINT and SIGKILL in the middle of an epoch, the same command again: weights and log as if nothing had been."""
    flags = [*flags, "--num_train_epochs", "12", "--save_strategy", "steps", "--save_steps", "7"]
    command = [sys.executable, str(RECIPE), *flags, "--early_stopping_patience", "50", "--ema_decay", "0.9"]
    finish(*command, "--output_dir", "whole")
    whole = fingerprint(Path("whole"))
    for how, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        place = f"run-{how.name}"
        assert interrupt(how, [*command, "--output_dir", place]) == status
        assert Run(place).info["state"] == ("stopped" if how == signal.SIGINT else "running")
        printed = finish(*command, "--output_dir", place)
        assert "resumed at update" in printed
        assert fingerprint(Path(place)) == whole


def test_a_finished_run_is_shown_again_and_another_one_is_refused(flags: list[str]) -> None:
    command = [sys.executable, str(RECIPE), *flags, "--num_train_epochs", "1", "--output_dir", "run"]
    finish(*command)
    before = fingerprint(Path("run"))
    again = finish(*command)
    assert "is finished" in again and "accuracy" in again
    other = subprocess.run([*command, "--learning_rate", "0.1"], env=environment(), capture_output=True, text=True)
    assert other.returncode == 1
    assert "learning_rate 0.001 -> 0.1" in other.stderr and "--overwrite" in other.stderr
    assert "Traceback" not in other.stderr
    assert fingerprint(Path("run")) == before


def interrupt(how: signal.Signals, command: list[str]) -> int:
    """Start a run, send it a signal once its first checkpoint stands, and give its exit status."""
    folder = Path(command[-1]) / "checkpoints"
    process = start(*command)
    deadline = time.monotonic() + 120
    while not list(folder.glob("step-*")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.005)
    process.send_signal(how)
    output, _ = process.communicate(timeout=120)
    if how == signal.SIGINT:
        assert "the same command again" in output and "Traceback" not in output
    steps = [json.loads(line)["step"] for line in (folder.parent / "log.jsonl").read_text().splitlines()]
    assert max(steps) < 100, "the signal came too late to interrupt anything"
    return process.returncode


def fingerprint(run: Path) -> dict[str, str]:
    """sha256 of the files that two equal runs share byte for byte."""
    names = [
        "log.jsonl",
        "metrics.json",
        "predictions.parquet",
        *(f"model/{path.name}" for path in (run / "model").iterdir()),
    ]
    return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in sorted(names)}
