"""A row of a text classifier's input, in any form that transformers' pipeline takes."""

from collections.abc import Mapping
from typing import Any

from hfkit.base.errors import HfkitError


def text_and_pair(row: Any) -> tuple[str, str | None]:
    """A row in any form that transformers' pipeline takes: a text, a dict, or a list of one pair."""
    if isinstance(row, list) and len(row) == 1 and isinstance(row[0], list) and len(row[0]) == 2:
        row = {"text": row[0][0], "text_pair": row[0][1]}
    text, pair = (row.get("text"), row.get("text_pair")) if isinstance(row, Mapping) else (row, None)
    if not isinstance(text, str) or not isinstance(pair, str | None):
        raise HfkitError(
            f"A row is not a text: {str(row)[:80]!r} ({type(row).__name__}).",
            fix='give strings, or dicts such as {"text": "...", "text_pair": "..."}',
        )
    for part in (text, pair or ""):
        if not part.isascii() and any("\ud800" <= character <= "\udfff" for character in part):
            raise HfkitError(f"A text holds half a character: {part[:80]!r}.", fix="write it whole, or cut it")
    return text, pair
