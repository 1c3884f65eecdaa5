"""examine: all that is looked at before training, worst first; and how it is told."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import DatasetDict

from hfkit.base.atomic import write_json, writing
from hfkit.config.rules import check
from hfkit.training.doctor import data_checks, learning_checks, model_checks, picture_checks, token_checks
from hfkit.training.doctor.finding import Finding, Findings, fault, graded, worst_first
from hfkit.training.doctor.patient import Patient, untouched
from hfkit.training.doctor.trial import tried
from hfkit.training.optim import build_optimizer

STARVED = 60.0
"""Seconds of a run that are spent on waiting for input, below which nobody minds what share of it they are."""


def examine(
    config: Any, task: Any, model: Any, processor: Any, data: DatasetDict, optimizer: Any = None, seconds: float = 12.0
) -> tuple[list[Finding], Patient]:
    """What is wrong with a job before it begins, worst first; and what was looked at. Nothing is changed: weights,
    generators and modes are what they were, to the byte. Labels of the test split are not read.

    Args:
        config: As for `fit`, as are task, model, processor and data.
        optimizer: Of a training that was set up elsewhere; None: as the configuration makes it.
        seconds: That learning one batch by heart may take.

    Raises:
        HfkitError: A knob's value cannot be, or the task cannot read the rows.
    """
    check(config)
    with untouched(model):
        task = task.for_model(model.config, processor)
        encoded = DatasetDict({name: task.encode(data[name], processor) for name in data if name != "test"})
        if "input_ids" in encoded["train"].column_names:  # pictures are compared by nothing here
            unlabelled = data["test"].remove_columns([name for name in ("label",) if name in data["test"].column_names])
            encoded["test"] = task.encode(unlabelled, processor)
        patient = Patient(config, task, model, processor, data, encoded, optimizer, seconds)
        found: list[Finding] = []
        groups = (token_checks, data_checks, picture_checks, model_checks)
        late = (learning_checks.no_signal_left, learning_checks.sorted_rows, learning)
        for one in (*(one for group in groups for one in group.CHECKS), *late):
            found += looked(one, patient)
    return worst_first(found), patient


def looked(one: Callable[[Patient], Findings], patient: Patient) -> list[Finding]:
    """What a check finds. One that itself fails is told, and is no reason to leave the others out."""
    try:
        return list(one(patient))
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError) as error:
        said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return [Finding(one.__name__, "WARN", f"could not be looked at: {said}", fix="look at it by hand")]


def learning(patient: Patient) -> Findings:
    """All that takes updates to see, from the same few of them. It comes last: the model is another one then."""
    optimizer, steps = patient.optimizer or build_optimizer(patient.model, patient.config), updates(patient)
    before = None if patient.task.joint else model_checks.constant(patient)
    began = time.perf_counter()
    trial = tried(patient)
    each = (time.perf_counter() - began) / len(trial.losses) / len(patient.few)
    after = model_checks.constant(patient) if before is not None and before < 1e-6 else before
    yield from learning_checks.flows(patient, trial, optimizer)
    evidence = f"answers to different rows differ by {after or 0:.2g} at most"
    fix = "look for a dead layer (all of its outputs 0), or an input that is not used"
    yield fault("constant_output", after is not None and after < 1e-6, evidence, fix, "at least 1e-06")
    yield from learning_checks.learns(patient, trial, steps)
    yield from model_checks.initial_loss(patient, trial.losses[0])
    yield _starved(patient, each, steps)


def updates(patient: Patient) -> int:
    """Updates of the whole run."""
    config = patient.config
    if config.max_steps > 0:
        return int(config.max_steps)
    size = config.per_device_train_batch_size * config.gradient_accumulation_steps
    return max(1, round(config.num_train_epochs * -(-len(patient.learnt) // size)))


def _starved(patient: Patient, each: float, steps: int) -> Finding:
    """Whether a model waits for its rows longer than it learns from them."""
    size = min(patient.config.per_device_train_batch_size, len(patient.learnt))
    began = time.perf_counter()
    patient.batch(list(range(size)), epoch=1)
    batch = (time.perf_counter() - began) / max(1, patient.config.dataloader_num_workers)
    share, waits = batch / max(batch + each * size, 1e-9), batch * steps
    evidence = f"a batch takes {batch:.2g} s to read and {each * size:.2g} s to learn from: {waits:.0f} s of waiting"
    fix = "--dataloader_num_workers 2, or smaller pictures on the disk"
    return graded("starved", share if waits > STARVED else 0.0, evidence, fix, warn=0.5)


def written(findings: Sequence[Finding], folder: Path, **more: Any) -> Path:
    """Write doctor.json: `findings`, worst first, and what else was seen."""
    with writing(folder, "set --output"):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "doctor.json", {"findings": [asdict(one) for one in findings], **more})
    return folder / "doctor.json"
