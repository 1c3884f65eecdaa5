"""Models: a name -> a PreTrainedModel that fits the task, with what may learn decided on top.

The two verbs are looked up when they are used: `AutoConfig` reads our configs from this package, and must not load
torch for that.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.models.build import build_model
    from hfkit.models.loading import load_model

__all__ = ["build_model", "load_model"]


def __getattr__(name: str) -> Any:
    if name == "build_model":
        from hfkit.models.build import build_model

        return build_model
    if name == "load_model":
        from hfkit.models.loading import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
