"""Trial: one batch learnt by heart, and what every update of it did (Karpathy's "overfit one batch", 2019)."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from hfkit.training.doctor.patient import Patient
from hfkit.training.optim import build_optimizer

UPDATES, LEAST = 25, 4  # updates that are made, and those that are made however long they take


@dataclass
class Trial:
    """What was seen. Lists hold a number an update."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)  # of the gradients, before clipping
    ratios: list[float] = field(default_factory=list)  # of the update to the weights, by their norms
    kept: float = 1.0  # of the first update's norm, after clipping
    learnt: set[str] = field(default_factory=set)  # parameters that had a gradient other than zero
    flow: dict[str, float] = field(default_factory=dict)  # of each matrix its gradient by its weights, at first
    norm: float = 0.0  # of the matrices that learn, before the first update
    size: float = 0.0  # the root of the mean square of their numbers
    moved: list[str] = field(default_factory=list)  # what does not learn and changed


def tried(patient: Patient, updates: int = UPDATES, rate: float | None = None) -> Trial:
    """Learn a batch as the configuration says, at its highest learning rate or at `rate`; within `untouched`."""
    found, model, config = Trial(), patient.model, patient.config
    batch = patient.batch(patient.few, epoch=0)
    before = {name: one.detach().clone() for name, one in still(model).items()}
    optimizer = build_optimizer(model, config)
    for group in optimizer.param_groups:
        group["lr"] *= 1.0 if rate is None else rate / config.learning_rate
    learning = [one for one in model.parameters() if one.requires_grad]
    matrices = [one.detach() for one in learning if one.ndim > 1]
    found.norm = float(torch.nn.utils.get_total_norm(matrices)) if matrices else 0.0
    found.size = found.norm / max(sum(one.numel() for one in matrices), 1) ** 0.5
    began = time.perf_counter()
    model.train()
    for update in range(updates):
        torch.manual_seed(update)
        loss = patient.loss(batch)
        optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()
        found.losses.append(float(loss.detach()))
        note(found, model)
        clipped = min(1.0, (config.max_grad_norm or math.inf) / (found.norms[-1] + 1e-6))
        if update == 0 and clipped < 1:
            found.kept = _kept(optimizer, learning, clipped)
        for one in learning:
            if one.grad is not None:
                one.grad.mul_(clipped)
        found.ratios.append(_step(optimizer, learning))
        slow = time.perf_counter() - began > patient.seconds and update + 1 >= LEAST
        if slow or not math.isfinite(found.losses[-1]):
            break
    found.moved = [name for name, one in still(model).items() if not torch.equal(one, before[name])]
    return found


def still(model: nn.Module) -> dict[str, torch.Tensor]:
    """What must not change: parameters that do not learn, and what batch norms count whose own do not."""
    named: dict[str, torch.Tensor] = {name: one for name, one in model.named_parameters() if not one.requires_grad}
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and own and not any(one.requires_grad for one in own):
            named |= {f"{name}.{what}": value for what, value in module.named_buffers(recurse=False)}
    return named


def note(found: Trial, model: nn.Module) -> None:
    """Note the gradients of an update."""
    squared = 0.0
    for name, one in model.named_parameters():
        size = float(one.grad.norm()) if one.grad is not None else 0.0
        squared += size**2
        if size > 0:
            found.learnt.add(name)
        if len(found.losses) == 1 and one.requires_grad and one.ndim > 1 and (weight := float(one.detach().norm())):
            found.flow[name] = size / weight
    found.norms.append(squared**0.5)


def _step(optimizer: Any, learning: list[nn.Parameter]) -> float:
    """Make an update; its norm by that of the weights."""
    before = [one.detach().clone() for one in learning]
    optimizer.step()
    moved = torch.nn.utils.get_total_norm([one.detach() - old for one, old in zip(learning, before, strict=True)])
    return float(moved / torch.nn.utils.get_total_norm(before).clamp(min=1e-12))


def _kept(optimizer: Any, learning: list[nn.Parameter], clipped: float) -> float:
    """What clipping leaves of the first update, weight decay apart: of Adam's, which knows no scale, all but always
    the whole. Both updates are taken back."""
    before, decays = (
        [one.detach().clone() for one in learning],
        [group["weight_decay"] for group in optimizer.param_groups],
    )
    ratios = []
    for scale in (1.0, clipped):
        for group in optimizer.param_groups:
            group["weight_decay"] = 0.0
        gradients = [one.grad if one.grad is None else one.grad.clone() for one in learning]
        for one in learning:
            if one.grad is not None:
                one.grad.mul_(scale)
        ratios.append(_step(optimizer, learning))
        optimizer.state.clear()
        with torch.no_grad():
            for one, old, gradient in zip(learning, before, gradients, strict=True):
                one.copy_(old)
                one.grad = gradient
    for group, decay in zip(optimizer.param_groups, decays, strict=True):
        group["weight_decay"] = decay
    return ratios[1] / max(ratios[0], 1e-12)
