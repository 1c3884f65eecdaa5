"""Plain text: strings that strangers wrote, made safe to show."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

# Control characters, and the marks that reorder what stands beside them: a text may not move the page around it.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# What no one sees: format characters but the tags that tell one flag from another, and the selectors of a variant.
_UNSEEN = re.compile("[\ufe00-\ufe0f\u034f\u115f\u1160\u3164]")


def clean(value: Any) -> str:
    """A string from data, safe to print: control characters become U+FFFD, tabs and line ends stay."""
    return _UNSAFE.sub("\ufffd", str(value).replace("\r\n", "\n"))


def flat(value: Any) -> str:
    """`clean`, with line ends and tabs as spaces: whatever it holds, it stays on its line."""
    return clean(value).replace("\n", " ").replace("\t", " ")


def line(value: Any, limit: int = 200) -> str:
    """`clean` in one line of at most `limit` characters."""
    text = " ".join(clean(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def before_stop(text: str, stops: Sequence[str]) -> str:
    """The text up to where the first of `stops` begins."""
    return text[: min((place for place in map(text.find, stops) if place >= 0), default=None)]


def visible(name: str) -> str:
    """The name without the characters that cannot be seen: zero-width space, byte order mark, soft hyphen."""
    if name.isascii():
        return name
    seen = (sign for sign in name if unicodedata.category(sign) != "Cf" or "\U000e0020" <= sign <= "\U000e007f")
    return _UNSEEN.sub("", "".join(seen))
