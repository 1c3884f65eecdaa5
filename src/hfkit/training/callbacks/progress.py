"""Progress: the bar on the screen."""

import contextlib
import math
import time
from collections.abc import Iterator

from hfkit.base.progress import Bar
from hfkit.data.batching import Update
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine, Share


class Progress(Callback):
    """The bar: updates done, the mean loss of this process's rows (the log has all's), rows a second, time left.

    Time left goes by tokens, and has in it the looks at validation that are to come, as long as the last one took."""

    def on_train_begin(self, engine: Engine) -> None:
        total, done = engine.total_steps, {"count": engine.state.step, "work": engine.state.tokens}
        self.bar = Bar("train", "update", total, planned=engine.plan.tokens(total), hidden=engine.quiet, **done)
        self.look, self.rows, self.began = engine.look_seconds, 0, time.perf_counter()

    def on_backward(self, engine: Engine, update: Update, share: Share, loss: float) -> None:
        if not self.bar.hidden:
            mine = sum(engine.task.weight(batch) for batch, real in share if real)  # not the update's: `loss` is ours
            self.bar.note = f"loss {loss / mine:.3f}"

    def on_update_end(self, engine: Engine, update: Update) -> None:
        self.rows += len(update.rows)
        if not self.bar.hidden:
            self.bar.note += f", {self.rows / (time.perf_counter() - self.began):.1f} rows/s"
        self.bar.later = self.look * _looks(engine)
        self.bar.update(1, float(engine.plan.lengths[update.rows].sum()))

    @contextlib.contextmanager
    def evaluating(self, engine: Engine) -> Iterator[None]:
        began = time.perf_counter()
        with self.bar.paused():
            yield
        self.look = time.perf_counter() - began
        self.began += self.look

    def on_train_end(self, engine: Engine) -> None:
        self.bar.close()


def _looks(engine: Engine) -> int:
    """Looks at validation between here and the end."""
    state, left = engine.state, engine.total_steps - engine.state.step
    if engine.config.eval_strategy == "no":
        return 0
    if engine.config.eval_strategy == "steps":
        return math.ceil(left / (engine.config.eval_steps or 1))
    return math.ceil(round(state.epoch / max(state.step, 1) * left, 6))
