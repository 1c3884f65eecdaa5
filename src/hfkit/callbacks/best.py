"""The best model so far, and when to stop looking for a better one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hfkit.callbacks.base import Callback

if TYPE_CHECKING:
    from hfkit.engine import Engine


class BestModel(Callback):
    """Saves the model to `model/` whenever its figure on validation is the best so far. No limit ever deletes it."""

    def __init__(self, metric: str, greater_is_better: bool, save: Callable[[], None]) -> None:
        self.metric, self.sign, self.save = f"eval_{metric}", 1 if greater_is_better else -1, save

    def on_evaluate(self, engine: "Engine", figures: dict[str, float]) -> None:
        if self.metric not in figures:
            known = ", ".join(sorted(name.removeprefix("eval_") for name in figures))
            raise HfkitError(f"--metric_for_best_model {self.metric[5:]} is not measured", fix=f"one of: {known}")
        best, state = figures[self.metric], engine.state
        if state.best_value is None or self.sign * (best - state.best_value) > 0:
            state.best_value, state.best_step = best, state.step
            self.save()


class EarlyStopping(Callback):
    """Stops after `patience` looks that were not better than the best by `threshold`. Patience survives a resume."""

    def __init__(self, metric: str, greater_is_better: bool, patience: int, threshold: float) -> None:
        self.metric, self.sign = f"eval_{metric}", 1 if greater_is_better else -1
        self.patience, self.threshold = patience, threshold
        self.best: float | None = None
        self.waited = 0

    def on_evaluate(self, engine: "Engine", figures: dict[str, float]) -> None:
        value = figures[self.metric]
        better = self.best is None or self.sign * (value - self.best) > self.threshold
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        if self.waited >= self.patience:
            engine.state.stopped = f"early: {self.metric} was not better at {self.waited} evaluations in a row"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, engine: "Engine", state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
