"""Windows: a question and as much of its context as a model reads at once; a long context is read in several."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.text.windows import side_by_side
from hfkit.tasks.texts import check_fast

LENGTH = 384
"""Tokens of a window when --max_length does not say and the model could read more: as BERT was trained on SQuAD."""

STRIDE = 128  # tokens that two windows share when --stride does not say
LEAST = 8  # tokens of a long context that a window has to hold beside its question: with fewer, it would take hundreds
OUTSIDE = -1  # the place of a token that is none of the context's, or of nothing but space


@dataclass(frozen=True)
class Window:
    """What a model reads at once."""

    input_ids: list[int]  # (tokens,) with special tokens
    types: list[int]  # the tokenizer's token_type_ids
    begins: list[int]  # (tokens,) where a token of the context stands in it, in characters; else OUTSIDE
    ends: list[int]
    null: int  # the token that stands for no answer: [CLS], or the first one where the tokenizer has none
    covers: tuple[int, int]  # from where to where the context is read here, in characters

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """First and last token of an answer; those of no answer where it does not stand here whole."""
        places = [place for place, at in enumerate(self.begins) if at != OUTSIDE]
        first = bisect_right([self.ends[place] for place in places], begin)
        last = bisect_left([self.begins[place] for place in places], end) - 1
        if begin < self.covers[0] or end > self.covers[1] or not 0 <= first <= last:
            return self.null, self.null
        return places[first], places[last]


class Reader:
    """Reads questions with their contexts. Nothing of a context is ever lost.

    The question comes first whatever side is filled: a decoder has to have read it when it comes to the context, and
    that is how plain `tokenizer(question, context)` writes both. A window has `max_length` tokens, special ones
    included (None: there is no limit), and two share `stride` tokens of the context; None: STRIDE, or half of what one
    holds. Raises HfkitError: the tokenizer does not say where its tokens stand."""

    def __init__(self, processor: PreTrainedTokenizerBase, max_length: int | None, stride: int | None) -> None:
        check_fast(processor)
        self.processor: Any = processor
        self.max_length, self.stride = max_length, stride

    def read(self, questions: Sequence[str], contexts: Sequence[str], ids: Sequence[str]) -> list[list[Window]]:
        """The windows of each row. Raises HfkitError: a question leaves no room for its context; `ids` name the row."""
        if not questions:
            return []
        encoded: Any = self.processor(
            list(questions), list(contexts), return_offsets_mapping=True, return_token_type_ids=True,
            return_attention_mask=False, truncation=False, padding=False, verbose=False,
        )  # fmt: skip
        found = []
        for row, context in enumerate(contexts):
            of = encoded.sequence_ids(row)
            ids_and_types = encoded["input_ids"][row], encoded["token_type_ids"][row]
            found.append(list(self._windows(of, *ids_and_types, encoded["offset_mapping"][row], context, ids[row])))
        return found

    def columns(self, read: Sequence[Sequence[Window]], contexts: Sequence[str]) -> dict[str, list[Any]]:
        """What a task collates, an entry a row: for each window numbers a token, `input_ids`, `begins`, `ends` and,
        where the model reads them, `token_type_ids`, and `nulls`; `context` and `length`, the tokens of all windows."""
        names = {name: name for name in ("input_ids", "begins", "ends")} | {"nulls": "null"}
        names |= {"token_type_ids": "types"} if "token_type_ids" in self.processor.model_input_names else {}
        found = {name: [[getattr(one, own) for one in windows] for windows in read] for name, own in names.items()}
        lengths = [sum(len(one.input_ids) for one in windows) for windows in read]
        return found | {"context": list(contexts), "length": lengths}

    def _windows(
        self, of: list[int | None], ids: list[int], types: list[int], offsets: list[Any], context: str, id: str
    ) -> Iterator[Window]:
        places = [place for place, text in enumerate(of) if text == 1]
        first, last = (places[0], places[-1] + 1) if places else (len(ids), len(ids))
        around, total = len(ids) - (last - first), last - first
        room = total if self.max_length is None else self.max_length - around
        if room < min(total, LEAST):
            filled = f"{around} of {self.max_length} tokens, special ones included"
            what = f"The question fills the window: {filled}, and a context of {total} has to be read beside it"
            raise HfkitError(what, where=f"row {id}", fix="ask a shorter question, or give a larger --max_length")
        shared = min(STRIDE, room // 2) if self.stride is None or self.stride >= room else self.stride
        inside = [text == 1 and bool(context[slice(*at)].strip()) for text, at in zip(of, offsets, strict=True)]
        begins, ends = (
            [at[side] if here else OUTSIDE for at, here in zip(offsets, inside, strict=True)] for side in (0, 1)
        )
        for at in side_by_side(total, room, shared):
            end = min(at + room, total)
            read, kinds, firsts, lasts = (
                [*values[:first], *values[first + at : first + end], *values[last:]]
                for values in (ids, types, begins, ends)
            )
            null = read.index(self.processor.cls_token_id) if self.processor.cls_token_id in read else 0
            until = len(context) if end == total else offsets[first + end - 1][1]
            yield Window(read, kinds, firsts, lasts, null, (0 if at == 0 else offsets[first + at][0], until))
