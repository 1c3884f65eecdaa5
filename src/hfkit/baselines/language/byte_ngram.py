"""ByteNgram: what follows the last few bytes, counted; the cheap language model that networks are held against."""

from collections.abc import Iterable, Iterator

import numpy as np

END = 0xFF  # stands before and after a document: no UTF-8 text holds this byte


class ByteNgram:
    """An interpolated n-gram model of bytes, with Witten and Bell's smoothing.

    The probability of a byte after a context mixes how often it stood there with the probability after the context
    without its first byte. The shorter context counts the more, the more different bytes have followed the longer one.

    `learnt` has END before and after each document. `order` is at most 7 so that an n-gram is one 64-bit number."""

    def __init__(self, learnt: bytes, order: int) -> None:
        data = np.frombuffer(learnt, dtype=np.uint8)
        self.tables = []
        for size in range(1, order + 1):
            grams, times = np.unique(_grams(data, size), return_counts=True)
            contexts, begins = np.unique(grams >> np.uint64(8), return_index=True)
            totals, kinds = np.add.reduceat(times, begins), np.diff(begins, append=len(grams))
            self.tables.append((grams, times, contexts, totals, kinds))

    def nats(self, documents: Iterable[tuple[bytes, np.ndarray]]) -> Iterator[float]:
        """What each document takes: its bytes, and which of them are counted."""
        documents = list(documents)
        text = np.frombuffer(b"".join(content for content, _ in documents), dtype=np.uint8)
        share = np.full(len(text), 1 / 256)
        for size, (grams, times, contexts, totals, kinds) in enumerate(self.tables, start=1):
            asked = _grams(text, size)
            seen = _looked_up(grams, times, asked)
            total = _looked_up(contexts, totals, asked >> np.uint64(8))
            kind = _looked_up(contexts, kinds, asked >> np.uint64(8))
            longer = share[size - 1 :]
            mixed = (seen + kind * longer) / np.maximum(total + kind, 1)
            share[size - 1 :] = np.where(total > 0, mixed, longer)
        nats = -np.log(share)
        begin = 0
        for content, counts in documents:
            yield float(nats[begin : begin + len(content)][counts].sum())
            begin += len(content)


def _grams(data: np.ndarray, size: int) -> np.ndarray:
    """Each run of `size` bytes as a number, the last byte lowest."""
    count = max(len(data) - size + 1, 0)
    found = np.zeros(count, dtype=np.uint64)
    for place in range(size):
        found = (found << np.uint64(8)) | data[place : place + count].astype(np.uint64)
    return found


def _looked_up(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The value of each key that is asked for, 0 where it is not there."""
    if not len(keys):
        return np.zeros(len(asked))
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[places] == asked, values[places], 0).astype(np.float64)
