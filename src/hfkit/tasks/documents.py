"""Documents as tokens: what is read, what of it is learnt, windows of long ones, and rows that hold several."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from hfkit.errors import HfkitError

IGNORED = -100
"""The target of a place where nothing is learnt."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a document: its text, and whether it is learnt. In a chat's, special tokens are written out."""

    text: str
    learnt: bool
    special: bool = False


def segments(row: dict[str, Any], processor: PreTrainedTokenizerBase | None = None) -> list[Segment]:
    """The stretches of a row: a text is learnt whole, of a prompt's completion and of a chat only the answers.

    Args:
        row: `text`; `prompt` and `completion`; or `messages`.
        processor: Its chat template writes the messages down. Without one they stand there bare.

    Raises:
        HfkitError: There is no template, it knows no such roles, or it writes a turn otherwise once others follow.
    """
    if "messages" in row:
        return _chat(row["messages"], processor)
    if "completion" in row:
        return [Segment(row["prompt"], False), Segment(row["completion"], True)]
    return [Segment(row["text"], True)]


def _chat(messages: list[dict[str, str]], processor: PreTrainedTokenizerBase | None) -> list[Segment]:
    if processor is None:
        return [Segment(message["content"] + "\n", message["role"] == "assistant") for message in messages]
    if not processor.chat_template:
        raise HfkitError(
            "The tokenizer has no chat template, and the data are chats",
            where="column messages",
            fix="choose a chat model (an -Instruct), or give prompt and completion, or text",
        )
    found: list[Segment] = []
    done = ""
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        for end, prompt in ((place, True), (place + 1, False)):
            try:
                text = str(processor.apply_chat_template(messages[:end], tokenize=False, add_generation_prompt=prompt))
            except Exception as error:  # templates raise what they like
                raise HfkitError(f"The chat template refuses a chat: {error}", where="column messages") from error
            if not text.startswith(done):
                raise HfkitError(
                    "The chat template writes a turn otherwise once others follow, so answers cannot be told apart",
                    where="column messages",
                    fix="give each answer as a row of prompt and completion",
                )
            found.append(Segment(text[len(done) :], not prompt, special=True))
            done = text
    return found


def tokenised(documents: list[list[Segment]], processor: PreTrainedTokenizerBase) -> list[list[list[int]]]:
    """The token ids of each segment, of all documents at once, which a fast tokenizer does on every core.

    What somebody wrote like a special token in a text is the characters that it is made of.
    """
    flat = [part for parts in documents for part in parts]
    found: dict[int, list[int]] = {}
    for special in (False, True):
        places = [place for place, part in enumerate(flat) if part.special == special and part.text]
        options: dict[str, Any] = {"add_special_tokens": False, "split_special_tokens": not special, "verbose": False}
        if places:
            ids = processor([flat[place].text for place in places], return_attention_mask=False, **options)["input_ids"]
            found.update(zip(places, ids, strict=True))
    each = iter(found.get(place, []) for place in range(len(flat)))
    return [[next(each) for _ in parts] for parts in documents]


def tokens_of(
    parts: list[Segment], tokens: list[list[int]], start: int | None, end: int | None
) -> tuple[list[int], list[bool]]:
    """Token ids of a document and which of them are learnt; `start` and `end` are put around it unless None."""
    ids = [id for part in tokens for id in part]
    learnt = [part.learnt for part, found in zip(parts, tokens, strict=True) for _ in found]
    if start is not None and (not parts[0].special or ids[:1] != [start]):
        ids, learnt = [start, *ids], [False, *learnt]
    # A chat's template closes turns itself, often with the end token and a line end.
    if end is not None and not (parts[-1].special and end in ids[-2:]):
        ids, learnt = [*ids, end], [*learnt, True]
    return ids, learnt


@dataclass(frozen=True)
class Piece:
    """What a model reads at once of a document: inputs, and of each place the next token, or IGNORED; (tokens,)."""

    input_ids: np.ndarray
    targets: np.ndarray


def pieces(ids: np.ndarray, learnt: np.ndarray, length: int, stride: int) -> Iterator[Piece]:
    """Windows of at most `length` tokens, each `stride` further on. Every token that is learnt is a target once.

    The last token is a target alone: there is nothing to say after it. A window's first tokens, which the one before
    has already told, are read again and not counted again.
    """
    inputs, targets = ids[:-1], np.where(learnt[1:], ids[1:], IGNORED)
    done = 0
    for begin in range(0, max(len(inputs), 1), stride):
        end = min(begin + length, len(inputs))
        found = targets[begin:end].copy()
        found[: done - begin] = IGNORED
        if (found != IGNORED).any():
            yield Piece(inputs[begin:end], found)
        done = end
        if end == len(inputs):
            return


def ragged(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """The rows of a column of lists, without a Python object for each number."""
    for chunk in column.chunks:
        values = chunk.values.to_numpy(zero_copy_only=False)
        ends = chunk.offsets.to_numpy()
        yield from (values[begin:end] for begin, end in pairwise(ends))


def packed(lengths: np.ndarray, room: int) -> list[list[int]]:
    """Which rows share a row of `room` tokens: the longest first, each to where it leaves the least room.

    Best-fit decreasing, as TRL packs: nothing is cut, and on texts of mixed lengths hardly a hundredth stays empty.
    """
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
