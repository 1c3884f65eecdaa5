"""StreamPosition: where in a stream training stands, as part of every checkpoint."""

from typing import TYPE_CHECKING, Any

from hfkit.training.callbacks.base import Callback

if TYPE_CHECKING:
    from hfkit.training.engine import Engine
    from hfkit.training.streaming import StreamPlan


class StreamPosition(Callback):
    """The window at hand. A resume reads the stream from its first document."""

    def __init__(self, plan: "StreamPlan") -> None:
        self.plan = plan

    def state_dict(self) -> dict[str, Any]:
        return self.plan.state()

    def load_state_dict(self, engine: "Engine", state: dict[str, Any]) -> None:
        self.plan.seek(state)
