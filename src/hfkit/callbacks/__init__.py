"""What hangs on the loop's events: small independent pieces, each with its own state, none aware of another."""

from hfkit.callbacks.base import Callback, closing
from hfkit.callbacks.best import EarlyStopping, ModelKeeper
from hfkit.callbacks.log import Log
from hfkit.callbacks.nan_guard import NanGuard
from hfkit.callbacks.progress import Progress
from hfkit.callbacks.samples import Samples
from hfkit.callbacks.saver import Saver, restore
from hfkit.callbacks.speed import Speed
from hfkit.callbacks.stream import StreamPosition
from hfkit.callbacks.weights import Ema, Unfreeze

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
