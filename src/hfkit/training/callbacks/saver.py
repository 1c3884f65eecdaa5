"""Saver: puts the whole engine into a checkpoint, and back."""

import copy
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from hfkit.base.errors import HfkitError
from hfkit.data.batching import Update
from hfkit.models import sharding
from hfkit.training import checkpoint
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine


class Saver(Callback):
    """Writes a checkpoint on `on_save`, and when a signal ended training.

    Training waits for a copy of the tensors in memory, not for the disk: a thread writes, hashes and syncs them. There
    is one copy at most, so a save that is due before the last one is written waits for it. A disk that fails ends
    training after the update at hand, in one HfkitError: the checkpoints before it are whole."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit, self.asked = folder, limit, False
        self.thread = ThreadPoolExecutor(1, "checkpoint")
        self.writing: Future[None] | None = None
        self.saved: int | None = None  # the update of the last checkpoint

    def on_train_begin(self, engine: Engine) -> None:
        if engine.accelerator.is_main_process:
            checkpoint.sweep(self.folder)

    def on_update_end(self, engine: Engine, update: Update) -> None:
        if not self.asked and engine.config.save_strategy != "no" and engine.accelerator.is_main_process:
            # The first update has given the optimizer its state. A disk too small for it is told now, not at the save.
            checkpoint.check_space(self.folder, tensors_of(engine))
        self.asked = True
        if self.writing is not None and self.writing.done():
            self._finish()

    def on_save(self, engine: Engine) -> None:
        state, tensors, main = state_of(engine), tensors_of(engine), engine.accelerator.is_main_process
        self._finish()
        copies = {file: copied(content, keep=main) for file, content in tensors.items()}
        if main:
            self.writing = self.thread.submit(self._write, engine.state.step, copies, state)
        self.saved = engine.state.step

    def on_train_end(self, engine: Engine) -> None:
        if engine.state.stopped == "interrupted" and self.saved != engine.state.step:
            self.on_save(engine)
        self._finish()
        if engine.accelerator.is_main_process:
            checkpoint.sweep(self.folder)
        # A launcher ends all processes when one has ended: not before this one has written.
        engine.accelerator.wait_for_everyone()

    def close(self) -> None:
        """Let the writing come to its end, also where an error ended training: that one is told, not this one's."""
        self.thread.shutdown()

    def _write(self, step: int, tensors: dict[str, checkpoint.Tensors], state: dict[str, Any]) -> None:
        checkpoint.prune(self.folder, self.limit, checkpoint.save(self.folder, step, tensors, state))

    def _finish(self) -> None:
        """Wait for the checkpoint that is being written; its error is raised here."""
        if self.writing is not None:
            writing, self.writing = self.writing, None
            writing.result()


def copied(tensors: checkpoint.Tensors, keep: bool) -> checkpoint.Tensors:
    """Copies in the machine's own memory, in one piece, for the process that keeps them: training goes on and changes
    the tensors. All processes have to call this, see `sharding.whole`."""
    copies = {}
    for name, tensor in tensors.items():
        (whole,) = sharding.whole({name: tensor}, keep).values()
        if keep:
            copies[name] = whole.detach().to("cpu", copy=True)
    return copies


def tensors_of(engine: Engine) -> dict[str, checkpoint.Tensors]:
    """The tensors that decide the rest of the run, by file; not copied, and slices where weights are sharded."""
    optimizer, _ = checkpoint.optimizer_state(engine.optimizer)
    kept = {
        f"{type(callback).__name__}/{key}": value
        for callback in engine.callbacks
        for key, value in callback.state_dict().items()
        if isinstance(value, torch.Tensor)
    }
    return {"model": checkpoint.model_state(engine.module), "optimizer": optimizer, "callbacks": kept}


def state_of(engine: Engine) -> dict[str, Any]:
    """Everything else, in JSON: a copy, training goes on. On every process: they add up what each has counted."""
    callbacks = {
        type(callback).__name__: {
            key: value for key, value in callback.state_dict().items() if not isinstance(value, torch.Tensor)
        }
        for callback in engine.callbacks
    }
    scaler = engine.accelerator.scaler
    state = {
        "loop": engine.state_dict(),
        "optimizer": checkpoint.optimizer_state(engine.optimizer)[1],
        "scheduler": engine.scheduler.state_dict(),
        "scaler": scaler.state_dict() if scaler is not None else None,
        "callbacks": callbacks,
    }
    return copy.deepcopy(state)


def restore(engine: Engine, place: Path) -> None:
    """Bring a new engine to where `place` was written; an HfkitError where other callbacks, weights or another version
    of hfkit wrote it."""
    tensors, state = checkpoint.load(place)
    names = [type(callback).__name__ for callback in engine.callbacks]
    if sorted(names) != sorted(state["callbacks"]):
        raise HfkitError(f"{place} was written with other callbacks", fix="begin again with --overwrite")
    try:
        engine.load_state_dict(state["loop"])
        for name, callback in zip(names, engine.callbacks, strict=True):
            mine = f"{name}/"
            own = {key.removeprefix(mine): kept for key, kept in tensors["callbacks"].items() if key.startswith(mine)}
            callback.load_state_dict(engine, own | state["callbacks"][name])
        checkpoint.restore_model(engine.module, tensors["model"])
        checkpoint.restore_optimizer(engine.optimizer, tensors["optimizer"], state["optimizer"])
        engine.scheduler.load_state_dict(checkpoint.plain(state["scheduler"]))
        if engine.accelerator.scaler is not None:
            engine.accelerator.scaler.load_state_dict(checkpoint.plain(state["scaler"]))
    except (KeyError, TypeError) as error:
        fix = "go on with the version that began the run, or begin again with --overwrite"
        raise HfkitError(f"{place} does not hold what this version of hfkit writes: {error}", fix=fix) from error
