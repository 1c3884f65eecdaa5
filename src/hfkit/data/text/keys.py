"""Which texts count as the same: those that are equal without outer space and case."""

import hashlib


def folded(text: str) -> str:
    """The text without outer space and case."""
    return text.strip().casefold()


def key_of(text: str) -> int:
    """63 bits of a folded text."""
    digest = hashlib.blake2b(folded(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
