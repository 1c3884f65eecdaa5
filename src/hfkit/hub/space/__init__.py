"""Space: a run as a small app in the browser, here or as a Space on the Hub."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.hub.space.app import demo as demo
    from hfkit.hub.space.app import load as load
    from hfkit.hub.space.publishing import push_space as push_space

_HOMES = {"demo": "app", "load": "app", "push_space": "publishing"}

__all__ = ["demo", "load", "push_space"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
