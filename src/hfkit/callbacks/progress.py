"""Progress: the bar on the screen."""

import time
from typing import TYPE_CHECKING

from hfkit.callbacks.base import Callback

if TYPE_CHECKING:
    from hfkit.batching import Update
    from hfkit.engine import Engine, Share


class Progress(Callback):
    """The bar: updates done, rows per second, time left, the mean loss of this process's rows (the log has all's)."""

    def on_train_begin(self, engine: "Engine") -> None:
        from tqdm.auto import tqdm

        state = engine.state
        self.bar = tqdm(total=engine.total_steps, initial=state.step, desc="train", unit="update", disable=engine.quiet)
        self.rows, self.began = state.examples, time.perf_counter()

    def on_backward(self, engine: "Engine", update: "Update", share: "Share", loss: float) -> None:
        if self.bar.disable:
            return
        weight = sum(engine.task.weight(batch) for batch, real in share if real)  # not the update's: `loss` is ours
        self.bar.set_postfix(loss=f"{loss / weight:.3f}", rows_s=f"{self._rate(engine):.1f}", refresh=False)

    def on_update_end(self, engine: "Engine", update: "Update") -> None:
        self.bar.update()

    def on_train_end(self, engine: "Engine") -> None:
        self.bar.close()

    def _rate(self, engine: "Engine") -> float:
        return (engine.state.examples - self.rows) / max(time.perf_counter() - self.began, 1e-9)
