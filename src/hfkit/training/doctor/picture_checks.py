"""Checks of pictures: how their pixels are scaled, and whether a mirror image is still of its class."""

from typing import Any

import numpy as np
import torch

from hfkit.training.doctor.finding import Finding, Findings, fault, graded, left_out
from hfkit.training.doctor.patient import Patient

WIDEST = 2.5
"""Mean and deviation of numbers that were normalised once stay below: black and white alone make 2.2 of ImageNet's."""

EPOCHS, TURNED = 8, 0.36
"""Times that each picture is augmented; and the share that is more like its turned self from which on they are turned.
Turning half of them makes a half, shifting digits of 8 pixels a fifth."""

TURNS = (("mirrored", -1), ("upside down", -2))


def pictures(patient: Patient) -> Findings:
    """`normalisation` and `flips`."""
    if "image" not in patient.learnt.column_names:
        yield left_out("normalisation", "rows are no pictures")
        return
    rows = np.random.default_rng(0).permutation(len(patient.learnt))[:32].tolist()
    plain = [row.get("pixel_values") for row in patient.task.read(patient.learnt, rows, None)]
    if any(not isinstance(one, torch.Tensor) for one in plain):
        yield left_out("normalisation", "the task reads pictures in a way of its own")
        return
    yield _normalisation(torch.cat([one.float().flatten() for one in plain]), patient)
    yield _flips(patient, rows, plain)


def _normalisation(pixels: torch.Tensor, patient: Patient) -> Finding:
    """Against what the model's own image processor makes of black and white, and against any scale at all."""
    low, high, mean, spread = (float(one) for one in (pixels.min(), pixels.max(), pixels.mean(), pixels.std()))
    seen = getattr(patient.task, "seen", None)
    beyond = 0.0
    if seen is not None:
        black = min(-one / by for one, by in zip(seen.mean, seen.std, strict=True))
        white = max((1 - one) / by for one, by in zip(seen.mean, seen.std, strict=True))
        beyond = max(black - low, high - white) / max(white - black, 1e-6)
    twice = beyond > 0.05 or (seen is None and max(abs(mean), spread) > WIDEST) or high > 20
    evidence = f"pixels from {low:.2g} to {high:.2g}, mean {mean:.2g}, deviation {spread:.2g}"
    if low >= 0 and not twice:
        own = (getattr(patient.model.config, "pretrained_cfg", None) or {}).get("mean")
        fix = "normalise by the mean and deviation that the model was trained with"
        return fault("normalisation", True, f"{evidence}: not one below 0", fix, "", "FAIL" if own else "WARN")
    fix = "normalise once, by the model's image processor alone"
    return fault("normalisation", twice, evidence, fix, "what the processor makes of black and white")


def _flips(patient: Patient, rows: list[int], plain: list[torch.Tensor]) -> Finding:
    """Whether training turns pictures, and a linear model that has not seen them takes turned ones for another class.
    Where a picture was turned, it is more like its turned self."""
    turned, draws = [0, 0], EPOCHS * len(rows)
    for epoch in range(EPOCHS):
        for one, row in zip(plain, patient.task.read(patient.learnt, rows, epoch), strict=True):
            made = row["pixel_values"]
            if made.shape == one.shape:
                for at, (_, axis) in enumerate(TURNS):
                    turned[at] += int(_alike(made, one.flip(axis)) > _alike(made, one))
    drop, told = 0.0, f"augmentation mirrors no picture and turns none over ({draws} draws)"
    for (name, axis), many in zip(TURNS, turned, strict=True):
        if many > TURNED * draws and patient.classes is not None:
            before, after = _told(patient, axis)
            told = f"augmentation makes pictures {name}; a linear model tells {before:.1%} of validation pictures,"
            told += f" and {after:.1%} of them so turned"
            drop = max(drop, before - after)
    return graded("flips", drop, told, "leave the flip out: --augment crop", warn=0.15, fail=0.25)


def _alike(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.float().flatten(), other.float().flatten()]))[0, 1].nan_to_num())


def _told(patient: Patient, axis: int) -> tuple[float, float]:
    """Accuracy on validation thumbnails, as they are and turned along an axis."""
    from sklearn.linear_model import LogisticRegression

    train, validation = patient.sample("train"), patient.sample("validation")
    model = LogisticRegression(C=1, max_iter=200, tol=1e-3)
    model.fit(patient.features["train"], train["label"][:])
    side = int(patient.features["validation"].shape[1] ** 0.5)
    square = patient.features["validation"].reshape(-1, side, side)
    shown: list[Any] = [square, np.flip(square, axis)]
    one, other = (float(model.score(each.reshape(len(each), -1), validation["label"][:])) for each in shown)
    return one, other


CHECKS = (pictures,)
