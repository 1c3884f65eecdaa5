"""Models: a name -> a PreTrainedModel that fits the task, with what may learn decided on top.

The two verbs are looked up when they are used: `AutoConfig` reads our configs from this package, and must not load
torch for that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.models.build import build_model as build_model
    from hfkit.models.loading import load_model as load_model

_HOMES = {"build_model": "build", "load_model": "loading"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
