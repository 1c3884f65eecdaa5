"""Which texts count as the same: those that are equal without outer space and case."""

import hashlib


def folded(text: str) -> str:
    """The text without outer space and case."""
    return text.strip().casefold()


def digest(folded: str) -> bytes:
    """64 bits of what `folded` gives."""
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def key_of(text: str) -> int:
    """63 bits of a folded text."""
    return int.from_bytes(digest(folded(text))) >> 1
