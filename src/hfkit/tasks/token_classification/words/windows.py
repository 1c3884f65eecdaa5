"""Words as a model reads them: pieces, in one window or several, and of each word where it is answered."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.text.truncation import around
from hfkit.data.text.windows import IGNORED, side_by_side
from hfkit.tasks.texts import check_fast

NOT_HERE = -1  # the word of a piece that is answered in another window, or that is none


@dataclass(frozen=True)
class Window:
    """What a model reads at once of a text."""

    input_ids: list[int]  # (pieces,), special tokens included
    words: list[int]  # (pieces,) the number of a piece's word, where the word is answered in this window; else NOT_HERE


class Reader:
    """Reads words with a fast tokenizer. No word is ever lost: a text of more than `max_length` pieces, special tokens
    included (None: there is no limit), is read in windows, and each word is answered in the one that shows most on its
    shorter side. Two windows share `stride` pieces; None: a quarter of one.

    Raises HfkitError: the tokenizer does not say which piece is of which word, or nothing fits into a window."""

    def __init__(self, processor: PreTrainedTokenizerBase, max_length: int | None, stride: int | None) -> None:
        check_fast(processor, "what pieces words have")
        self.processor = processor
        self.before, self.after = around(processor)
        self.room = None if max_length is None else max_length - len(self.before) - len(self.after)
        if self.room is not None and self.room < 1:
            least = len(self.before) + len(self.after) + 1
            fix = f"at least {least}; 64 or more for sentences"
            raise HfkitError("No word fits beside the special tokens.", where=f"--max_length {max_length}", fix=fix)
        self.stride = 0 if self.room is None else self.room // 4 if stride is None else stride
        if self.room is not None and self.stride >= self.room:
            what = f"Windows of {self.room} tokens of text cannot share {self.stride}."
            fix = f"a stride below {self.room}, such as {self.room // 4}"
            raise HfkitError(what, where=f"--stride {self.stride}", fix=fix)

    def read(self, texts: Sequence[Sequence[str]]) -> list[list[Window]]:
        """The windows of each text, given as its words."""
        if not texts:
            return []
        lists = [list(words) for words in texts]
        encoded = self.processor(lists, is_split_into_words=True, add_special_tokens=False, verbose=False)
        rows = zip(encoded["input_ids"], map(encoded.word_ids, range(len(texts))), map(len, texts), strict=True)
        return [list(self._windows(*self._whole(*row))) for row in rows]

    def columns(self, texts: Sequence[Sequence[str]]) -> dict[str, list[Any]]:
        """What a task collates, an entry a text: for each window numbers a piece, `input_ids` and `words`; `length`,
        the pieces of all windows, and `count` of words."""
        read = self.read(texts)
        return {
            "input_ids": [[window.input_ids for window in windows] for windows in read],
            "words": [[window.words for window in windows] for windows in read],
            "length": [sum(len(window.input_ids) for window in windows) for windows in read],
            "count": list(map(len, texts)),
        }

    def _whole(self, ids: list[int], of: list[int], count: int) -> tuple[list[int], list[int]]:
        """With a piece for each word: one of which the tokenizer makes nothing, such as a lone zero-width space, gets
        the unknown token, or it would be lost without a word."""
        if len(set(of)) == count:
            return ids, of
        unknown = self.processor.unk_token_id
        lost = [(word, self.processor.pad_token_id if unknown is None else unknown) for word in {*range(count)} - {*of}]
        pieces = sorted([*zip(of, ids, strict=True), *lost], key=lambda piece: piece[0])
        return [token for _, token in pieces], [word for word, _ in pieces]

    def _windows(self, ids: list[int], of: list[int]) -> Iterator[Window]:
        """Windows side by side; a word is answered by its first piece."""
        room, total = self.room or max(len(ids), 1), len(ids)
        begins = side_by_side(total, room, self.stride)
        firsts: dict[int, int] = {}
        for place, word in enumerate(of):
            firsts.setdefault(word, place)
        answered = {word: _best(place, begins, room, total) for word, place in firsts.items()}
        for number, begin in enumerate(begins):
            words = [word if answered[word] == number else NOT_HERE for word in of[begin : begin + room]]
            words = [NOT_HERE] * len(self.before) + words + [NOT_HERE] * len(self.after)
            yield Window([*self.before, *ids[begin : begin + room], *self.after], words)


def _best(place: int, begins: list[int], room: int, total: int) -> int:
    """The window that shows most on the shorter side of a piece; the text's own ends cut nothing off."""

    def context(begin: int) -> tuple[int, int]:
        left = place - begin if begin else place + total
        end = min(begin + room, total)
        right = end - 1 - place if end < total else total
        return min(left, right), left + right

    there = [number for number, begin in enumerate(begins) if begin <= place < begin + room]
    return max(there, key=lambda number: context(begins[number]))


def inside(labels: list[str], tag: int) -> int:
    """What goes on after a tag: `I-X` after `B-X`."""
    name = labels[tag]
    other = f"I-{name[2:]}"
    return labels.index(other) if name.startswith("B-") and other in labels else tag


def firsts(words: list[int], start: int) -> list[int]:
    """At the first piece of each word its number in the batch, else -1."""
    return [
        -1 if word < 0 or (place and words[place - 1] == word) else start + word for place, word in enumerate(words)
    ]


def apart(text: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """A row for each window of a text, with the words that are answered in it alone."""
    for number, (ids, words) in enumerate(zip(text["input_ids"], text["words"], strict=True)):
        here = sorted({word for word in words if word != NOT_HERE})
        if not here:
            continue
        place = {word: index for index, word in enumerate(here)} | {NOT_HERE: NOT_HERE}
        yield text | {
            "id": f"{text['id']}#{number}",
            "input_ids": [ids],
            "words": [[place[word] for word in words]],
            "length": len(ids),
            "count": len(here),
            "labels": [text["labels"][word] for word in here],
        }


def targets(words: list[int], tags: list[int], labels: list[str], all_pieces: bool) -> list[int]:
    """What each piece of a window learns: of a word's first piece its tag, of the others what goes on after it, where
    they learn at all."""
    seen: set[int] = set()
    found = []
    for word in words:
        if word == NOT_HERE or (word in seen and not all_pieces):
            found.append(IGNORED)
        else:
            found.append(inside(labels, tags[word]) if word in seen else tags[word])
        seen.add(word)
    return found
