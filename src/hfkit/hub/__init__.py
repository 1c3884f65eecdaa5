"""The Hub: a run published in one verified commit, and fetched again."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.hub.fetching import pull as pull
    from hfkit.hub.upload.data import push_data as push_data
    from hfkit.hub.upload.publishing import Published as Published
    from hfkit.hub.upload.publishing import push as push

__all__ = ["Published", "pull", "push", "push_data"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    home = {"push": "publishing", "Published": "publishing", "pull": "fetching", "push_data": "data"}.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
