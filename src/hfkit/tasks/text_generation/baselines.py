"""The cheap language models that every run is held against: what follows the last few bytes, counted."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.baselines.language.byte_ngram import END, ByteNgram
from hfkit.data.text.packing import segments

ORDER = 6
"""Bytes that a prediction is made from and for: five before, and the one to say. More gain little and cost memory."""

LEARNT = 5_000_000  # bytes that are counted; of more training text the first so many


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """Two models of bytes, fitted on the documents of `train` and asked about those of `test`; nothing is drawn. Name
    -> {"prediction": nats of each test document, "seconds", perhaps "rows": the training documents that were counted}.
    `byte_ngram` looks at five bytes back, `byte_unigram` at none."""
    began = time.perf_counter()
    head = next(_batches(train))
    learnt, rows = b"".join(content for content, _ in head)[:LEARNT], len(head)
    counted = time.perf_counter() - began
    answers: dict[str, dict[str, Any]] = {}
    for name, order in (("byte_ngram", ORDER), ("byte_unigram", 1)):
        began = time.perf_counter()
        model = ByteNgram(learnt, order)
        told = [nats for batch in _batches(test) for nats in model.nats(batch)]
        answers[name] = {"prediction": np.array(told), "seconds": counted + time.perf_counter() - began, "rows": rows}
    return answers


def _batches(documents: Dataset) -> Iterator[list[tuple[bytes, np.ndarray]]]:
    """Documents, LEARNT bytes or so at a time."""
    batch: list[tuple[bytes, np.ndarray]] = []
    size = 0
    for row in documents:
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
