"""Data cards: drafted from the data, and checked against it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.data.cards.check import check_cards as check_cards
    from hfkit.data.cards.draft import draft_card as draft_card

_HOMES = {"check_cards": "check", "draft_card": "draft"}

__all__ = ["check_cards", "draft_card"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
