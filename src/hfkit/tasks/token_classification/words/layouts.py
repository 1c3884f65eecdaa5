"""Layouts: words and their tags out of two columns of a table, or a text and the spans in it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.data.labels.values import spelled_list
from hfkit.data.tables.rows import check_missing, check_strings
from hfkit.data.tables.table import Table, counted, is_missing
from hfkit.tasks.token_classification.words.spans import Tagger, annotations_of, in_characters, spans_of
from hfkit.tasks.token_classification.words.splitting import Text, split_words

WORD_NAMES = ("tokens", "words", "token", "word")
ANSWER = "answer"  # Prodigy's column that says whether the annotator took the text


@dataclass(frozen=True)
class Tagged(Text):
    """A text with a tag for each word, as the source has it."""

    tags: list[str]


@dataclass
class Layout:
    """The columns that are read."""

    words: str  # the column of words, or of texts
    tags: str  # the column of tags, or of spans
    spans: bool = False  # tags are spans of characters
    given: str | None = None  # with spans, the column of the words' places, where there is one (Prodigy's tokens)

    @property
    def used(self) -> set[str]:
        return {self.words, self.tags, *([self.given] if self.given else [])}

    @property
    def told(self) -> str:
        """Both columns in a sentence; those of CoNLL files have numbers for names."""
        words, tags = (f"column {name}" if name.isdecimal() else name for name in (self.words, self.tags))
        return f"words = {words}, tags = {tags}"

    def read(self, table: Table, role: str, drop: bool) -> tuple[list[Tagged], set[int], list[str]]:
        """The texts of a table, the rows that hold none, and what is to be said. Raises HfkitError: words and tags that
        do not fit together, spans that are none, or rows without a word, unless these may be dropped."""
        table.known(self.words)
        table.known(self.tags)
        if self.spans:
            texts, out, notes = self._by_spans(table, role)
        else:
            texts, out, notes = self._by_lists(table), set(), []
            untagged = [row for row, text in enumerate(texts) if text.words and not text.tags]
            check_missing(table, f"tags in {self.tags!r}", untagged, "--label_column names another column", drop)
            notes += [f"{role}: {counted(len(untagged), 'text')} without tags dropped"] if untagged else []
            out = set(untagged)
        bad = [row for row, text in enumerate(texts) if not text.words and row not in out]
        check_missing(table, f"words in {self.words!r}", bad, "--text_column names another column", drop)
        notes += [f"{role}: {counted(len(bad), 'text')} without a word dropped"] if bad else []
        return texts, out.union(bad), notes

    def _by_lists(self, table: Table) -> list[Tagged]:
        names = table.label_names.get(self.tags)
        found = []
        for row, cells in enumerate(zip(table.column(self.words), table.column(self.tags), strict=True)):
            words, tags = ([] if is_missing(cell) else listed(cell) for cell in cells)
            if words is None or tags is None:
                which, cell = (self.words, cells[0]) if words is None else (self.tags, cells[1])
                fix = "a list a row"
                raise HfkitError(f"{which!r} holds no list, but {str(cell)[:60]!r}", where=table.place(row), fix=fix)
            if len(words) != len(tags) and not is_missing(cells[1]):
                what = f"{len(words):,} words in {self.words!r} and {len(tags):,} tags in {self.tags!r}"
                raise HfkitError(what, where=table.place(row), fix="give each word one tag")
            for word in words:
                if not isinstance(word, str) or not word:
                    what = "an empty word" if word == "" else f"{word!r}, which is no word"
                    raise HfkitError(f"{self.words!r} holds {what}", where=table.place(row), fix="mend the row")
            own = [_tag(tag, names, table, row, self.tags) for tag in tags]
            found.append(Tagged(**vars(Text.joined(words)), tags=own))
        return found

    def _by_spans(self, table: Table, role: str) -> tuple[list[Tagged], set[int], list[str]]:
        """The texts, the rows whose text nobody annotated, and what is to be said."""
        said = annotations_of(table.column(self.tags))
        out, notes = _left_out(table, said, role)
        cells = [None if row in out else text_of(value) for row, value in enumerate(table.column(self.words))]
        check_strings(table, self.words, cells)
        texts: list[str] = [cell or "" for cell in cells]
        raw = [[] if row in out else spans_of(value, table.place(row)) for row, (value, _) in enumerate(said)]
        spans, unit = in_characters(texts, raw)
        given = table.column(self.given) if self.given else [None] * len(table)
        tagger, found = Tagger(), []
        for row, text in enumerate(texts):
            own, place = given[row], table.place(row)
            places = _places(own, text, place) if own and text else split_words(text)
            found.append(Tagged(text, places, tagger.tags(text, places, spans[row], place)))
        return found, out, [*notes, *([f"{role}: {unit}"] if unit else []), *tagger.notes(role)]


def _left_out(table: Table, said: list[tuple[Any, int]], role: str) -> tuple[set[int], list[str]]:
    """Rows that the annotators did not take or did not come to, and what is to be said."""
    answers = table.column(ANSWER) if ANSWER in table.columns else []
    refused = {row: str(answer) for row, answer in enumerate(answers) if answer in ("reject", "ignore")}
    nobody = {row for row, (_, number) in enumerate(said) if not number} - set(refused)
    told = ", ".join(f"{answer} {number:,}" for answer, number in sorted(Counter(refused.values()).items()))
    notes = [f"{role}: {counted(len(refused), 'text')} left out by their answer: {told}"] if refused else []
    if nobody:
        first = table.place(min(nobody))
        notes.append(f"{role}: {counted(len(nobody), 'text')} without an annotation left out (the first in {first})")
    if several := [row for row, (_, number) in enumerate(said) if number > 1 and row not in refused]:
        first = table.place(several[0])
        texts = counted(len(several), "text")
        notes.append(f"{role}: {texts} with more than one annotation: the first is read (the first such in {first})")
    return nobody | set(refused), notes


def text_of(value: Any) -> Any:
    """A text; Label Studio's stands under `data`, as `text` or as the only string there."""
    if not isinstance(value, Mapping):
        return value
    texts = [text for text in value.values() if isinstance(text, str)]
    return value["text"] if isinstance(value.get("text"), str) else texts[0] if len(texts) == 1 else value


def listed(value: Any) -> list[Any] | None:
    """A list, also one that a cell of a CSV file spells."""
    if isinstance(value, list):
        return value
    return spelled_list(value) if isinstance(value, str) and value.strip()[:1] == "[" else None


def _places(given: Any, text: str, place: str) -> list[tuple[int, int]]:
    """Prodigy's tokens, but those of white space; `end` is the first character that is not part of one."""
    found, last = [], 0
    for token in given:
        begin, end = (token.get(key) if isinstance(token, Mapping) else None for key in ("start", "end"))
        if type(begin) is not int or type(end) is not int or not last <= begin < end <= len(text):
            fix = "tokens have start and end, in characters of the text, and follow one another"
            raise HfkitError(f"This is no token of the text: {str(token)[:80]}", where=place, fix=fix)
        found += [(begin, end)] if text[begin:end].strip() else []
        last = end
    return found


def _tag(tag: Any, names: list[str] | None, table: Table, row: int, column: str) -> str:
    """A tag by its name. Raises HfkitError: it is a number that nobody gives a name, or nothing."""
    if isinstance(tag, str) and tag.strip():
        return tag.strip()
    if isinstance(tag, int) and names and 0 <= tag < len(names):
        return names[tag]
    if not isinstance(tag, int):
        fix = "give each word a tag, O where it has none"
        raise HfkitError(f"{column!r} holds {tag!r}, which is no tag", where=table.place(row), fix=fix)
    known = "the source names no tags" if not names else f"there are {len(names)} names"
    fix = "write tags as strings, such as B-PER; or load a data set that declares their names (ClassLabel)"
    raise HfkitError(f"{column!r} holds {tag!r} as a tag, and {known}", where=table.place(row), fix=fix)
