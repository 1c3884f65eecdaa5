"""Faults planted in pictures and in what is made of them: each is named within the first two findings."""

import time
from typing import Any

import pytest
import torch
from jobs import Job, named, pictures

from hfkit.tasks.image_classification.task import ImageClassification


def of_kind(job: Job, kind: Any) -> None:
    job.task = kind(**{name: getattr(job.task, name) for name in job.task.__dataclass_fields__})


class Broken(ImageClassification):
    def read(self, dataset: Any, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        features = super().read(dataset, rows, epoch)
        for feature in features:
            feature["pixel_values"] = feature["pixel_values"].clone().contiguous()
            feature["pixel_values"].view(-1)[0] = torch.inf
        return features


class Twice(ImageClassification):
    def read(self, dataset: Any, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        features, seen = super().read(dataset, rows, epoch), self._seen
        for feature in features:
            feature["pixel_values"] = (feature["pixel_values"] - seen.mean[0]) / seen.std[0]
        return features


class Raw(ImageClassification):
    def read(self, dataset: Any, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        features, seen = super().read(dataset, rows, epoch), self._seen
        for feature in features:
            feature["pixel_values"] = feature["pixel_values"] * seen.std[0] + seen.mean[0]
        return features


class Slow(ImageClassification):
    def read(self, dataset: Any, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        time.sleep(0.02 * len(rows))
        return super().read(dataset, rows, epoch)


def infinite(job: Job) -> None:
    of_kind(job, Broken)


def normalised_twice(job: Job) -> None:
    of_kind(job, Twice)


def not_normalised(job: Job) -> None:
    of_kind(job, Raw)


def mirrored(job: Job) -> None:
    job.task.augment.append("flip")


def starved(job: Job) -> None:
    of_kind(job, Slow)
    job.config.num_train_epochs = 60


def norms_that_move(job: Job) -> None:
    """Frozen, and nobody holds what they count."""
    for module in job.model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module._forward_pre_hooks.clear()
            module.requires_grad_(False)


FAULTS: list[tuple[str, Any]] = [
    ("not_finite", infinite),
    ("normalisation", normalised_twice),
    ("normalisation", not_normalised),
    ("flips", mirrored),
    ("starved", starved),
    ("moving_norms", norms_that_move),
]


@pytest.mark.parametrize(("fault", "plant"), FAULTS)
def test_a_fault_in_pictures_is_named(fault: str, plant: Any) -> None:
    assert fault in named(pictures(), plant)


def test_healthy_pictures_have_no_fault() -> None:
    assert [str(one) for one in pictures().examined() if one.level != "PASS"] == []
