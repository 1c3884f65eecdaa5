"""What hangs on the loop's events: small independent pieces, each with its own state, none aware of another.

Events, in order: `on_train_begin`, `on_epoch_begin`, `on_backward` (gradients are there, the step is not made),
`on_update_end`, `evaluating` (a context around validation), `on_evaluate`, `on_save`, `on_train_end`. `close` comes
last, also when an error ended training.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.data.batching import Update
    from hfkit.training.engine import Engine, Share


class Callback:
    """Hears of the loop's events. Its state, tensors and JSON values by name, is part of every checkpoint."""

    def on_train_begin(self, engine: "Engine") -> None: ...
    def on_epoch_begin(self, engine: "Engine", epoch: int) -> None: ...
    def on_backward(self, engine: "Engine", update: "Update", share: "Share", loss: float) -> None: ...
    def on_update_end(self, engine: "Engine", update: "Update") -> None: ...
    def on_evaluate(self, engine: "Engine", figures: dict[str, float]) -> None: ...
    def on_save(self, engine: "Engine") -> None: ...
    def on_train_end(self, engine: "Engine") -> None: ...
    def close(self) -> None: ...
    def evaluating(self, engine: "Engine") -> AbstractContextManager[None]:
        """A context around validation, in which the best model is saved too."""
        return contextlib.nullcontext()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, engine: "Engine", state: dict[str, Any]) -> None: ...


@contextlib.contextmanager
def closing(callbacks: Sequence[Callback]) -> Iterator[None]:
    """Closes them all at the block's end, however it ends."""
    try:
        yield
    finally:
        for callback in callbacks:
            callback.close()
