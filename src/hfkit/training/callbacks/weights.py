"""What changes the weights beside the optimizer: averaging and unfreezing."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch

from hfkit.data.batching import Update
from hfkit.models import sharding
from hfkit.models.adapting.freezing import unfreeze
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine
from hfkit.training.optim import layer_distances


class Ema(Callback):
    """An exponential moving average of the weights (Polyak & Juditsky 1992); it is evaluated and saved in their place.
    The average starts fast, min(decay, (1 + n) / (10 + n)), so that a short run is not held at its start."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: dict[str, torch.Tensor] = {}

    def on_epoch_begin(self, engine: Engine, epoch: int) -> None:
        for name, weight in engine.module.named_parameters():
            if weight.requires_grad and name not in self.average:  # what Unfreeze let go joins the average here
                self.average[name] = weight.detach().clone()

    @torch.no_grad()
    def on_update_end(self, engine: Engine, update: Update) -> None:
        step = engine.state.step
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, weight in engine.module.named_parameters():
            if name in self.average:
                self.average[name].lerp_(weight.detach(), 1 - decay)

    @contextlib.contextmanager
    def evaluating(self, engine: Engine) -> Iterator[None]:
        self._swap(engine)
        try:
            yield
        finally:
            self._swap(engine)

    @torch.no_grad()
    def _swap(self, engine: Engine) -> None:
        weights = dict(engine.module.named_parameters())
        for name, average in self.average.items():
            kept = weights[name].detach().clone()
            weights[name].copy_(average)
            average.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.average)

    def load_state_dict(self, engine: Engine, state: dict[str, Any]) -> None:
        weights = dict(engine.module.named_parameters())
        device = engine.accelerator.device
        self.average = {name: sharding.cut(tensor.to(device), weights[name]) for name, tensor in state.items()}


class Unfreeze(Callback):
    """Lets the frozen parameters learn from the start of an epoch on; with `layers` so many layers at the start of each
    epoch, from the head down to the embeddings (gradual unfreezing: ULMFiT, Howard and Ruder 2018)."""

    def __init__(self, epoch: int, layers: int | None = None) -> None:
        self.epoch, self.layers = epoch, layers

    def on_epoch_begin(self, engine: Engine, epoch: int) -> None:
        due = epoch == self.epoch or (self.layers and epoch > self.epoch)
        if due and (found := self._let_go(engine, epoch)):
            left = sum(weight.numel() for weight in engine.module.parameters() if not weight.requires_grad)
            still = f"; {left:,} are still frozen" if left else ""
            engine.accelerator.print(f"epoch {epoch}: {found:,} frozen parameters learn from here on{still}")

    def load_state_dict(self, engine: Engine, state: dict[str, Any]) -> None:
        if engine.state.epoch > self.epoch:
            self._let_go(
                engine, math.ceil(engine.state.epoch) - 1
            )  # the epoch that it is in the middle or at the end of

    def _let_go(self, engine: Engine, epoch: int) -> int:
        near = None
        if self.layers:
            reached = self.layers * (epoch - self.epoch + 1)
            near = {name for name, distance in layer_distances(engine.module).items() if distance <= reached}
        found = unfreeze(engine.module, near)
        sharding.ask_again(engine.module)
        engine.rewrap()
        return found
