"""Checks of a model: weights, and what it answers to the same row in other company."""

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from hfkit.models.adapting.freezing import in_head
from hfkit.training.doctor.finding import Findings, fault, graded, left_out
from hfkit.training.doctor.patient import Patient
from hfkit.training.optim import LAYER

APART = 1e-3  # by which equal answers may differ: float32 sums in another order make 1e-5

LABELLED = {"loss", "nll", "tokens", "bytes", "words", "right"}  # what an answer's label has a part in

STEPS = (1e-3, 1e-4, 1e-5)
"""Along the direction whose slope is measured, in deviations of each weight: tasks give losses in float32, which a
small step drowns in where the slope is small; deep networks bend within a large one."""

LARGEST = 60_000_000  # parameters of a model that is copied in float64


def weights(patient: Patient) -> Findings:
    """`not_finite`, `frozen_head`, `random_backbone`: before anything is computed."""
    model, config = patient.model, patient.config
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    bad = [name for name, one in named.items() if one.is_floating_point() and not torch.isfinite(one).all()]
    batch = patient.batch(patient.few, epoch=0)
    bad += [f"the batch's {name}" for name, one in batch.items() if _is_float(one) and not torch.isfinite(one).all()]
    evidence = f"{len(bad)} tensors hold NaN or Inf" + _such(bad)
    yield fault("not_finite", bool(bad), evidence, "take the weights or the pictures anew from where they came")
    head = [(name, one) for name, one in model.named_parameters() if in_head(model, name)]
    frozen = [name for name, one in head if not one.requires_grad]
    evidence = f"{len(frozen)} of the head's {len(head)} parameters are frozen"
    if head and patient.task.classes is not None:  # a language model's output layer may stand still
        yield fault("frozen_head", len(frozen) == len(head), evidence, "let the new head learn: --freeze backbone")
    if config.model.startswith("baseline:") or getattr(config, "from_scratch", False):
        yield left_out("random_backbone", "the model is meant to start at random")
        return
    fresh, known = _fresh(model)
    evidence = f"{len(fresh)} of {known} blocks have norms and biases of ones and zeros alone" + _such(fresh)
    fix = "the checkpoint does not fit this class: look at the names of its weights"
    yield fault("random_backbone", bool(fresh), evidence, fix, "none")


def _fresh(model: nn.Module) -> tuple[list[str], int]:
    """The blocks of the backbone whose vectors, two or more, are all ones or zeros, as those that never learnt have
    them; and how many blocks there are. What an adapter adds does not count."""
    blocks: dict[str, list[bool]] = {}
    for name, one in model.named_parameters():
        found = LAYER.match(name)
        if found and one.ndim == 1 and one.numel() > 1 and not in_head(model, name) and "lora" not in name:
            blocks.setdefault(found[0], []).append(bool((one == 0).all() or (one == 1).all()))
    return [name for name, started in blocks.items() if all(started) and len(started) > 1], len(blocks)


def _such(names: list[str]) -> str:
    return f": {', '.join(names[:3])}" if names else ""


def answers(patient: Patient) -> Findings:
    """`padding_matters`, `dropout_in_evaluation`: equal questions get equal answers."""
    if patient.task.joint:
        yield left_out("padding_matters", "rows are answered together")
        return
    rows = patient.few[:4]
    lengths = np.asarray(patient.learnt["length"][:])
    longest = int(np.argsort(-np.minimum(lengths, np.quantile(lengths, 0.9)), kind="stable")[0])
    shortest = int(np.random.default_rng(0).permutation(np.argsort(lengths, kind="stable")[:8])[0])
    both = [shortest, longest] if lengths[shortest] < lengths[longest] else rows[:2]
    batch = patient.batch(both)
    once, again = patient.answers(batch), patient.answers(batch)
    apart = _apart(once, again, 0)
    if apart is None:
        yield left_out("padding_matters", "the task answers with no numbers")
        return
    evidence = f"the same rows twice: answers differ by {apart:.2g}"
    fix = "turn dropout off in evaluation: F.dropout(..., training=self.training)"
    yield fault("dropout_in_evaluation", apart > APART, evidence, fix, f"at most {APART:g}")
    alone = _apart(once, patient.answers(patient.batch(both[:1])), 0) or 0.0
    told = f"of {lengths[both[0]]} beside {lengths[both[1]]} tokens" if lengths[both[1]] > 1 else ""
    evidence = f"a row {told} answers otherwise by {alone:.2g} than alone"
    fix = "give the model its attention mask, and the padding side and token that it was trained with"
    noisy = apart > APART
    yield fault("padding_matters", alone > 10 * APART and not noisy, evidence, fix, f"at most {10 * APART:g}")


def _apart(one: dict[str, list[Any]], other: dict[str, list[Any]], row: int) -> float | None:
    """The largest difference of a row's answers, by their size where that is above 1."""
    found = [
        float((one[name][row] - other[name][row]).abs().max() / one[name][row].abs().max().clamp(min=1))
        for name in one.keys() & other.keys()
        if one[name][row].numel() and one[name][row].shape == other[name][row].shape
    ]
    return max(found) if found else None


def constant(patient: Patient) -> float | None:
    """How far the answers to different rows differ; None where a task answers with labels alone."""
    answers = {name: rows for name, rows in patient.answers(patient.batch(patient.few)).items() if name not in LABELLED}
    spread = [
        float((torch.stack(rows) - rows[0]).abs().max())
        for rows in answers.values()
        if len(rows) > 1 and len({row.shape for row in rows}) == 1 and rows[0].numel()
    ]
    return max(spread) if spread else None


def initial_loss(patient: Patient, first: float) -> Findings:
    """`initial_loss`: a model that knows nothing yet should be as unsure as one that guesses: ln(labels)."""
    names = patient.classes
    if names is None:
        yield left_out("initial_loss", "rows have not one label each")
        return
    guess = math.log(len(names))
    evidence = f"{first:.3g}, and guessing among {len(names)} labels costs {guess:.3g}"
    fix = "start the head smaller, or look at the scale of what it reads"
    yield graded("initial_loss", first / guess, evidence, fix, warn=4, fail=20)


def gradients(patient: Patient) -> Findings:
    """`wrong_gradient`: what autograd says of a step along a random direction, and what the loss does there, in
    float64: torch.autograd.gradcheck's comparison, along one direction of all weights instead of along each."""
    if sum(one.numel() for one in patient.model.parameters()) > LARGEST or patient.task.joint:
        yield left_out("wrong_gradient", f"more than {LARGEST:,} parameters, or a loss of all rows together")
        return
    double = replace(patient, model=deepcopy(patient.model).double().train())
    for module in double.model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()  # two rows are too few to go by their own mean
    batch = {
        name: one.double() if _is_float(one) else one for name, one in patient.batch(patient.few[:2], epoch=0).items()
    }
    learning = [one for one in double.model.parameters() if one.requires_grad]
    generator = torch.Generator().manual_seed(0)
    way = [torch.randn(one.shape, generator=generator).to(one) * one.detach().std(correction=0) for one in learning]
    start = [one.detach().clone() for one in learning]

    def loss(step: float) -> torch.Tensor:
        torch.manual_seed(0)  # the same dropout each time
        with torch.no_grad():
            for one, at, direction in zip(learning, start, way, strict=True):
                one.copy_(at + step * direction)
        return double.loss(batch)

    try:
        found = torch.autograd.grad(loss(0.0), learning, allow_unused=True)
        slope = sum(float((one * step).sum()) for one, step in zip(found, way, strict=True) if one is not None)
        with torch.no_grad():
            measured = [float(loss(step) - loss(-step)) / (2 * step) for step in STEPS]
    except RuntimeError as error:  # what has no float64
        yield left_out("wrong_gradient", str(error).splitlines()[0])
        return
    nearest = min(measured, key=lambda one: abs(one - slope))
    off = abs(slope - nearest) / max(abs(slope), abs(nearest), 1e-3)
    evidence = f"along a random direction the loss grows by {nearest:.4g}, and autograd says {slope:.4g}"
    yield graded("wrong_gradient", off, evidence, "look at the backward() of what is your own", warn=0.15, fail=0.3)


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


CHECKS = (weights, answers, gradients)
