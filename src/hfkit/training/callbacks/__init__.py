"""What hangs on the loop's events: small independent pieces, each with its own state, none aware of another."""

from hfkit.training.callbacks.base import Callback, closing
from hfkit.training.callbacks.best import EarlyStopping, ModelKeeper
from hfkit.training.callbacks.log import Log
from hfkit.training.callbacks.nan_guard import NanGuard
from hfkit.training.callbacks.progress import Progress
from hfkit.training.callbacks.samples import Samples
from hfkit.training.callbacks.saver import Saver, restore
from hfkit.training.callbacks.speed import Speed
from hfkit.training.callbacks.stream import StreamPosition
from hfkit.training.callbacks.weights import Ema, Unfreeze

__all__ = [
    "Callback",
    "EarlyStopping",
    "Ema",
    "Log",
    "ModelKeeper",
    "NanGuard",
    "Progress",
    "Samples",
    "Saver",
    "Speed",
    "StreamPosition",
    "Unfreeze",
    "closing",
    "restore",
]
