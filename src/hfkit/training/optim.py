"""Which parameters share a learning rate and weight decay, the optimizer over them, and its schedule."""

import inspect
import math
import re
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, Adafactor, GreedyLR, get_scheduler

from hfkit.base.errors import HfkitError, check_known, nearest
from hfkit.base.untrusted import read_json
from hfkit.config import OptimArguments

# Schedules that answer to the validation loss: step them with it, after an evaluation and not after an update.
ON_METRIC = (ReduceLROnPlateau, GreedyLR)

# A layer's place in its stack: bert.encoder.layer.3, transformer.h.3, model.layers.3, vit.blocks.3, albert_layers.0.
LAYER = re.compile(r"^(?:.*?\.)?(?:\w*(?:layers?|blocks?|stages?|layer_groups)|h)\.\d+(?=\.)")


def build_optimizer(model: nn.Module, config: OptimArguments) -> Optimizer:
    """The optimizer over every parameter of `model`, frozen ones too, so that unfreezing needs no new group. The first
    group is nearest to the head: `get_last_lr()[0]` is the learning rate that was asked for. Raises HfkitError: the
    optimizer's name is unknown, or an entry of `--optim_args` does not belong to it."""
    # LBFGS asks for the loss again and again, SparseAdam for sparse gradients: not here.
    unfit = (Optimizer, torch.optim.LBFGS, torch.optim.SparseAdam)
    classes = [kind for kind in vars(torch.optim).values() if isinstance(kind, type) and issubclass(kind, Optimizer)]
    known = {kind.__name__.lower(): kind for kind in classes if kind not in unfit} | {"adafactor": Adafactor}
    create = known.get(config.optim.lower())
    if create is None:
        raise HfkitError(f"unknown optimizer {config.optim!r}", where="--optim", fix=nearest(config.optim, known))
    groups = parameter_groups(model, config)
    accepted = inspect.signature(create).parameters
    arguments: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": 0.0}  # the groups carry the real decay
    if create is Adafactor:
        arguments |= {"scale_parameter": False, "relative_step": False}  # else it would ignore the schedule
    if "betas" in accepted:
        arguments |= {"betas": (config.adam_beta1, config.adam_beta2), "eps": config.adam_epsilon}
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    if "fused" in accepted and devices <= {"cpu", "cuda", "xpu", "mps"}:  # torch refuses where there is no such kernel
        arguments["fused"] = True
    own = _json_arguments(config.optim_args, "--optim_args", config.optim, set(accepted) - {"params", "lr", "self"})
    if own.get("foreach"):
        arguments.pop("fused", None)  # torch takes one of the two
    arguments = {name: value for name, value in arguments.items() if name in accepted} | own
    try:
        return create(groups, **arguments)
    except (TypeError, ValueError) as error:
        raise HfkitError(f"{config.optim} does not take this: {error}", where="--optim and --optim_args") from error


def make_step(optimizer: Any, scaler: Any = None) -> bool:
    """One step of the optimizer. Returns whether it was made: with fp16 the scaler skips one whose gradients overflow,
    and lowers its scale. (Accelerate's `optimizer_step_was_skipped` does not know of fused optimizers, which skip
    within.)"""
    before = 0.0 if scaler is None else scaler.get_scale()
    optimizer.step()
    return scaler is None or bool(scaler.get_scale() >= before)


def parameter_groups(model: nn.Module, config: OptimArguments) -> list[dict[str, Any]]:
    """Groups of equal learning rate and weight decay, from the head down to the embeddings.

    Vectors (biases, the scales of norms) get no weight decay: shrinking them regularises nothing. With
    `--layer_wise_lr_decay` a parameter n layers below the head learns at learning_rate * decay ** n; the embeddings are
    the deepest layer, and what stands outside the layers (pooler, final norm, classifier) is the head."""
    distances = layer_distances(model)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point():  # quantised weights are integers and never learn
            distance = distances[name] if config.layer_wise_lr_decay != 1.0 else 0
            groups.setdefault((distance, parameter.ndim < 2), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": config.learning_rate * config.layer_wise_lr_decay**distance,
            "weight_decay": 0.0 if vectors else config.weight_decay,
        }
        for (distance, vectors), parameters in sorted(groups.items(), key=lambda entry: entry[0])
    ]


def layer_distances(model: nn.Module) -> dict[str, int]:
    """How many layers below the head each parameter is: 0 for the head, 1 for the last layer, the most for embeddings.
    Layers are found by their names and count in the order in which the model registers them, so an encoder stands below
    its decoder."""
    timm = next((module for module in model.modules() if hasattr(module, "group_matcher")), None)
    if timm is not None:
        return _timm_distances(model, timm)
    found = {name: LAYER.match(name) for name, _ in model.named_parameters()}
    layers = list(dict.fromkeys(match[0] for match in found.values() if match))
    tables = {name for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    distances = {}
    for name, match in found.items():
        embedding = "embed" in name.lower() or name.rpartition(".")[0] in tables
        distances[name] = len(layers) - layers.index(match[0]) if match else (len(layers) + 1) * embedding
    return distances


def _timm_distances(model: nn.Module, timm: Any) -> dict[str, int]:
    """As timm counts a model's layers: it knows of each architecture what is a block."""
    from timm.models import group_parameters

    found = group_parameters(timm, timm.group_matcher(coarse=False), reverse=True)
    head = max(found.values(), default=0)
    by_parameter = {id(parameter): head - found[name] for name, parameter in timm.named_parameters() if name in found}
    return {name: int(by_parameter.get(id(parameter), 0)) for name, parameter in model.named_parameters()}


def build_scheduler(optimizer: Optimizer, config: OptimArguments, num_training_steps: int) -> LRScheduler:
    """The learning rate's course over `num_training_steps` updates; step it once an update.

    Do not give it to `Accelerator.prepare`, which would step it once for every process. Where the result is one of
    `ON_METRIC`, step it with the validation loss after an evaluation instead. Raises HfkitError: the schedule's name is
    unknown, it takes no warm-up, the warm-up is as long as the run, or an entry of `--lr_scheduler_kwargs` is not one
    of its arguments or is missing."""
    name = config.lr_scheduler_type
    known: dict[str, Any] = {kind.value: make for kind, make in TYPE_TO_SCHEDULER_FUNCTION.items()}
    known |= {**OWN_SCHEDULES, "reduce_lr_on_plateau": ReduceLROnPlateau, "greedy": GreedyLR}
    check_known(name, known, f"unknown schedule {name!r}", "--lr_scheduler_type")
    fixed = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch", "step", "total", "self"}
    accepted = set(inspect.signature(known[name]).parameters) - fixed
    arguments = _json_arguments(config.lr_scheduler_kwargs, "--lr_scheduler_kwargs", name, accepted)
    warmup = int(config.warmup_steps)
    if config.warmup_steps < 1:  # a share of all updates, rounded up; the last one never warms up
        warmup = min(math.ceil(config.warmup_steps * num_training_steps), max(num_training_steps - 1, 0))
    if config.warmup_steps >= 1 and warmup >= num_training_steps:
        updates = f"{num_training_steps} update{'s' * (num_training_steps > 1)}"
        never = f"the learning rate would never reach {config.learning_rate:g}"
        what = f"--warmup_steps {warmup} is not below the run's {updates}: {never}"
        raise HfkitError(what, fix="give fewer, or a share of the updates such as 0.1")
    if warmup and name in ("constant", "reduce_lr_on_plateau", "greedy"):  # transformers drops it without a word
        fix = "use constant_with_warmup" if name == "constant" else "drop --warmup_steps"
        raise HfkitError(f"the schedule {name} has no warm-up", where="--warmup_steps", fix=fix)
    if name == "greedy":  # its own bounds, 0.001 and 1, are absolute: they would throw 5e-5 up to 0.001
        arguments = {"min_lr": 0.01 * config.learning_rate, "max_lr": 10 * config.learning_rate} | arguments
    try:
        if name in OWN_SCHEDULES:
            factor = partial(OWN_SCHEDULES[name], total=max(num_training_steps - warmup, 1), **arguments)
            factor(0)  # a wrong argument shows here, and not at the first update
            return LambdaLR(optimizer, lambda step: step / warmup if step < warmup else factor(step - warmup))
        return get_scheduler(name, optimizer, warmup, num_training_steps, arguments)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        what = f"the schedule {name} cannot be made: {error}"
        fix = f"it takes {', '.join(sorted(accepted)) or 'no arguments'}"
        raise HfkitError(what, where="--lr_scheduler_kwargs", fix=fix) from error


def step(step: int, total: int, step_size: int | None = None, gamma: float = 0.1) -> float:
    """torch's StepLR: times `gamma` every `step_size` updates. Default: a third of all updates."""
    return float(gamma ** (step // (step_size or max(math.ceil(total / 3), 1))))


def multistep(step: int, total: int, milestones: list[int] | None = None, gamma: float = 0.1) -> float:
    """torch's MultiStepLR: times `gamma` at each of `milestones`. Default: after half and three quarters."""
    return float(gamma ** bisect_right(sorted(milestones or [total // 2, total * 3 // 4]), step))


def one_cycle(
    step: int, total: int, pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
) -> float:
    """torch's OneCycleLR (cosine, momentum left alone): up from 1 / div_factor to the learning rate asked for, then
    down to far below it. Smith and Topin, "Super-Convergence", 2018."""
    low, peak, end = 1 / div_factor, pct_start * total - 1, total - 1
    if step < peak:
        return _cosine(low, 1.0, step / peak)
    return _cosine(1.0, low / final_div_factor, min((step - peak) / (end - peak), 1.0) if end > peak else 1.0)


def warm_restarts(step: int, total: int, t_0: int | None = None, t_mult: int = 1, min_factor: float = 0.0) -> float:
    """torch's CosineAnnealingWarmRestarts: cosine from 1 to `min_factor`, again every `t_0` updates, each cycle
    `t_mult` times as long as the one before. Default: three equal ones. Loshchilov and Hutter, "SGDR", 2017."""
    length = t_0 or max(math.ceil(total / 3), 1)
    while step >= length:
        step -= length
        length *= t_mult
    return _cosine(1.0, min_factor, step / length)


# Factors on the learning rate as plain functions of the update, because then one warm-up serves all, groups keep their
# own learning rates (torch's OneCycleLR sets one for all), and a resume needs the number of the update and no more.
OWN_SCHEDULES: dict[str, Callable[..., float]] = {
    own.__name__: own for own in (step, multistep, one_cycle, warm_restarts)
}


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _json_arguments(text: str | None, flag: str, name: str, accepted: set[str]) -> dict[str, Any]:
    """The JSON object of a flag, its keys checked. JSON has no tuples, and torch wants them for betas and eps."""
    fix = f"write {flag} '{{\"name\": 1}}'"
    arguments = read_json(text or "{}", flag, f"{text}", fix)
    if not isinstance(arguments, dict):
        raise HfkitError(f"{text} is not a JSON object", where=flag, fix=fix)
    for key in arguments:
        if key not in accepted:
            fix = nearest(key, accepted) if accepted else "drop the flag: it takes no arguments"
            raise HfkitError(f"{name} has no argument {key!r}", where=flag, fix=fix)
    return arguments | {key: tuple(arguments[key]) for key in ("betas", "eps") if isinstance(arguments.get(key), list)}
