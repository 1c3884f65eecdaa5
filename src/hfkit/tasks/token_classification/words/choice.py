"""Choice: which columns of a table are its words and tags, by flags, by a card, by name and by content."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard
from hfkit.data.tables.columns import ID_NAMES, TEXT_NAMES, group_of
from hfkit.data.tables.table import Table, is_missing
from hfkit.tasks.token_classification.words.columns import DOCUMENT, LINES
from hfkit.tasks.token_classification.words.layouts import ANSWER, WORD_NAMES, Layout, listed, text_of
from hfkit.tasks.token_classification.words.schemes import OUTSIDE, prefix
from hfkit.tasks.token_classification.words.spans import annotations_of, spans_of

TAG_NAMES = ("ner_tags", "tags", "ner", "labels", "label", "entities", "upos", "pos_tags", "pos")
SPAN_NAMES = ("spans", "entities", "ents", "label", "labels", "annotations", "ner")
LOOKED_AT = 200
"""Rows by which columns are told apart: by what most of them hold, so that an odd one is told with its place."""


def layout_of(table: Table, card: DataCard | None, arguments: DataArguments) -> tuple[Layout, list[str]]:
    """The columns of a table: those that a flag or a card names, else by their names and by what is in them; and a note
    on those that are not read. Raises HfkitError: there are no words and tags, and no text with spans."""
    columns = card.columns if card else {}
    label = columns.get("label")
    asked_words = arguments.text_column or columns.get("text")
    asked_tags = arguments.label_column or (label if isinstance(label, str) else None)
    shown = replace(table, columns={name: values for name, values in table.columns.items() if name != LINES})
    for name in filter(None, (asked_words, asked_tags)):
        shown.known(name)
    rows = {name: table.head(name, LOOKED_AT) for name in shown.columns}
    heads = {name: [value for value in values if not is_missing(value)] for name, values in rows.items()}
    lists = [name for name, values in heads.items() if _most(values, lambda value: listed(value) is not None)]
    plain = [name for name in lists if _most(heads[name], _is_plain)]
    words = asked_words or _named(plain, WORD_NAMES) or first_column(plain, heads)
    if words in plain:
        sizes = {name: [len(listed(cell) or ()) for cell in rows[name]] for name in plain}
        # Of one length in most rows; the few others are told with their place.
        pairs = {name: list(zip(sizes[words], sizes[name], strict=True)) for name in plain if name != words}
        like = [name for name, both in pairs.items() if _most(both, lambda pair: pair[0] == pair[1])]
        tags = asked_tags or _tag_column(like, heads, table)
        if tags and tags in lists and (asked_tags or tags in like):
            return _layout(table, group_of(arguments, card), Layout(words, tags))
    texts = [name for name, values in heads.items() if _most(values, lambda value: isinstance(text_of(value), str))]
    text = asked_words or next(iter([*_usual(texts, (*TEXT_NAMES, "data")), *texts]), None)
    tags = asked_tags or _span_column(heads)
    if text is None or tags is None:
        there = ", ".join(shown.columns)
        what = f"No columns hold words and their tags, or a text and spans in it; there are {there}"
        raise HfkitError(what, where=table.origin, fix="name them with --text_column and --label_column")
    given = _named([name for name in lists if name not in (*plain, tags)], WORD_NAMES)
    return _layout(table, group_of(arguments, card), Layout(text, tags, spans=True, given=given))


def _layout(table: Table, group: str | None, layout: Layout) -> tuple[Layout, list[str]]:
    known = {*layout.used, DOCUMENT, LINES, ANSWER, *ID_NAMES, group}
    unused = [name for name in table.columns if name not in known and name.casefold() not in known]
    return layout, [f"columns not used: {', '.join(unused)}"] if unused else []


def _usual(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """The columns of usual names, in the order of those."""
    named = {name.casefold(): name for name in reversed(list(names))}
    return [named[name] for name in known if name in named]


def _named(names: Iterable[str], known: Sequence[str]) -> str | None:
    return next(iter(_usual(names, known)), None)


def _most(values: Sequence[Any], holds: Callable[[Any], bool]) -> bool:
    return 2 * sum(map(holds, values)) > len(values)


def _is_plain(value: Any) -> bool:
    """Whether a cell holds a list of strings or numbers."""
    items = listed(value)
    return items is not None and all(isinstance(item, str | int) for item in items)


def first_column(plain: Sequence[str], heads: Mapping[str, list[Any]]) -> str | None:
    """The words of a CoNLL file: its first column, or the second where the first counts the words."""
    if "1" not in plain:
        return None
    counts = all(row == [str(number + 1) for number in range(len(row))] for row in heads["1"])
    return "2" if "2" in plain and (counts or "10" in plain) else "1"


def _tag_column(like: list[str], heads: Mapping[str, list[Any]], table: Table) -> str | None:
    """The column of tags: one of a usual name, names before parts of speech; else the last whose tags have a scheme,
    but not names in names of the same types; else of CoNLL-U the fourth, of others the last."""
    if usual := _named(like, TAG_NAMES):
        return usual
    types = {name: _types(heads[name], table.label_names.get(name)) for name in like}
    schemed = [name for name in like if types[name]]
    while len(schemed) > 1 and types[schemed[-1]] <= types[schemed[-2]]:
        schemed.pop()
    if schemed:
        return schemed[-1]
    return "4" if "10" in like and "4" in like else like[-1] if like else None


def _types(values: list[Any], names: list[str] | None) -> set[str]:
    """The types of names in a column of tags; none where not all tags have a scheme."""
    tags = {str(tag) for value in values for tag in (names or listed(value) or ())} - {OUTSIDE}
    return {tag[2:] for tag in tags} if all(map(prefix, tags)) else set()


def _span_column(heads: Mapping[str, list[Any]]) -> str | None:
    """The first column of which most cells hold spans, and some of them one; else the first of empty lists."""
    found: dict[str, list[bool]] = {}
    for name in dict.fromkeys([*_usual(heads, SPAN_NAMES), *heads]):
        held = [_spans_in(value) for value, _ in annotations_of(heads[name])]
        if _most(held, lambda number: number is not None):
            found[name] = [bool(number) for number in held]
    return next((name for name, held in found.items() if any(held)), next(iter(found), None))


def _spans_in(value: Any) -> int | None:
    """How many spans a cell holds; None where it holds something else."""
    try:
        return len(spans_of(value, ""))
    except HfkitError:
        return None
