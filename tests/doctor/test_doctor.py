"""The doctor itself: it leaves all as it was, tells worst first, and ends as a command does."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from jobs import made, texts
from safetensors.torch import load_file, save_file

from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.runs.run import Run
from hfkit.training.doctor.after_checks import examine_run, one_class
from hfkit.training.doctor.doctor import examine
from hfkit.training.doctor.finding import Finding, graded, worst_first
from hfkit.training.doctor.lr_range import lr_range


def state(model: torch.nn.Module) -> dict[str, bytes]:
    return {name: one.detach().numpy().tobytes() for name, one in model.state_dict(keep_vars=True).items()}


def drawn() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002


def test_weights_modes_and_generators_are_what_they_were() -> None:
    job = texts(freeze=["embeddings"])
    job.model.train()
    before, modes = state(job.model), [one.training for one in job.model.modules()]
    learns = [one.requires_grad for one in job.model.parameters()]
    labels = job.data["test"]["label"][:]
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)
    wanted = drawn()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)
    job.examined()
    assert drawn() == wanted
    assert state(job.model) == before
    assert [one.training for one in job.model.modules()] == modes
    assert [one.requires_grad for one in job.model.parameters()] == learns
    assert all(one.grad is None for one in job.model.parameters())
    assert job.data["test"]["label"][:] == labels


def test_the_labels_of_the_test_split_are_not_read() -> None:
    job, other = texts(), texts()
    other.data["test"] = other.data["test"].map(lambda row: {"label": 1 - row["label"]})
    told = [[one for one in each.examined() if one.id != "starved"] for each in (job, other)]
    assert told[0] == told[1]
    assert texts().data["test"].remove_columns("label").column_names == ["id", "text"]
    other.data["test"] = other.data["test"].remove_columns("label")
    assert [one for one in other.examined() if one.id != "starved"] == told[0]


def test_worst_first_and_a_number_that_is_none_is_a_fault() -> None:
    one, other, third = (
        graded(name, value, "seen", "mend it", warn=1, fail=2) for name, value in (("a", 0), ("b", 3), ("c", 1))
    )
    assert [found.id for found in worst_first([one, other, third])] == ["b", "c", "a"]
    assert graded("d", float("nan"), "", "", warn=1, fail=2).level == "FAIL"
    assert str(other) == "FAIL b: seen (WARN from 1, FAIL from 2); mend it"
    assert str(one) == "PASS a: seen (WARN from 1, FAIL from 2)"


def test_a_training_with_a_doctor_is_the_same_training(
    run_fit: Callable[..., Run], capsys: pytest.CaptureFixture
) -> None:
    knobs: dict[str, Any] = {"num_train_epochs": 6}
    plain, looked = run_fit("plain", **knobs), run_fit("looked", doctor=True, **knobs)
    for name in ("model.safetensors", "config.json"):
        assert (plain.model_path / name).read_bytes() == (looked.model_path / name).read_bytes()
    assert (plain.path / "log.jsonl").read_bytes() == (looked.path / "log.jsonl").read_bytes()
    found = json.loads((looked.path / "doctor.json").read_text())["findings"]
    assert {one["evidence"].split(":")[0] for one in found} == {"update 1", "update 50"}
    assert {"no_optimizer", "no_gradient", "clipping", "moving_norms", "one_class"} <= {one["id"] for one in found}
    assert {one["id"] for one in found if one["level"] == "FAIL"} == {"random_backbone"}, "the tiny model has not read"
    assert not (plain.path / "doctor.json").exists()
    line = looked.log()[0]
    assert 0 <= line["clipped"] <= 1
    assert 1e-3 < line["update_ratio"] < 0.5


def test_a_learning_rate_that_is_too_high_is_told_on_the_way(
    run_fit: Callable[..., Run], capsys: pytest.CaptureFixture
) -> None:
    run = run_fit("wild", doctor=True, learning_rate=3.0, num_train_epochs=6)
    assert "doctor: FAIL learning_rate_high: update 50" in capsys.readouterr().out
    assert run.info["warnings"][0].startswith("validation: the model answers ")
    told = examine_run(run)
    assert "one_class" in [one.id for one in told[:2]]
    found = {one.id: one for one in told}
    assert found["one_class"].level == "FAIL"
    assert "to all 40 rows, which have 2 different labels" in found["one_class"].evidence
    assert found["learning_rate_high"].level in ("WARN", "FAIL")


def test_one_class_alone() -> None:
    both = {"prediction": [1] * 20, "label": [0, 1] * 10}
    assert one_class(both, ["neg", "pos"]) == "the model answers pos to all 20 rows, which have 2 different labels"
    assert one_class(both | {"prediction": [1] * 19 + [0]}) is None
    assert one_class(both | {"label": [1] * 20}) is None
    assert one_class({"prediction": [0.5] * 20, "label": [0.1, 0.7] * 10}) is None, "a regression"
    tags = {
        "prediction": np.array([[0, 0], [0]] * 10, dtype=object),
        "label": np.array([[0, 2], [1]] * 10, dtype=object),
    }
    assert one_class(tags, ["O", "B", "I"]) == "the model answers O to all 20 rows, which have 3 different labels"


def ended(*flags: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["doctor", *flags])
    return int(end.value.code or 0)


def test_the_command_before_a_training(reviews_csv: Path, capsys: pytest.CaptureFixture) -> None:
    flags = f"--dataset {reviews_csv} --model baseline:transformer --learning_rate 1e-3 --use_cpu --max_length 32"
    assert ended(*flags.split(), "--output", "seen") == 0
    told = json.loads(Path("seen/doctor.json").read_text())
    assert {"shuffled_labels", "near_copies", "label_in_text", "id_column"} <= {one["id"] for one in told["findings"]}
    assert len(told["rows"]) == 3
    assert told["rows"][0]["read"].startswith("[CLS]")
    out = capsys.readouterr().out
    assert "PASS shuffled_labels" in out
    assert "\n0 FAIL" in out
    assert ended(*flags.split(), "--learning_rate", "3") == 1
    said = capsys.readouterr()
    assert "FAIL learning_rate_high" in said.out
    assert "the doctor found learning_rate_high" in said.err


def test_the_command_after_a_training(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    assert ended(str(run)) == 0
    found = {one["id"]: one for one in json.loads((run / "doctor.json").read_text())["findings"]}
    assert {"one_class", "not_learnt", "not_finite", "no_better"} <= found.keys()
    weights = load_file(run / "model" / "model.safetensors")
    weights["classifier.bias"][0] = torch.nan
    save_file(weights, run / "model" / "model.safetensors")
    table = parquet.read_table(run / "validation.parquet")
    same = table.set_column(table.column_names.index("prediction"), "prediction", pa.array([1] * len(table)))
    parquet.write_table(same, run / "validation.parquet")
    assert ended(str(run)) == 1
    told = json.loads((run / "doctor.json").read_text())["findings"]
    assert {one["id"] for one in told[:2]} == {"one_class", "not_finite"}


def test_a_range_of_learning_rates_holds_one_that_learns() -> None:
    job = texts()
    before = state(job.model)
    _, patient = examine(job.config, job.task, job.model, job.processor, job.data, seconds=1.0)
    found = lr_range(patient)
    assert found["low"] < job.config.learning_rate < found["high"], "2e-3, at which the model learns these reviews"
    assert 100 * job.config.learning_rate > found["high"]
    assert found["high"] / found["low"] < 1000
    assert state(job.model) == before
    assert lr_range(patient) == found


def test_what_cannot_be_looked_at_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert ended("runs/none") == 1
    assert "runs/none is not there" in capsys.readouterr().err
    assert ended("none.py") == 1
    assert "there is no recipe none.py" in capsys.readouterr().err
    assert ended("--dataset", "none.csv") == 1
    assert "none.csv" in capsys.readouterr().err
    assert ended(str(tmp_path), "--lr_range") == 2


def test_a_check_that_fails_itself_is_told() -> None:
    job = made(texts().data)
    job.model.classifier.register_forward_pre_hook(lambda module, inputs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        job.examined()
    job = made(texts().data)

    def refuses(module: Any, inputs: Any) -> None:
        raise RuntimeError("no such kernel")

    job.model.classifier.register_forward_pre_hook(refuses)
    found: list[Finding] = job.examined()
    assert any(one.level == "WARN" and "no such kernel" in one.evidence for one in found)


def test_a_damaged_run_is_one_message(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "log.jsonl").write_text('{"step": 1, "loss": "much"}\n{"step": 2, "loss": "less"}\n')
    with pytest.raises(HfkitError, match="do not fit together"):
        examine_run(Run(run))
