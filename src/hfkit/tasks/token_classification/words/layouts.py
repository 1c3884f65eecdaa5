"""Layouts: which columns of a table hold words and their tags, or a text and the spans in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard
from hfkit.data.labels.values import spelled_list
from hfkit.data.tables.columns import ID_NAMES, TEXT_NAMES
from hfkit.data.tables.rows import check_missing, check_strings
from hfkit.data.tables.table import Table, is_missing
from hfkit.tasks.token_classification.words.columns import DOCUMENT
from hfkit.tasks.token_classification.words.schemes import prefix
from hfkit.tasks.token_classification.words.spans import Tagger, in_characters, spans_of
from hfkit.tasks.token_classification.words.splitting import joined, split_words

WORD_NAMES = ("tokens", "words", "token", "word")
TAG_NAMES = ("ner_tags", "tags", "ner", "labels", "label", "entities", "upos", "pos_tags", "pos")
SPAN_NAMES = ("spans", "entities", "ents", "label", "labels", "annotations", "ner")
LOOKED_AT = 200
"""Rows by which columns are told apart."""


@dataclass(frozen=True)
class Tagged:
    """A text, where its words stand in it, and a tag for each, as the source has it."""

    text: str
    words: list[str]
    places: list[tuple[int, int]]
    tags: list[str]


@dataclass
class Layout:
    """The columns that are read.

    Attributes:
        words: The column of words, or of texts.
        tags: The column of tags, or of spans.
        given: With spans, the column of the words' places, where there is one (Prodigy's tokens).
        spans: Tags are spans of characters.
        unused: Columns that are not read.
    """

    words: str
    tags: str
    spans: bool = False
    given: str | None = None
    unused: list[str] = field(default_factory=list)

    @property
    def used(self) -> set[str]:
        """The columns that are read."""
        return {self.words, self.tags, *([self.given] if self.given else [])}

    @property
    def words_told(self) -> str:
        """The words' column in a sentence; those of CoNLL files have numbers for names."""
        return f"column {self.words}" if self.words.isdecimal() else self.words

    @property
    def tags_told(self) -> str:
        """The tags' column in a sentence."""
        return f"column {self.tags}" if self.tags.isdecimal() else self.tags

    @property
    def notes(self) -> list[str]:
        """What is not read."""
        return [f"columns not used: {', '.join(self.unused)}"] if self.unused else []

    def read(self, table: Table, role: str, drop: bool) -> tuple[list[Tagged], set[int], list[str]]:
        """The texts of a table, the rows that hold none, and what is to be said.

        Raises:
            HfkitError: Words and tags that do not fit together, spans that are none, rows without a word, unless they
                may be dropped.
        """
        table.known(self.words)
        table.known(self.tags)
        texts, notes = self._by_spans(table, role) if self.spans else (self._by_lists(table), [])
        bad = [row for row, text in enumerate(texts) if not text.words]
        check_missing(table, f"words in {self.words!r}", bad, "--text_column names another column", drop)
        notes += [f"{len(bad):,} rows of {role} without a word: dropped"] if bad else []
        return texts, set(bad), notes

    def _by_lists(self, table: Table) -> list[Tagged]:
        names = table.label_names.get(self.tags)
        found = []
        for row, (words, tags) in enumerate(zip(table.column(self.words), table.column(self.tags), strict=True)):
            words, tags = _listed(words), _listed(tags)
            if words is None or tags is None:
                which = self.words if words is None else self.tags
                raise HfkitError(f"{which!r} holds no list", where=table.place(row), fix="a list of strings a row")
            if len(words) != len(tags):
                raise HfkitError(
                    f"{len(words):,} words in {self.words!r} and {len(tags):,} tags in {self.tags!r}",
                    where=table.place(row),
                    fix="give each word one tag",
                )
            for word in words:
                if not isinstance(word, str) or not word:
                    what = "an empty word" if word == "" else f"{word!r}, which is no word"
                    raise HfkitError(f"{self.words!r} holds {what}", where=table.place(row), fix="mend the row")
            found.append(Tagged(*_swapped(joined(words)), [_tag(tag, names, table, row, self.tags) for tag in tags]))
        return found

    def _by_spans(self, table: Table, role: str) -> tuple[list[Tagged], list[str]]:
        texts = [_text(value) for value in table.column(self.words)]
        check_strings(table, self.words, texts)
        texts = [text or "" for text in texts]
        raw = [spans_of(value, table.place(row)) for row, value in enumerate(table.column(self.tags))]
        spans, unit = in_characters(texts, raw)
        given = table.column(self.given) if self.given else [None] * len(table)
        tagger, found = Tagger(), []
        for row, text in enumerate(texts):
            own = given[row]
            places = _places(own) if own else split_words(text)
            tags = tagger.tags(text, places, spans[row], table.place(row))
            found.append(Tagged(text, [text[begin:end] for begin, end in places], places, tags))
        return found, [*([f"{role}: {unit}"] if unit else []), *tagger.notes(role)]


def layout_of(table: Table, card: DataCard | None, arguments: DataArguments) -> Layout:
    """The columns of a table: those that a flag or a card names, else by their names and by what is in them.

    Raises:
        HfkitError: There are no words and tags, and no text with spans.
    """
    columns = card.columns if card else {}
    label = columns.get("label")
    asked_words = arguments.text_column or columns.get("text")
    asked_tags = arguments.label_column or (label if isinstance(label, str) else None)
    for name in filter(None, (asked_words, asked_tags)):
        table.known(name)
    heads = {name: [value for value in table.head(name, LOOKED_AT) if not is_missing(value)] for name in table.columns}
    lists = [name for name, values in heads.items() if values and all(_listed(value) is not None for value in values)]
    plain = [name for name in lists if all(isinstance(one, str | int) for v in heads[name] for one in _listed(v) or ())]
    words = asked_words or _named(plain, WORD_NAMES) or (_first_column(plain))
    if words in plain:
        like = [name for name in plain if name != words and _as_long(heads[words], heads[name])]
        tags = asked_tags or _tag_column(like, heads, table)
        if tags and tags in lists and (asked_tags or tags in like):
            return _layout(table, card, words, tags, spans=False)
    text = asked_words or _text_column(heads)
    tags = asked_tags or next((name for name in _in_order(heads, SPAN_NAMES) if _holds_spans(heads[name])), None)
    if text is None or tags is None:
        there = ", ".join(table.columns)
        raise HfkitError(
            f"No columns hold words and their tags, or a text and spans in it; there are {there}",
            where=table.origin,
            fix="name them with --text_column and --label_column",
        )
    given = next((name for name in WORD_NAMES if name in heads and name in lists and name not in plain), None)
    return _layout(table, card, text, tags, spans=True, given=given)


def _layout(table: Table, card: DataCard | None, words: str, tags: str, **more: Any) -> Layout:
    layout = Layout(words, tags, **more)
    known = {*layout.used, DOCUMENT, *ID_NAMES, *([card.group] if card and card.group else [])}
    layout.unused = [name for name in table.columns if name not in known and name.casefold() not in known]
    return layout


def _in_order(names: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """The columns of usual names, in the order of those, then the others."""
    named = {name.casefold(): name for name in reversed(list(names))}
    first = [named[name] for name in known if name in named]
    return [*first, *(name for name in names if name not in first)]


def _named(names: Sequence[str], known: Sequence[str]) -> str | None:
    return next((name for name in known if name in names), None)


def _first_column(plain: Sequence[str]) -> str | None:
    """The words of a CoNLL file: its first column; of CoNLL-U's ten the second, as the first counts."""
    if "1" not in plain:
        return None
    return "2" if "10" in plain else "1"


def _tag_column(like: list[str], heads: Mapping[str, list[Any]], table: Table) -> str | None:
    """The column of tags: one of a usual name, names before parts of speech; else the last whose tags have a scheme;
    else of CoNLL-U the fourth, of others the last."""
    if usual := _named(like, TAG_NAMES):
        return usual
    schemed = [name for name in like if _has_scheme(heads[name], table.label_names.get(name))]
    if schemed:
        return schemed[-1]
    return "4" if "10" in like and "4" in like else like[-1] if like else None


def _has_scheme(values: list[Any], names: list[str] | None) -> bool:
    tags = {str(tag) for value in values for tag in (names or _listed(value) or ())}
    return any(prefix(tag) for tag in tags) and all(prefix(tag) or tag == "O" for tag in tags)


def _as_long(words: list[Any], tags: list[Any]) -> bool:
    """Whether two columns are of one length in most rows; the few others are told with their place."""
    same = sum(len(_listed(one) or ()) == len(_listed(other) or ()) for one, other in zip(words, tags, strict=False))
    return 2 * same > len(words)


def _text_column(heads: Mapping[str, list[Any]]) -> str | None:
    texts = [name for name, values in heads.items() if values and all(isinstance(_text(v), str) for v in values)]
    return next((name for name in _in_order(dict.fromkeys(texts), (*TEXT_NAMES, "data"))), None)


def _text(value: Any) -> Any:
    """A text; Label Studio's stands under `data`."""
    return value.get("text") if isinstance(value, Mapping) else value


def _holds_spans(values: list[Any]) -> bool:
    try:
        found = [spans_of(value, "") for value in values]
    except HfkitError:
        return False
    return any(found) or all(value == [] for value in values)


def _listed(value: Any) -> list[Any] | None:
    """A list, also one that a cell of a CSV file spells."""
    if isinstance(value, list):
        return value
    return spelled_list(value) if isinstance(value, str) and value.strip()[:1] == "[" else None


def _places(given: list[Any]) -> list[tuple[int, int]]:
    """Prodigy's tokens; `end` is the first character that is not part of one."""
    return [(int(token["start"]), int(token["end"])) for token in given]


def _swapped(found: tuple[str, list[tuple[int, int]]]) -> tuple[str, list[str], list[tuple[int, int]]]:
    text, places = found
    return text, [text[begin:end] for begin, end in places], places


def _tag(tag: Any, names: list[str] | None, table: Table, row: int, column: str) -> str:
    """A tag by its name.

    Raises:
        HfkitError: It is a number that nobody gives a name, or nothing.
    """
    if isinstance(tag, str) and tag.strip():
        return tag.strip()
    if isinstance(tag, int) and names and 0 <= tag < len(names):
        return names[tag]
    known = "the source names no tags" if not names else f"there are {len(names)} names"
    raise HfkitError(
        f"{column!r} holds {tag!r} as a tag, and {known}",
        where=table.place(row),
        fix="write tags as strings, such as B-PER; or load a data set that declares their names (ClassLabel)",
    )
