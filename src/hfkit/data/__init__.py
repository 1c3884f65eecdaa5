"""Data: any source becomes checked splits with ids and integer labels.

The two verbs are looked up when they are used: what finds a model or a card reads this package's rooms, and must not
load numpy for that.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.data.load import load_data as load_data
    from hfkit.data.load import load_test as load_test

__all__ = ["load_data", "load_test"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hfkit.data import load

    return getattr(load, name)
