"""Checks of learning: one batch is learnt by heart, and what every setting did to that is looked at."""

import math
from typing import Any

import numpy as np

from hfkit.data.batching import BatchPlan
from hfkit.training.doctor.finding import Finding, Findings, fault, graded, left_out
from hfkit.training.doctor.patient import Patient
from hfkit.training.doctor.trial import Trial

HIGH, LOW = 0.5, 5e-4
"""Of one update's norm by the weights': above the first the network is another one; and of all of a run's updates
together, below the second nothing has moved. Usual is 1e-4 to 3e-2 an update."""


def no_signal_left(patient: Patient) -> Findings:
    """`label_smoothing`: what a model could win at most by learning; `class_weights`: rows that count for nothing."""
    names = patient.classes
    smoothing = float(getattr(patient.task, "label_smoothing", 0.0) or 0.0)
    if names is None:
        yield left_out("label_smoothing", "rows have not one label each")
        return
    low = smoothing / len(names)
    floor = -sum(
        count * share * math.log(share) for count, share in ((1, 1 - smoothing + low), (len(names) - 1, low)) if share
    )
    lost = floor / math.log(len(names))
    evidence = f"label smoothing of {smoothing:g} leaves {1 - lost:.1%} of what {len(names)} labels tell"
    yield graded("label_smoothing", lost, evidence, "smooth by 0.1: --label_smoothing_factor", warn=0.9, fail=0.95)
    weights = getattr(patient.task, "class_weights", None)
    if not weights:
        return
    each = np.asarray(weights)[np.asarray(patient.encoded["train"]["labels"][:])]
    dead = [
        name
        for name, weight in zip(getattr(patient.task, "labels", names), weights, strict=True)
        if not weight > 0 or weight == math.inf
    ]
    counted = float(each.sum() ** 2 / max((each**2).sum(), 1e-12) / len(each))
    evidence = f"the rows weigh as {counted:.1%} of them would; without weight: {', '.join(dead) or 'no label'}"
    fix = "give weights above 0 that differ less"
    yield fault("class_weights", bool(dead) or counted < 0.02, evidence, fix, "every label, and 2 % of the rows")


def sorted_rows(patient: Patient) -> Findings:
    """`sorted_rows`: updates that see one label alone, though there are others."""
    if patient.classes is None:
        yield left_out("sorted_rows", "rows have not one label each")
        return
    labels, config = np.asarray(patient.learnt["labels"][:]), patient.config
    size = config.per_device_train_batch_size * config.gradient_accumulation_steps
    strategy, lengths = config.train_sampling_strategy, np.asarray(patient.learnt["length"][:])
    plan = BatchPlan(lengths, config.per_device_train_batch_size, config.gradient_accumulation_steps, strategy)
    seen = [len(set(labels[update.rows].tolist())) for update in plan.epoch(0) if len(update.rows) == size]
    alone = float(np.mean([many == 1 for many in seen])) if seen else 0.0
    chance = float(((np.bincount(labels) / len(labels)) ** size).sum())
    evidence = f"{alone:.1%} of the updates see one label alone, by chance {chance:.1%} would"
    yield graded("sorted_rows", alone - chance, evidence, "--train_sampling_strategy random", warn=0.2, fail=0.5)


def learns(patient: Patient, trial: Trial, steps: int) -> Findings:
    """What was seen when one batch was learnt by heart; causes before what they cause."""
    last, first = float(np.mean(trial.losses[-3:])), trial.losses[0]
    finite = math.isfinite(last)
    evidence = f"loss {first:.3g} -> {last:.3g} in {len(trial.losses)} updates of one batch"
    yield fault("finite_loss", not math.isfinite(first), evidence, "look at the rows, and at --mixed_precision")
    yield _clipping(patient, trial)
    yield _weight_decay(patient.config, trial, steps)
    peak, once = max(trial.losses), max(trial.ratios[:3])  # Adam's first updates are its largest
    said = f"an update changes the weights by {once:.2g} of their norm; {evidence}, {peak:.3g} at most"
    wild = not finite or once > HIGH or (once > HIGH / 10 and peak > 2 * first)
    fix = f"--learning_rate {patient.config.learning_rate / 100:.0e}, or what hfkit doctor --lr_range says"
    limit = f"{HIGH:g}; or {HIGH / 10:g} where the loss doubles"
    yield fault("learning_rate_high", wild, said, fix, limit)
    ratio = float(np.median(trial.ratios))
    all_in_all = ratio * steps
    said = f"{steps:,} updates of {ratio:.2g} change the weights by {all_in_all:.2g} of their norm at most"
    fix = "a higher --learning_rate, or what hfkit doctor --lr_range says"
    yield graded("learning_rate_low", LOW / max(all_in_all, 1e-12), said, fix, warn=1, fail=10)
    stuck = finite and last > 0.98 * first and len(trial.losses) > 10 and first > 1e-3
    yield fault("overfit_one_batch", stuck, evidence, "see the findings above", "a loss that falls by 2 %", "WARN")


def _clipping(patient: Patient, trial: Trial) -> Finding:
    norm = trial.norms[0]
    often = float(np.mean([size > (patient.config.max_grad_norm or math.inf) for size in trial.norms]))
    evidence = (
        f"gradients of norm {norm:.2g}, {often:.0%} of the updates clipped: {trial.kept:.1%} of the first is left"
    )
    return graded("clipping", 1 - trial.kept, evidence, "--max_grad_norm 1", warn=0.97, fail=0.99)


def _weight_decay(config: Any, trial: Trial, steps: int) -> Finding:
    """Where decay wins: of AdamW the weights end at about sqrt(rate / (2 decay)) (Kosson et al. 2023); of plain
    gradients where the two pulls are equal."""
    rate, decay = config.learning_rate, config.weight_decay
    if "adam" in config.optim:
        left = math.sqrt(rate / (2 * decay)) / max(trial.size, 1e-12) if decay else math.inf
    else:
        left = trial.norms[0] / max(decay * trial.norm, 1e-12) if decay else math.inf
    shrunk = rate * decay * steps
    evidence = f"weights of {trial.size:.2g} would be pulled to {left:.2g} of that, {shrunk:.2g} times over in the run"
    return fault("weight_decay", left < 0.1 and shrunk > 1, evidence, "--weight_decay 0.01", "a tenth, once")


def flows(patient: Patient, trial: Trial, optimizer: Any) -> Findings:
    """`frozen_head`, `moving_norms`, `no_optimizer`, `no_gradient`, `gradient_flow`: which parameters learn."""
    named = dict(patient.model.named_parameters())
    learning = [name for name, one in named.items() if one.requires_grad]
    yield _moved(trial)
    held = {
        id(one)
        for group in optimizer.param_groups
        if group.get("initial_lr", group["lr"]) > 0
        for one in group["params"]
    }
    lost = [name for name in learning if id(named[name]) not in held]
    evidence = f"{len(lost)} of {len(learning)} parameters that learn stand in no group of the optimizer{_such(lost)}"
    yield fault("no_optimizer", bool(lost), evidence, "give the optimizer all that learns")
    without = [name for name in learning if name not in trial.learnt]
    if patient.task.joint:
        yield left_out("no_gradient", "its head learns apart from its loss")
        return
    share = sum(named[name].numel() for name in without) / max(1, sum(named[name].numel() for name in learning))
    evidence = (
        f"{len(without)} of {len(learning)} parameters that learn had no gradient, {share:.1%} of them{_such(without)}"
    )
    fix = "freeze them, or find where the graph is cut (detach, no_grad, an unused layer)"
    yield graded("no_gradient", share if without else 0.0, evidence, fix, warn=1e-4, fail=0.02)
    flow = {name: size for name, size in trial.flow.items() if size > 0}  # an adapter begins with zeros
    if len(flow) > 1:
        low, middle = min(flow, key=lambda name: flow[name]), float(np.median(list(flow.values())))
        times = middle / max(flow[low], 1e-30)
        evidence = f"gradient by weight: least in {low}, {times:.2g} times below the median layer"
        yield graded("gradient_flow", times, evidence, "look for a saturated or a dead layer", warn=1e6)


def _moved(trial: Trial) -> Finding:
    evidence = f"{len(trial.moved)} that do not learn changed in training{_such(trial.moved)}"
    return fault("moving_norms", bool(trial.moved), evidence, "put frozen norms in eval(), as hfkit's still_norms does")


def _such(names: list[str]) -> str:
    return f", such as {names[0]}" if names else ""
