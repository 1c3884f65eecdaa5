"""fit: stopping in every phase, what a kill leaves behind, trackers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from accelerate import Accelerator
from datasets import DatasetDict
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertForSequenceClassification

from hfkit import HfkitError, Run, build_task
from hfkit.cli import launch
from hfkit.config import TrainConfig
from hfkit.data.summary import DataSummary
from hfkit.models import sharding
from hfkit.runs import run as runs
from hfkit.tasks.text_classification.task import TextClassification
from hfkit.training import job, provenance
from hfkit.training.engine import Engine
from hfkit.training.judging import judge, test_split
from hfkit.training.signals import stopped_by_signals

Fit = Callable[..., Run]


def test_the_first_signal_asks_and_says_so_the_second_stops(capfd: pytest.CaptureFixture[str]) -> None:
    engine: Any = SimpleNamespace(interrupted=False, accelerator=SimpleNamespace(is_main_process=True))
    before = signal.getsignal(signal.SIGINT)
    with stopped_by_signals(engine):
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
    monkeypatch.setattr("hfkit.base.hardware.keep_memory", lambda use_cpu: None)

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
    part.config, part.parameters, part.to_dict = part, list, dict
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

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HfkitError, match="No space left on device"):
        run.update(state="finished")


def stopped_run(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in `run` with a checkpoint after update 3."""
    count = Engine._count

    def ctrl_c(self: Engine, *arguments: Any) -> None:
        count(self, *arguments)
        self.interrupted = self.state.step == 3

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_count", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            run_fit()


@pytest.mark.parametrize(
    ("key", "entry", "said"),
    [
        ("precision", "bf16", "another precision"),
        ("data", {"splits": {"train": {"fingerprint": "other"}}}, "another rows of train"),
        ("encoded", {"train": "other"}, "another tokens of train"),
        ("model", {"frozen_weights": "other"}, "another set of frozen weights"),
    ],
)
def test_a_run_does_not_go_on_over_other_ground(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, entry: Any, said: str
) -> None:
    """The flags are the same, and yet the updates would not be those of the run."""
    stopped_run(run_fit, monkeypatch)
    Run(tmp_path / "run").update(**{key: entry})
    with pytest.raises(HfkitError, match=f"{said}(.|\n)*--overwrite"):
        run_fit()
    assert Run(tmp_path / "run").info[key] == entry


def test_a_run_goes_on_elsewhere_and_says_what_cannot_be_exact(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped_run(run_fit, monkeypatch)
    before = Run(tmp_path / "run").info["versions"]["torch"]
    monkeypatch.setattr("hfkit.base.hardware.versions", lambda: {"torch": "2.99"})
    run = run_fit()
    assert run.state == "finished"
    said = capsys.readouterr().out
    assert f"goes on elsewhere (torch {before} -> 2.99): the same rows" in said
    assert "not bit-identical" in said


def test_the_ground_of_a_run_is_what_decides_its_updates(tiny_bert: Path, splits: Any) -> None:
    """A word of the tokenizer, a frozen weight: neither is in a checkpoint or a flag, and both change what follows."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    task = build_task(TrainConfig(max_length=12, stride=4, long_text="windows"), splits)
    model = BertForSequenceClassification.from_pretrained(tiny_bert, num_labels=2)
    rows = task.for_model(model.config, tokenizer).encode(splits["test"], tokenizer)
    ids = rows["input_ids"][:]
    ids[7][0][3] += 1
    other = rows.remove_columns("input_ids").add_column("input_ids", ids)
    digests = [provenance.encoded_digest(split) for split in (rows, rows.select(range(len(rows))), other)]
    assert digests[0] == digests[1] != digests[2]
    learning = provenance.frozen_digest(model)
    model.bert.embeddings.requires_grad_(False)
    frozen = provenance.frozen_digest(model)
    with torch.no_grad():
        model.classifier.weight.add_(1.0)
        assert provenance.frozen_digest(model) == frozen != learning
        model.bert.embeddings.word_embeddings.weight[3, 3] += 1e-6
    assert provenance.frozen_digest(model) != frozen


def test_stopped_sessions_count_in_the_cost(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_run(run_fit, monkeypatch)
    run = run_fit()
    (stopped,) = [line["session_seconds"] for line in run.timing() if "session_seconds" in line]
    assert run.timing()[-1]["train_seconds"] > stopped > 0


def test_two_processes_do_not_write_one_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    holder = (
        "import sys; from pathlib import Path; from hfkit.base.atomic import write_json;"
        " from hfkit.runs.run import Run; p = Path(sys.argv[1]);"
        " write_json(p / 'run.json', {}); run = Run(p); run.hold(); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HfkitError, match="another process is writing to"):
            Run(tmp_path / "run").hold()
        other.communicate("\n")
    Run(tmp_path / "run").hold()


def test_out_of_memory_in_an_evaluation_names_its_flag(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = TextClassification.loss_and_predictions

    def small_memory(self: TextClassification, model: Any, batch: Any) -> Any:
        if not model.training:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return scored(self, model, batch)

    monkeypatch.setattr(TextClassification, "loss_and_predictions", small_memory)
    with pytest.raises(HfkitError, match=r"evaluation batch of 32 rows(.|\n)*--per_device_eval_batch_size"):
        run_fit(num_train_epochs=1)


def test_one_of_a_thing_is_told_in_the_singular(run_fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    run_fit(max_steps=1)
    assert "run: 1 update to make" in capsys.readouterr().out


def test_full_determinism_acts_without_the_launcher(run_fit: Fit) -> None:
    try:
        run_fit(full_determinism=True, max_steps=1)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_the_kept_models_answers_on_validation_are_kept_and_hashed(run_fit: Fit, splits: DatasetDict) -> None:
    """What is chosen after training is chosen on them: they are those of the model in `model/`, row by row."""
    run = run_fit(load_best_model_at_end=True)
    kept = parquet.read_table(run.path / "validation.parquet")
    assert kept["id"].to_pylist() == splits["validation"]["id"][:]
    assert set(kept.column_names) == {
        name for name in run.predictions().column_names if not name.startswith("baseline_")
    }
    right = np.mean(np.equal(kept["label"].to_numpy(), kept["prediction"].to_numpy()))
    assert right == pytest.approx(run.info["training"]["best_value"])
    assert "validation.parquet" in run.info["files"]


def test_what_a_kill_left_of_the_trial_save_goes_the_next_time(run_fit: Fit, tmp_path: Path) -> None:
    left = run_fit("first", max_steps=1).path / ".model.tmp"
    left.mkdir()
    (left / "config.json").write_text("{}")
    (left.parent / "run.json").write_text((left.parent / "run.json").read_text().replace('"finished"', '"stopped"'))
    again = run_fit("first", max_steps=1)
    assert again.state == "finished"
    assert not left.exists()


def test_a_finished_run_is_given_for_its_own_rows_alone(
    run_fit: Fit, splits: DatasetDict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may give any rows under the same configuration: those of another day are not what was measured."""
    first = run_fit(max_steps=1)
    written = (first.path / "metrics.json").stat().st_mtime_ns
    assert (run_fit(max_steps=1).state, (first.path / "metrics.json").stat().st_mtime_ns) == ("finished", written)
    monkeypatch.setitem(splits, "test", splits["test"].select(range(30)))
    with pytest.raises(HfkitError, match="begun with another rows of test"):
        run_fit(max_steps=1)
    assert len(run_fit(max_steps=1, overwrite=True).predictions()) == 30


def test_no_process_tries_the_lock_that_the_first_is_about_to_take(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several processes the others look at the run while the first claims it: a try of theirs would refuse it."""
    monkeypatch.setattr("hfkit.runs.run.held", lambda path: pytest.fail("the lock was tried"))
    assert run_fit(max_steps=1).finished


def test_nobody_waits_in_a_collective_while_the_baselines_are_fitted(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NCCL ends a process that waits longer than its limit, and with it a finished run."""
    told: list[str] = []
    end, fitted = Accelerator.end_training, test_split.fit_baselines

    def ended(self: Accelerator) -> None:
        told.append("the process group ends")
        end(self)

    monkeypatch.setattr(Accelerator, "end_training", ended)
    monkeypatch.setattr(Accelerator, "wait_for_everyone", lambda self: told.append("all wait"))
    monkeypatch.setattr(test_split, "fit_baselines", lambda *given: told.append("baselines") or fitted(*given))
    assert run_fit(max_steps=1).state == "finished"
    assert told[-2:] == ["the process group ends", "baselines"]


def test_a_compiled_model_has_the_same_checkpoints(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "EAGER")
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **options: compiled.append(options["backend"]))
    run = run_fit(max_steps=1)
    assert compiled == ["eager"]
    (place,) = (run.path / "checkpoints").glob("step-*/model.safetensors")
    assert not any("_orig_mod" in name for name in load_file(place))


def test_compiling_in_place_keeps_the_names_and_compiles() -> None:
    accelerator = Accelerator(cpu=True, dynamo_backend="eager")
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    sharding.compile_in_place(accelerator, model)
    prepared = accelerator.unwrap_model(accelerator.prepare(model))
    assert list(prepared.state_dict()) == ["0.weight", "0.bias"]
    assert prepared._compiled_call_impl is not None
    assert prepared(torch.ones(1, 2)).shape == (1, 2)


def test_two_data_sets_of_one_name_have_a_folder_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def summary(location: str, rows: str) -> DataSummary:
        return DataSummary("test", "file", location, "", None, "x", splits={"test": {"fingerprint": rows}})

    def evaluated(where: str, rows: str) -> str:
        found = summary(f"{where}/test.csv", rows)
        folder = judge.folder_for(tmp_path, f"{where}/test.csv", found)
        folder.mkdir(exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps({"data": asdict(found)}))
        return folder.name

    places = [evaluated(*found) for found in ("a1", "b2", "a1", "b2", "b3")]
    assert places == ["test", "test-2", "test", "test-2", "test-3"]
    assert capsys.readouterr().out.count("has the figures of other rows") == 3
    for damaged in ("[]", "{", '{"data": {"splits": 1}}'):
        (tmp_path / "test" / "metrics.json").write_text(damaged)
        assert evaluated("c", "9") == "test-4", "what cannot be read is nobody's to overwrite"
