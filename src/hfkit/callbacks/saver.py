"""Saver: puts the whole engine into a checkpoint, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hfkit import checkpoint, sharding
from hfkit.callbacks.base import Callback
from hfkit.errors import HfkitError

if TYPE_CHECKING:
    from hfkit.engine import Engine


class Saver(Callback):
    """Writes a checkpoint on `on_save`, and when a signal ended training."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def on_save(self, engine: "Engine") -> None:
        tensors, state = snapshot(engine)
        if engine.accelerator.is_main_process:
            place = checkpoint.save(self.folder, engine.state.step, tensors, state)
            checkpoint.prune(self.folder, self.limit, place)
        engine.accelerator.wait_for_everyone()

    def on_train_end(self, engine: "Engine") -> None:
        if engine.state.stopped == "interrupted":
            self.on_save(engine)


def snapshot(engine: "Engine") -> tuple[dict[str, checkpoint.Tensors], dict[str, Any]]:
    """Everything that decides the rest of the run: tensors by file, and JSON."""
    optimizer, rest = checkpoint.optimizer_state(engine.optimizer)
    kept: checkpoint.Tensors = {}
    callbacks: dict[str, dict[str, Any]] = {}
    for callback in engine.callbacks:
        name = type(callback).__name__
        entries = callback.state_dict()
        kept.update({f"{name}/{key}": value for key, value in entries.items() if isinstance(value, torch.Tensor)})
        callbacks[name] = {key: value for key, value in entries.items() if not isinstance(value, torch.Tensor)}
    scaler = engine.accelerator.scaler
    state = {
        "loop": engine.state_dict(),
        "optimizer": rest,
        "scheduler": checkpoint.to_json(engine.scheduler.state_dict()),
        "scaler": checkpoint.to_json(scaler.state_dict()) if scaler is not None else None,
        "callbacks": callbacks,
    }
    tensors = {"model": checkpoint.model_state(engine.module), "optimizer": optimizer, "callbacks": kept}
    main = engine.accelerator.is_main_process
    return {name: sharding.whole(content, keep=main) for name, content in tensors.items()}, state


def restore(engine: "Engine", place: Path) -> None:
    """Bring a new engine to where `place` was written.

    Raises:
        HfkitError: The checkpoint was written by a run with other callbacks, weights or precision.
    """
    tensors, state = checkpoint.load(place)
    names = [type(callback).__name__ for callback in engine.callbacks]
    if sorted(names) != sorted(state["callbacks"]):
        raise HfkitError(f"{place} was written with other callbacks", fix="begin again with --overwrite")
    engine.load_state_dict(state["loop"])
    for name, callback in zip(names, engine.callbacks, strict=True):
        mine = f"{name}/"
        own = {key.removeprefix(mine): kept for key, kept in tensors["callbacks"].items() if key.startswith(mine)}
        callback.load_state_dict(engine, own | state["callbacks"][name])
    checkpoint.restore_model(engine.module, tensors["model"])
    checkpoint.restore_optimizer(engine.optimizer, tensors["optimizer"], state["optimizer"])
    engine.scheduler.load_state_dict(checkpoint.from_json(state["scheduler"]))
    if engine.accelerator.scaler is not None:
        engine.accelerator.scaler.load_state_dict(checkpoint.from_json(state["scaler"]))
