"""The best model so far, and when to stop looking for a better one."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hfkit.base import atomic
from hfkit.base.errors import HfkitError, nearest
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine


class ModelKeeper(Callback):
    """Writes `model/`: whenever the figure on validation is the best so far, or at the end, the last one. No limit on
    checkpoints deletes it, and its files' hashes are in every checkpoint after it. With `only_best` the last model is
    wanted only where it is the best; `save` writes the model to `folder` as it stands."""

    def __init__(
        self, metric: str, greater_is_better: bool, folder: Path, save: Callable[[], None], only_best: bool
    ) -> None:
        self.metric, self.sign = f"eval_{metric}", 1 if greater_is_better else -1
        self.folder, self.save, self.only_best = folder, save, only_best
        self.files: dict[str, Any] = {}

    def on_evaluate(self, engine: Engine, figures: dict[str, float]) -> None:
        value, state = measured(figures, self.metric), engine.state
        if math.isnan(value):
            return
        if state.best_value is None or self.sign * (value - state.best_value) > 0:
            state.best_value, state.best_step = value, state.step
            if self.only_best:
                self._keep(engine)

    def on_train_end(self, engine: Engine) -> None:
        if engine.state.stopped == "interrupted":
            return
        if not self.only_best:
            with engine.averaged():
                self._keep(engine)
        damage = atomic.damage(self.folder, self.files)  # empty but on the first process
        if damage:
            what = f"the best model, of update {engine.state.best_step}, is damaged: {damage[0]}"
            raise HfkitError(what, where=str(self.folder), fix="look at the disk, then begin again with --overwrite")

    def _keep(self, engine: Engine) -> None:
        self.save()
        if engine.accelerator.is_main_process:
            self.files = atomic.digests(self.folder)

    def state_dict(self) -> dict[str, Any]:
        return {"files": self.files}

    def load_state_dict(self, engine: Engine, state: dict[str, Any]) -> None:
        if engine.accelerator.is_main_process:
            self.files = state["files"]


class EarlyStopping(Callback):
    """Stops after `patience` looks that were not better than the best by `threshold`. Patience survives a resume."""

    def __init__(self, metric: str, greater_is_better: bool, patience: int, threshold: float) -> None:
        self.metric, self.sign = f"eval_{metric}", 1 if greater_is_better else -1
        self.patience, self.threshold = patience, threshold
        self.best: float | None = None
        self.waited = 0

    def on_evaluate(self, engine: Engine, figures: dict[str, float]) -> None:
        value = measured(figures, self.metric)
        better = self.best is None or self.sign * (value - self.best) > self.threshold
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        if self.waited >= self.patience:
            engine.state.stopped = f"early: {self.metric} was not better at {self.waited} evaluations in a row"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, engine: Engine, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]


def measured(figures: dict[str, float], metric: str) -> float:
    """A figure by name; a name that is not measured is the user's `--metric_for_best_model`."""
    if metric not in figures:
        name, known = metric.removeprefix("eval_"), [name.removeprefix("eval_") for name in figures]
        raise HfkitError(f"{name} is not measured", where="--metric_for_best_model", fix=nearest(name, known))
    return figures[metric]
