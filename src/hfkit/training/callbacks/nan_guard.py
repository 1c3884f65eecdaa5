"""NanGuard: stops at the first loss or gradient that is not a number, and says where it came from."""

import math
from functools import partial
from typing import Any

import torch
from datasets import Dataset

from hfkit.base.errors import HfkitError
from hfkit.data.batching import Update
from hfkit.models import sharding
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine, Share


class NanGuard(Callback):
    """Raises before the step is made, so that the weights, and every checkpoint, stay sound.

    With fp16 a gradient that overflows is normal: the loss scaler skips the step and tries a smaller scale. A loss that
    is not finite is an error in every precision."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def on_backward(self, engine: Engine, update: Update, share: Share, loss: float) -> None:
        scaled = engine.accelerator.scaler is not None
        if math.isfinite(loss) and (scaled or math.isfinite(engine.grad_norm)):
            return
        rows = update.share(engine.accelerator.process_index, engine.accelerator.num_processes)
        # Sharded weights: a forward pass takes all processes, and not all may have come here.
        for place, (batch, real) in enumerate([] if sharding.is_sharded(engine.module) else share):
            layer = first_bad_layer(engine, batch, place) if real else None
            if layer is not None:
                raise self._error(engine, rows[place], f"the output of {layer}")
        bad = [
            name
            for name, parameter in engine.module.named_parameters()
            if parameter.grad is not None and not torch.isfinite(sharding.local(parameter.grad)).all()
        ]
        raise self._error(engine, update.rows, f"the gradient of {bad[-1]}" if bad else "the loss itself")

    def _error(self, engine: Engine, rows: list[int], origin: str) -> HfkitError:
        ids = [str(self.dataset[row]["id"]) for row in rows]
        shown = ", ".join(ids[:32]) + (f" and {len(ids) - 32} more" if len(ids) > 32 else "")
        what = f"the loss is not finite at update {engine.state.step + 1}: it came from {origin}"
        fix = "set a smaller --learning_rate, more --warmup_steps or --mixed_precision no; look at these examples"
        return HfkitError(what, where=f"examples {shown}", fix=fix)


@torch.no_grad()
def first_bad_layer(engine: Engine, batch: dict[str, torch.Tensor], place: int) -> str | None:
    """Run a batch again, with the same dropout, and name the first module whose output is not finite."""
    found: list[str] = []

    def look(name: str, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, torch.Tensor) and not found and not torch.isfinite(first).all():
            found.append(name)

    handles = [one.register_forward_hook(partial(look, name)) for name, one in engine.module.named_modules() if name]
    try:
        processes, process = engine.accelerator.num_processes, engine.accelerator.process_index
        engine.seed(engine.state.step, place * processes + process)
        engine.task.loss_and_predictions(engine.module, batch)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None
