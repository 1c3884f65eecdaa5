"""Windows: the rows that a language model learns and is measured on, cut from documents, or several packed in one."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence

from hfkit.data.tables.table import counted

IGNORED = -100  # the target of a place where nothing is learnt


@dataclass(frozen=True)
class Piece:
    """What a model reads at once of a document: inputs, and of each place the next token, or IGNORED; (tokens,).
    `begin` is its place in the document; it `goes_on` where the window before has told a part of the same answer."""

    input_ids: np.ndarray
    targets: np.ndarray
    begin: int = 0
    goes_on: bool = False


def pieces(ids: np.ndarray, learnt: np.ndarray, length: int, stride: int) -> Iterator[Piece]:
    """Windows of at most `length` tokens. Every token that is learnt is a target once.

    What is learnt from the start, a text, is cut into windows each `stride` further on. An answer that fits into a
    window is in one, with as much before it as has room: what is cut is its prompt, at the start. A longer one begins
    after half a window of its prompt, and goes on window by window.

    The last token is a target alone: there is nothing to say after it. A window's first tokens, which the one before
    has already told, are read again and not counted again."""
    inputs, targets = ids[:-1], np.where(learnt[1:], ids[1:], IGNORED)
    told = targets != IGNORED
    edges = np.flatnonzero(np.diff(told, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]  # of the stretches that are learnt
    done = 0
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        while done < end:
            at, goes_on = max(begin, done), done > begin
            before = length - stride
            if not goes_on:
                before = max(before, min(length // 2, length - (end - at)) if end - at < length else length // 2)
            before = min(before, at)
            most = at + length - before
            whole = ends[(ends >= end) & (ends <= most)]
            done = int(whole[-1]) if len(whole) else min(most, end)
            first = at - before if goes_on else max(0, done - length)
            found = targets[first:done].copy()
            found[: at - first] = IGNORED
            yield Piece(inputs[first:done], found, first, goes_on)


def side_by_side(total: int, room: int, shared: int) -> list[int]:
    """Where windows of `room` tokens begin in a text of `total`, each `shared` tokens into the one before; the last one
    is full as well."""
    begins = [0]
    while begins[-1] + room < total:
        begins.append(min(begins[-1] + room - shared, total - room))
    return begins


def cut_prompts(documents: Iterable[tuple[int, np.ndarray, np.ndarray]], length: int) -> list[str]:
    """What answers lose to windows of `length` tokens, a sentence each: prompts cut, and windows without a prompt.
    `documents` are the number of a row, token ids, and which are learnt."""
    cut, on = Counter[int](), set[int]()
    for row, ids, learnt in documents:
        if len(ids) > length + 1 and not learnt[1]:  # an answer, and not a text
            for piece in pieces(ids, learnt, length, length):
                if piece.goes_on:
                    on.add(row)
                elif piece.begin:
                    cut[row] += piece.begin
    lost = f"{counted(cut.total(), 'token')} cut at the start"
    unfit = f"{counted(len(cut), 'row')}: the prompt does not fit into {length} tokens with its answer: {lost}"
    blind = f"{counted(len(on), 'row')}: an answer goes on in windows of {length} tokens that do not see its prompt"
    return [*([unfit] if cut else []), *([blind] if on else [])]


def documents_of(encoded: Dataset) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The documents of encoded rows: the row's number, the document's tokens and which of them are learnt."""
    table = encoded.with_format("arrow")[:]
    columns = (ragged(table[name]) for name in ("input_ids", "learnt", "sizes"))
    for row, (ids, learnt, sizes) in enumerate(zip(*columns, strict=True)):
        ends = np.cumsum(sizes)
        for begin, end in zip(ends - sizes, ends, strict=True):
            yield row, ids[begin:end], learnt[begin:end]


def ragged(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """The rows of a column of lists, without a Python object for each number."""
    for chunk in column.chunks:
        values = chunk.values.to_numpy(zero_copy_only=False)
        ends = chunk.offsets.to_numpy()
        yield from (values[begin:end] for begin, end in pairwise(ends))


def packed(lengths: np.ndarray, room: int) -> list[list[int]]:
    """Which rows share a row of `room` tokens: the longest first, each to where it leaves the least room. Best-fit
    decreasing, as TRL packs: nothing is cut, and on texts of mixed lengths hardly a hundredth stays empty."""
    bins: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (room left, bin), sorted
    for row in np.argsort(-lengths, kind="stable").tolist():
        size = int(lengths[row])
        at = bisect_left(free, (size, -1))
        if at < len(free):
            left, number = free.pop(at)
            bins[number].append(row)
        else:
            left, number = room, len(bins)
            bins.append([row])
        if left > size:
            insort(free, (left - size, number))
    return bins


def padded(rows: Sequence[Sequence[int] | np.ndarray], fill: int, left: bool = False) -> torch.Tensor:
    """(rows, longest) of int64, short rows filled on the right, or on the left."""
    tensors = [torch.from_numpy(np.array(row, dtype=np.int64)) for row in rows]
    return pad_sequence(tensors, True, fill, padding_side="left" if left else "right")
