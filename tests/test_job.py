"""fit: stopping in every phase, what a kill leaves behind, trackers."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hfkit import HfkitError, Run, job, launch
from hfkit import run as runs
from hfkit.config import TrainConfig
from hfkit.engine import Engine

Fit = Callable[..., Run]


def test_the_first_signal_asks_and_says_so_the_second_stops(capfd: pytest.CaptureFixture[str]) -> None:
    engine: Any = SimpleNamespace(interrupted=False, accelerator=SimpleNamespace(is_main_process=True))
    before = signal.getsignal(signal.SIGINT)
    with job._signals(engine):
        os.kill(os.getpid(), signal.SIGINT)
        assert engine.interrupted
        assert "Stopping at a checkpoint" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_during_the_last_validation_stops_too(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no next update that would look at the flag, and the test split can take minutes."""
    knobs = {"num_train_epochs": 1, "save_strategy": "no"}
    whole = run_fit("whole", **knobs)
    validate = Engine._validate

    def ctrl_c(self: Engine, *arguments: Any) -> None:
        validate(self, *arguments)
        self.interrupted = True

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_validate", ctrl_c)
        with pytest.raises(KeyboardInterrupt, match="stopped at update 10; the same command"):
            run_fit("again", **knobs)
    resumed = run_fit("again", **knobs)
    assert resumed.state == "finished"
    assert resumed.predictions().equals(whole.predictions())


@pytest.mark.parametrize("checkpoints", [0, 1])
def test_stopped_at_once_still_says_how_to_go_on(
    checkpoints: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hfkit.hardware.keep_memory", lambda use_cpu: None)

    def interrupted(config: TrainConfig) -> None:
        runs.claim(config, tmp_path / "run", "x")
        for step in range(checkpoints):
            (tmp_path / "run" / "checkpoints" / f"step-{step:06d}").mkdir(parents=True)
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        launch.main(interrupted, TrainConfig, argv=["--use_cpu", "--output_dir", str(tmp_path / "run")])
    assert ended.value.code == 130
    said = "goes on from its last checkpoint" if checkpoints else "begins anew"
    assert f"the same command {said}" in capsys.readouterr().err
    assert launch.exit_cleanly(lambda: (_ for _ in ()).throw(KeyboardInterrupt)) == 130
    assert capsys.readouterr().err == "\nstopped\n"


def test_what_a_kill_between_two_renames_leaves_is_in_nobodys_way(tmp_path: Path) -> None:
    for name in ("model", ".model.old", ".model.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old.json").write_text("{}")
    part: Any = SimpleNamespace(save_pretrained=lambda place: Path(place).mkdir(exist_ok=True))
    part.config = part
    accelerator: Any = SimpleNamespace(is_main_process=True)
    job.save_model(tmp_path / "model", accelerator, part, part)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not list((tmp_path / "model").iterdir())


def test_tensorboard_takes_every_knob(run_fit: Fit) -> None:
    run = run_fit(report_to=["tensorboard"], freeze=["embeddings"], num_train_epochs=0.2)
    assert run.state == "finished"
    assert list(run.path.rglob("events.out.tfevents*"))


def test_a_full_disk_under_run_json_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.claim(TrainConfig(), tmp_path / "run", "x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_json", full)
    with pytest.raises(HfkitError, match="No space left on device"):
        run.update(state="finished")
