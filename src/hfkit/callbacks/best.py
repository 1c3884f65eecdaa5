"""The best model so far, and when to stop looking for a better one."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hfkit.callbacks.base import Callback
from hfkit.errors import HfkitError, nearest

if TYPE_CHECKING:
    from hfkit.engine import Engine


class ModelKeeper(Callback):
    """Writes `model/`: whenever the figure on validation is the best so far, or at the end, the last one.

    The best model has a place of its own, so no limit on checkpoints ever deletes it.

    Args:
        metric: The figure that says best, without `eval_`.
        greater_is_better: Its direction.
        save: Writes the model as it stands.
        only_best: Whether the last model is wanted only where it is the best.
    """

    def __init__(self, metric: str, greater_is_better: bool, save: Callable[[], None], only_best: bool) -> None:
        self.metric, self.sign = f"eval_{metric}", 1 if greater_is_better else -1
        self.save, self.only_best = save, only_best

    def on_evaluate(self, engine: "Engine", figures: dict[str, float]) -> None:
        value, state = measured(figures, self.metric), engine.state
        if math.isnan(value):
            return
        if state.best_value is None or self.sign * (value - state.best_value) > 0:
            state.best_value, state.best_step = value, state.step
            if self.only_best:
                self.save()

    def on_train_end(self, engine: "Engine") -> None:
        if engine.state.stopped != "interrupted" and not self.only_best:
            with engine.averaged():
                self.save()


class EarlyStopping(Callback):
    """Stops after `patience` looks that were not better than the best by `threshold`. Patience survives a resume."""

    def __init__(self, metric: str, greater_is_better: bool, patience: int, threshold: float) -> None:
        self.metric, self.sign = f"eval_{metric}", 1 if greater_is_better else -1
        self.patience, self.threshold = patience, threshold
        self.best: float | None = None
        self.waited = 0

    def on_evaluate(self, engine: "Engine", figures: dict[str, float]) -> None:
        value = measured(figures, self.metric)
        better = self.best is None or self.sign * (value - self.best) > self.threshold
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        if self.waited >= self.patience:
            engine.state.stopped = f"early: {self.metric} was not better at {self.waited} evaluations in a row"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, engine: "Engine", state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]


def measured(figures: dict[str, float], metric: str) -> float:
    """A figure by name; a name that is not measured is the user's `--metric_for_best_model`."""
    if metric not in figures:
        known = (name.removeprefix("eval_") for name in figures)
        fix = nearest(metric.removeprefix("eval_"), known)
        raise HfkitError(f"{metric.removeprefix('eval_')} is not measured", where="--metric_for_best_model", fix=fix)
    return figures[metric]
