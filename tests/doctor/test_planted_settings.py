"""Faults planted in settings: each is named within the first two findings."""

from dataclasses import replace
from typing import Any

import pytest
from jobs import Job, named, texts


def faster(job: Job) -> None:
    job.config.learning_rate *= 100


def slower(job: Job) -> None:
    job.config.learning_rate *= 1e-5


def decayed(job: Job) -> None:
    job.config.weight_decay = 300.0


def decayed_plainly(job: Job) -> None:
    job.config.optim, job.config.learning_rate, job.config.weight_decay = "sgd", 0.1, 30.0


def clipped(job: Job) -> None:
    job.config.max_grad_norm = 1e-9


def clipped_plainly(job: Job) -> None:
    job.config.optim, job.config.learning_rate, job.config.max_grad_norm = "sgd", 0.1, 1e-4


def smoothed(job: Job) -> None:
    job.task = replace(job.task, label_smoothing=0.9)


def weightless(job: Job) -> None:
    job.task = replace(job.task, class_weights=[1.0, 0.0])


FAULTS: list[tuple[str, Any]] = [
    ("learning_rate_high", faster),
    ("learning_rate_low", slower),
    ("weight_decay", decayed),
    ("weight_decay", decayed_plainly),
    ("clipping", clipped),
    ("clipping", clipped_plainly),
    ("label_smoothing", smoothed),
    ("class_weights", weightless),
]


@pytest.mark.parametrize(("fault", "plant"), FAULTS)
def test_a_fault_in_the_settings_is_named(fault: str, plant: Any) -> None:
    assert fault in named(texts(), plant)
