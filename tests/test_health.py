"""Health: `hfkit runs` tells the state of each run, `hfkit verify` reads every byte that was written with a hash."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from processes import started, wait

from hfkit.cli import main, runs
from hfkit.config import TrainConfig
from hfkit.runs.run import claim
from hfkit.training import checkpoint


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A finished run that may be damaged."""
    return Path(shutil.copytree(tiny_run, tmp_path / "runs" / "good"))


def unfinished(path: Path, *steps: int) -> Path:
    """A run with a checkpoint after each of these updates, whose process is gone."""
    claim(TrainConfig(), path, "x")
    (path / "checkpoints").mkdir(exist_ok=True)
    for step in steps:
        checkpoint.save(path / "checkpoints", step, {"model": {"w": torch.ones(9)}}, {"step": step})
    return path


def flip(path: Path, at: int = -3) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def command(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_a_stopped_run_says_where_the_next_command_goes_on(tmp_path: Path) -> None:
    assert runs.state(unfinished(tmp_path / "new")) == "stopped at step 0"
    place = unfinished(tmp_path / "old", 4, 8)
    assert runs.state(place) == "stopped at step 8"
    (place / "checkpoints" / "step-000008" / "model.safetensors").write_bytes(b"short")
    assert runs.state(place).startswith("stopped at step 4; step-000008 is damaged: model.safetensors has 5 bytes")


def test_a_run_is_running_as_long_as_its_process_lives(tmp_path: Path) -> None:
    run = claim(TrainConfig(), tmp_path / "run", "x")
    (run.path / "log.jsonl").write_text('{"step": 3, "loss": 1.0}\n')

    def hold() -> None:
        run.hold()
        (tmp_path / "held").touch()
        time.sleep(60)

    child = started(hold)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    assert runs.state(run.path) == "running, step 3"
    os.kill(child, signal.SIGKILL)
    assert wait([child], 10) == [-signal.SIGKILL]
    assert runs.state(run.path) == "stopped at step 0"


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "model/config.json"])
def test_a_finished_run_that_lost_a_part_is_damaged(run: Path, name: str) -> None:
    assert runs.state(run) == "finished"
    (run / name).write_text("{")
    assert runs.state(run).startswith("damaged: ") and Path(name).name in runs.state(run)


def test_runs_lists_them_all_with_state_and_figure(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished(tmp_path / "runs" / "deep" / "half", 4)
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("[")
    shutil.copytree(run, tmp_path / "runs" / ".hidden")
    assert command("runs", "runs") == 0
    header, *lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip(" -")]
    assert header == ["run", "state", "figure"]
    assert [line[:2] for line in lines] == [
        ["runs/broken", "damaged:"],
        ["runs/deep/half", "stopped"],
        ["runs/good", "finished"],
    ]
    accuracy = json.loads((run / "metrics.json").read_text())["accuracy"]["value"]
    assert lines[2][-2:] == ["Accuracy", f"{accuracy:.4f}"] or lines[2][-1].startswith(f"{accuracy:.3f}")
    assert lines[1][-1] == "-"


def test_a_folder_without_runs_and_no_folder_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert command("runs", "empty") == 0
    assert "empty holds no runs" in capsys.readouterr().out
    assert command("runs", "nowhere") == 1
    assert "no folder nowhere" in capsys.readouterr().err


def test_verify_reads_every_byte(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("verify", run) == 0
    count, found = runs.verify(run)
    written = [path for path in run.rglob("*") if path.is_file()]
    known = {"run.json", "timing.jsonl", "report.html", "README.md"}  # made anew, or changed after the run
    assert found == [] and count == len([path for path in written if path.relative_to(run).as_posix() not in known])
    assert f"{count}" in capsys.readouterr().out


def test_verify_names_what_was_changed_behind_its_back(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bit, the length kept: `hfkit runs` cannot see it, and a hash does."""
    newest = checkpoint.by_step(run / "checkpoints")[-1]
    for victim in (run / "model" / "model.safetensors", run / "predictions.parquet", newest / "optimizer.safetensors"):
        flip(victim)
    assert runs.state(run) == "finished"
    assert command("verify", run) == 1
    said = capsys.readouterr()
    for name in ("model/model.safetensors", "predictions.parquet", f"{newest.name}: optimizer.safetensors"):
        assert name in said.out + said.err
    assert len(runs.verify(run)[1]) == 3


def test_verify_looks_at_the_checkpoints_of_a_run_that_is_not_finished(tmp_path: Path) -> None:
    place = unfinished(tmp_path / "half", 4, 8)
    assert runs.verify(place) == (6, [])
    flip(place / "checkpoints" / "step-000004" / "state.json")
    (sentence,) = runs.verify(place)[1]
    assert "step-000004" in sentence and "state.json" in sentence


def test_runs_needs_no_torch(tmp_path: Path) -> None:
    """It is typed while training has the machine."""
    code = f"import sys; from hfkit.cli import runs; runs.state({str(unfinished(tmp_path / 'half', 4))!r})"
    code += "; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "datasets"} & set(loaded)
