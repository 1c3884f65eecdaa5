"""Spans: names as places in a text, in characters, as annotation tools write them; and what words they make of it."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.data.labels.values import spelled
from hfkit.data.tables.table import counted
from hfkit.tasks.token_classification.words.schemes import OUTSIDE

BEGIN = ("start", "begin", "start_offset", "begin_offset", "start_char")
END = ("end", "end_offset", "end_char", "stop")
_CJK = re.compile("[\u3040-\u9fff\U00020000-\U0010ffff]")
LABEL = ("label", "labels", "type", "entity", "entity_group", "tag", "name")


@dataclass(frozen=True)
class Span:
    """A name in a text: its first character, the one after its last, its type, and its text where the file has it."""

    begin: int
    end: int
    label: str
    text: str | None = None


def annotations_of(values: Sequence[Any]) -> list[tuple[Any, int]]:
    """What people said of each text, and how many of them did. Of what Label Studio keeps, an annotation of each, it is
    the first result, not that of one that was cancelled (None where all were, or nobody said a thing), and the number
    of annotations; of other tools the values as they stand, and 1."""
    studio = [isinstance(v, list) and all(isinstance(one, Mapping) and "result" in one for one in v) for v in values]
    if not any(value for value, own in zip(values, studio, strict=True) if own):
        return [(value, 1) for value in values]
    found = []
    for value, own in zip(values, studio, strict=True):
        kept = [one["result"] for one in value if not one.get("was_cancelled")] if own else [value]
        found.append((kept[0] if kept else None, len(kept)))
    return found


def spans_of(value: Any, place: str) -> list[Span]:
    """The spans that a cell holds, as doccano, Prodigy, Label Studio or spaCy write them: a list of [begin, end, label]
    or of objects with such keys; {"entities": [...]}; what Label Studio has as the result of an annotation; any of
    these spelled as text, as a CSV file has it; None for none. `place` is the row's, for messages. Raises HfkitError:
    something else, or a span without a whole number of characters or a label."""
    if isinstance(value, str):
        value = spelled(value) if value.strip() else None
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("entities", "spans", "ents", "result") if key in value), [value])
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _odd(value, place)
    # A choice or a rating may stand beside the spans.
    choices = [isinstance(one, Mapping) and "value" in one and one.get("type", "labels") != "labels" for one in value]
    return [_span(item, place) for item, other in zip(value, choices, strict=True) if not other]


def _span(item: Any, place: str) -> Span:
    if isinstance(item, Mapping):
        item = item.get("value", item) if isinstance(item.get("value"), Mapping) else item
        named = {key: value for key, value in item.items() if value is not None}
        begin, end, label = (next((named[key] for key in keys if key in named), None) for keys in (BEGIN, END, LABEL))
        text = item.get("text")
    elif isinstance(item, Sequence) and len(item) == 3 and not isinstance(item, str):
        (begin, end, label), text = item, None
    else:
        raise _odd(item, place)
    if isinstance(label, Sequence) and not isinstance(label, str) and len(label) == 1:
        label = label[0]
    begin, end = (int(one) if isinstance(one, float) and one.is_integer() else one for one in (begin, end))
    if type(begin) is not int or type(end) is not int or not isinstance(label, str):
        raise _odd(item, place)
    if not label.strip():
        raise HfkitError(f"A span has no label: {item}"[:200], where=place)
    return Span(begin, end, label.strip(), text if isinstance(text, str) else None)


def _odd(value: Any, place: str) -> HfkitError:
    fix = 'write spans as [begin, end, "label"], or as objects with start, end and label'
    return HfkitError(f"This is no span: {str(value)[:80]}", where=place, fix=fix)


UNITS: dict[str, Callable[[str], int]] = {
    "characters": lambda character: 1,
    "UTF-16 units": lambda character: 1 + (ord(character) > 0xFFFF),
    "bytes": lambda character: len(character.encode("utf-8", "surrogatepass")),
}
"""In what tools count, and how many a character has. JavaScript counts UTF-16 units, Go bytes."""

CLEARLY = 3  # how many times the misses of another unit characters must have, for offsets to be in that unit


def in_characters(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> tuple[list[list[Span]], str | None]:
    """All spans with offsets in characters, and a note where they came in something else.

    They are in characters unless some then miss what they mark (its text, the ends of words, the text's end), and far
    fewer in another unit; those that miss in that one, too, take in what they touch, and one outside the text stays as
    it is. A text in ASCII says nothing."""
    rows = [row for row, text in enumerate(texts) if spans[row] and not text.isascii()]
    misses = {unit: sum(_misses(texts[row], spans[row], unit) for row in rows) for unit in UNITS}
    unit = min(misses, key=lambda one: misses[one])
    if misses["characters"] <= CLEARLY * misses[unit]:
        return [list(row) for row in spans], None
    turned = [
        [_turned(one, _starts(text, unit)) for one in row] if not text.isascii() else list(row)
        for text, row in zip(texts, spans, strict=True)
    ]
    whole, wrong = sum(len(spans[row]) for row in rows), misses["characters"]
    own = f", in {unit} {misses[unit]:,}" if misses[unit] else ""
    return turned, f"spans are counted in {unit}: in characters {wrong:,} of {whole:,} would miss what they mark{own}"


def _starts(text: str, unit: str) -> list[int]:
    """Where each character begins, counted in a unit, with the end."""
    return [*accumulate(map(UNITS[unit], text), initial=0)]


def _turned(span: Span, starts: list[int]) -> Span:
    if not 0 <= span.begin <= span.end <= starts[-1]:
        return span
    begin, end = bisect_right(starts, span.begin) - 1, bisect_left(starts, span.end)
    return replace(span, begin=begin, end=end)


def _misses(text: str, spans: Sequence[Span], unit: str) -> int:
    at = {offset: place for place, offset in enumerate(_starts(text, unit))}

    def fits(span: Span) -> bool:
        begin, end = at.get(span.begin, -1), at.get(span.end, -1)
        if begin < 0 or end <= begin:
            return False
        if span.text is not None:
            return _same(text[begin:end], span.text)
        around = (text[begin - 1 : begin + 1] if begin else " ", text[end - 1 : end + 1] if end < len(text) else " ")
        return not any(len(pair) == 2 and pair.isalnum() and not _CJK.search(pair) for pair in around)

    return sum(not fits(span) for span in spans)


def _same(marked: str, told: str) -> bool:
    """Whether a span marks the text that stands beside it, whatever space they have."""
    return marked.split() == told.split()


@dataclass
class Tagger:
    """Tags for words from spans; what had to be changed on the way is counted."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def tags(self, text: str, words: Sequence[tuple[int, int]], spans: Sequence[Span], place: str) -> list[str]:
        """IOB2 tags of the words. Raises HfkitError: a span outside the text."""
        tags = [OUTSIDE] * len(words)
        for span in sorted(spans, key=lambda one: (one.begin - one.end, one.begin)):  # the longest first
            self._check(text, span, place)
            begin, end = self._trimmed(text, span, place)
            inside = [n for n, (first, last) in enumerate(words) if first < end and last > begin]
            if begin >= end:
                self._count("without a character, left out", place)
            elif not inside:
                self._count("without a word, left out", place)
            elif any(tags[number] != OUTSIDE for number in inside):
                self._count("that overlap{s} another: the longest is read", place)
            else:
                if words[inside[0]][0] < begin or words[inside[-1]][1] > end:
                    self._count("that cut{s} a word: the whole word has the tag", place)
                for number in inside:
                    tags[number] = f"{'B' if number == inside[0] else 'I'}-{span.label}"
        return tags

    def _check(self, text: str, span: Span, place: str) -> None:
        if not 0 <= span.begin <= span.end <= len(text):
            order = "ends before it begins; it is in" if 0 <= span.end < span.begin <= len(text) else "is outside"
            size = counted(len(text), "character")
            what = f"The span {span.begin} to {span.end} ({span.label}) {order} the text, which has {size}"
            fix = "mend the row: offsets are characters from 0, the end is not part of the span"
            raise HfkitError(what, where=place, fix=fix)
        if span.text is not None and not _same(text[span.begin : span.end], span.text):
            self._count("with a text beside the numbers that does not stand there: the numbers are read", place)

    def _trimmed(self, text: str, span: Span, place: str) -> tuple[int, int]:
        marked = text[span.begin : span.end]
        begin, end = span.begin + len(marked) - len(marked.lstrip()), span.end - len(marked) + len(marked.rstrip())
        if begin < end and (begin, end) != (span.begin, span.end):
            self._count("with space at an end, taken without it", place)
        return begin, end

    def _count(self, what: str, place: str) -> None:
        self.counts[what] += 1
        self.first.setdefault(what, place)

    def notes(self, split: str) -> list[str]:
        """A sentence for each thing counted, with the first place."""
        return [
            f"{split}: {counted(number, 'span')} {what.format(s='s' * (number == 1))} (the first in {self.first[what]})"
            for what, number in self.counts.items()
        ]
