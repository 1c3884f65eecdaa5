"""The cheap language models that every run is held against: what follows the last few bytes, counted."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.data.text.packing import segments

ORDER = 6
"""Bytes that a prediction is made from and for: five before, and the one to say. More gain little and cost memory."""

LEARNT = 5_000_000
"""Bytes that are counted; of more training text the first so many."""

END = 0xFF
"""Stands before and after a document: no UTF-8 text holds this byte."""


def classical_language(train: Dataset, test: Dataset) -> dict[str, dict[str, Any]]:
    """Two models of bytes, fitted on `train` and asked about `test`.

    Args:
        train, test: Documents, as `hfkit.load_data` gives them for text-generation.

    Returns:
        name -> {"prediction": nats of each test document, "seconds", perhaps "rows": the training documents that were
        counted}. `byte_ngram` looks at five bytes back, `byte_unigram` at none.
    """
    began = time.perf_counter()
    learnt, rows = _head(train)
    counted = time.perf_counter() - began
    answers: dict[str, dict[str, Any]] = {}
    for name, order in (("byte_ngram", ORDER), ("byte_unigram", 1)):
        began = time.perf_counter()
        told = [nats for batch in _batches(test) for nats in byte_ngram(learnt, batch, order)]
        answers[name] = {"prediction": np.array(told), "seconds": counted + time.perf_counter() - began, "rows": rows}
    return answers


def byte_ngram(learnt: bytes, documents: list[tuple[bytes, np.ndarray]], order: int) -> Iterator[float]:
    """Nats that an interpolated n-gram model of bytes takes for each document.

    Witten and Bell's smoothing: the probability of a byte after a context mixes how often it stood there with the
    probability after the context without its first byte. The shorter context counts the more, the more different
    bytes have followed the longer one.

    Args:
        learnt: The training bytes, END before and after each document.
        documents: Bytes, END before and after, and which of them are counted.
        order: Bytes of an n-gram, at most 7: with a mark of its length it is one 64-bit number.
    """
    text = np.frombuffer(b"".join(content for content, _ in documents), dtype=np.uint8)
    data = np.frombuffer(learnt, dtype=np.uint8)
    share = np.full(len(text), 1 / 256)
    for size in range(1, order + 1):
        grams, times = np.unique(_grams(data, size), return_counts=True)
        contexts, begins = np.unique(grams >> np.uint64(8), return_index=True)
        totals, kinds = np.add.reduceat(times, begins), np.diff(begins, append=len(grams))
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
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[places] == asked, values[places], 0).astype(np.float64)


def _head(train: Dataset) -> tuple[bytes, int]:
    """The first LEARNT training bytes, and from how many documents."""
    parts: list[bytes] = []
    size = 0
    for row in train:
        parts.append(_bytes(row)[0])
        size += len(parts[-1])
        if size >= LEARNT:
            break
    return b"".join(parts)[:LEARNT], len(parts)


def _batches(test: Dataset) -> Iterator[list[tuple[bytes, np.ndarray]]]:
    """The test documents, LEARNT bytes or so at a time."""
    batch: list[tuple[bytes, np.ndarray]] = []
    size = 0
    for row in test:
        batch.append(_bytes(row))
        size += len(batch[-1][0])
        if size >= LEARNT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _bytes(row: dict[str, Any]) -> tuple[bytes, np.ndarray]:
    """A document with END around it, and which of its bytes a language model is asked for."""
    parts = [(bytes([END]), False)]
    parts += [(part.text.encode("utf-8", "surrogatepass"), part.learnt) for part in segments(row)]
    if row.get("ends", True):
        parts.append((bytes([END]), True))
    counts = np.concatenate([np.full(len(content), counts) for content, counts in parts])
    return b"".join(content for content, _ in parts), counts
