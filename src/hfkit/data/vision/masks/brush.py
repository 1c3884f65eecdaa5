"""Brush: what was painted in Label Studio, which keeps it packed bit by bit, as thi.ng's rle-pack writes it."""

from typing import Any

import numpy as np

CHANNELS = 4
"""Red, green, blue and how opaque: the last says where was painted."""


class _Bits:
    """Numbers of some bits each, the highest bit first."""

    def __init__(self, packed: bytes) -> None:
        self.bits, self.at = np.unpackbits(np.frombuffer(packed, dtype=np.uint8)), 0

    def numbers(self, size: int, count: int) -> np.ndarray:
        """(count,) of `size` bits each. Raises ValueError: the bits end before."""
        found = self.bits[self.at : self.at + size * count]
        if len(found) < size * count:
            raise ValueError("the strokes are cut off")
        self.at += size * count
        return found.reshape(count, size) @ (1 << np.arange(size, dtype=np.int64)[::-1])

    def number(self, size: int) -> int:
        return int(self.numbers(size, 1)[0])


def painted(packed: Any, height: int, width: int) -> np.ndarray:
    """(height, width) bool: where a brush has been. Raises ValueError: it is no list of bytes, is cut off, or has not
    the picture's size.

    A head says how many values there are, of how many bits, and of how many bits the four kinds of lengths are. Then
    come runs, each a bit (one value over and over, or each its own), the kind of its length, and the length less 1."""
    if not isinstance(packed, list):
        raise ValueError(f"strokes are a list of bytes, and this is {type(packed).__name__}")
    bits, at = _Bits(bytes(packed)), 0
    total, size = bits.number(32), bits.number(5) + 1
    if total != height * width * CHANNELS:
        raise ValueError(f"strokes of {total:,} values for {height * width:,} pixels of {CHANNELS}")
    lengths, values = [bits.number(4) + 1 for _ in range(4)], np.zeros(total, dtype=bool)
    while at < total:
        alike, kind = bits.number(1), bits.number(2)
        many = bits.number(lengths[kind]) + 1
        if at + many > total:
            raise ValueError(f"strokes of more than {total:,} values")
        values[at : at + many] = bits.numbers(size, 1 if alike else many)
        at += many
    return values.reshape(height, width, CHANNELS)[..., -1]
