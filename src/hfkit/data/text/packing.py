"""Documents as tokens: what is read, and what of it is learnt."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from transformers import BatchEncoding, PreTrainedTokenizerBase

from hfkit.data.text.chats import is_learnt, said, unpacked
from hfkit.data.text.special_tokens import BREAK


@dataclass(frozen=True)
class Segment:
    """A stretch of a document: its text, and whether it is learnt. In a chat's, special tokens are written out."""

    text: str
    learnt: bool
    special: bool = False


def segments(row: dict[str, Any]) -> list[Segment]:
    """The stretches of a row: a text is learnt whole, of a prompt its completion, of a chat the answers, whose messages
    stand there bare, a line end after each."""
    if "messages" in row:
        messages = unpacked(row["messages"])
        return [Segment(said(message) + "\n", is_learnt(message)) for message in messages]
    if "completion" in row:
        return [Segment(row["prompt"], False), Segment(row["completion"], True)]
    return [Segment(row["text"], True)]


def measured(row: dict[str, Any]) -> tuple[int, int]:
    """Bytes and words of what is learnt of a row. A chat's answers count without what its template puts around."""
    texts = [part.text for part in segments(row) if part.learnt]
    if "messages" in row:
        texts = [text.removesuffix("\n") for text in texts]
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return size, sum(len(text.split()) + text.count("\n") for text in texts)


def read_texts(processor: PreTrainedTokenizerBase, texts: list[str], special: bool, **options: Any) -> BatchEncoding:
    """Whole texts as a language model reads them, in training and as prompts: what stands in front of a word decides
    which token it is. Where they are `special`, special tokens are written out in them, as chat templates do; else what
    somebody wrote like one is the characters that it is made of. `options` are the tokenizer's."""
    options = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False} | options
    return processor(texts, split_special_tokens=not special, **options)


def tokenised(documents: list[list[Segment]], processor: PreTrainedTokenizerBase) -> list[tuple[list[int], list[bool]]]:
    """The token ids of each document, and of each whether it is learnt; all at once, which a fast tokenizer does on
    every core.

    A document is read whole, and a token belongs to the segment in which it ends. Where one would run across a border
    between two segments, or the tokenizer cannot say where its tokens stand, segments are read one by one: the first as
    the prompt that it will be, the others as what follows something. So are the stretches around BREAK."""
    found: list[tuple[list[int], list[bool]] | None] = [None] * len(documents)
    for special in (False, True):
        places = [place for place, parts in enumerate(documents) if parts[0].special == special]
        if processor.is_fast and places:
            texts = ["".join(part.text for part in documents[place]) for place in places]
            read = read_texts(processor, texts, special, return_offsets_mapping=True)
            for place, text, ids, offsets in zip(places, texts, read["input_ids"], read["offset_mapping"], strict=True):
                found[place] = None if special and BREAK in text else _whole(documents[place], ids, offsets)
    return [read or _apart(parts, processor) for read, parts in zip(found, documents, strict=True)]


def _whole(parts: list[Segment], ids: list[int], offsets: list[tuple[int, int]]) -> tuple[list[int], list[bool]] | None:
    """The tokens and what is learnt of them; None where one stands on both sides of a border."""
    borders = list(accumulate(len(part.text) for part in parts))
    ends = [end for _, end in offsets]
    for border in borders[:-1]:
        after = bisect_right(ends, border)
        # A tokenizer that leaves a space before a word out of its token's place has taken it in none the less.
        if after < len(ids) and border and (offsets[after][0] < border or after == 0 or ends[after - 1] < border):
            return None
    return ids, [parts[min(bisect_left(borders, end), len(parts) - 1)].learnt for end in ends]


def _apart(parts: list[Segment], processor: PreTrainedTokenizerBase) -> tuple[list[int], list[bool]]:
    ids, learnt = list[int](), list[bool]()
    for part in parts:
        for text in part.text.split(BREAK) if part.special else [part.text]:
            stretch = replace(part, text=text)
            more = _following(stretch, processor) if ids else _ids(text, stretch, processor)
            ids, learnt = [*ids, *more], [*learnt, *[part.learnt] * len(more)]
    return ids, learnt


def _following(part: Segment, processor: PreTrainedTokenizerBase) -> list[int]:
    """The tokens of a segment behind another one: SentencePiece puts a space before what it takes for a beginning."""
    for guard in (":", "\n"):  # behind which a word begins without one
        before, both = (_ids(text, part, processor) for text in (guard, guard + part.text))
        if before and both[: len(before)] == before:
            return both[len(before) :]
    return _ids(part.text, part, processor)


def _ids(text: str, part: Segment, processor: PreTrainedTokenizerBase) -> list[int]:
    return list(read_texts(processor, [text], part.special)["input_ids"][0]) if text else []


def enclosed(
    parts: list[Segment], ids: list[int], learnt: list[bool], start: int | None, end: int | None
) -> tuple[list[int], list[bool]]:
    """A document with its `start` and `end` token, unless None. A chat begins as its template begins it."""
    if start is not None and not parts[0].special:
        ids, learnt = [start, *ids], [False, *learnt]
    # A chat's template closes turns itself, often with the end token and a line end.
    if end is not None and not (parts[-1].special and end in ids[-2:]):
        ids, learnt = [*ids, end], [*learnt, True]
    return ids, learnt
