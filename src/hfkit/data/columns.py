"""Which column is the text and which the label: by flag, by card, by name, by content; never a silent guess."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from hfkit.data.table import Table
from hfkit.errors import HfkitError

TEXT_NAMES = (
    "text", "sentence", "review", "content", "body", "comment", "message", "tweet", "document", "description",
    "utterance", "question", "query", "article", "review_text", "text_a", "text1", "sentence1", "premise", "question1",
    "title", "headline",
)  # fmt: skip
PAIR_NAMES = (
    ("text", "text_pair"), ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"),
    ("text_a", "text_b"), ("text1", "text2"), ("question", "sentence"), ("question", "passage"),
)  # fmt: skip
SURE_LABELS = ("label", "labels", "target", "class")
LABEL_NAMES = (
    "sentiment", "category", "intent", "emotion", "rating", "stars", "score", "topic", "polarity", "tag", "y",
)  # fmt: skip
ID_NAMES = ("id", "idx", "guid", "uid", "example_id")
SAMPLE = 2000


@dataclass(frozen=True)
class Columns:
    """The columns that are used, and by default the names of those that are not."""

    text: str | None
    label: str
    pair: str | None = None
    id: str | None = None
    unused: tuple[str, ...] = ()
    image: str | None = None


def choose_columns(
    table: Table,
    *,
    text: str | None = None,
    pair: str | None = None,
    image: str | None = None,
    label: str | None = None,
    id: str | None = None,
    also_used: Collection[str] = (),
) -> Columns:
    """The columns of `table` to read; those given must exist, the others are found.

    A name that is known (text, review, label, sentiment, ...) decides first; else the content: the text is the column
    with by far the longest values, the label the only other one with few distinct values.

    Args:
        image: The column of pictures; then there is no text.
        also_used: Columns that something else reads (a card's group), which are therefore not called unused.

    Raises:
        HfkitError: A given column is not there, or what is not given cannot be told for sure.
    """
    for name in (text, pair, label, id):
        if name is not None:
            table.column(name)
    named = {name.casefold(): name for name in reversed(list(table.columns))}
    if text is None and image is None:
        text, pair = find_text(table, named, label, pair)
    if label is None:
        label = _find_label(table, named, (text, pair, image))
    if len({text or image, label, pair} - {None}) < (2 if pair is None else 3):
        what = f"image {image!r}" if text is None else f"text {text!r}, pair {pair!r}"
        raise HfkitError(f"One column is asked for twice: {what}, label {label!r}", fix=_FLAGS)
    id = id or next((named[name] for name in ID_NAMES if name in named), None)
    if id in (text, pair, label, image) or (id is not None and not identifies(table.column(id))):
        id = None
    used = {text, pair, image, label, id, *also_used}
    unused = tuple(name for name in table.columns if name not in used)
    return Columns(text, label, pair, id, unused, image)


_FLAGS = "name the columns with --text_column, --text_pair_column, --label_column; for images with --image_column"


def find_text(table: Table, named: dict[str, str], label: str | None, pair: str | None) -> tuple[str, str | None]:
    """The columns of the text and, where `pair` is None and there is one, of the second text of a pair."""
    for first, second in PAIR_NAMES if pair is None else ():
        if first in named and second in named and label not in (named[first], named[second]):
            return named[first], named[second]
    for name in TEXT_NAMES:
        if name in named and named[name] not in (label, pair):
            return named[name], pair
    lengths = {name: _mean_length(table, name) for name in table.columns if name not in (label, pair)}
    ranked = sorted((name for name in lengths if lengths[name] > 0), key=lambda name: -lengths[name])
    if not ranked:
        raise HfkitError(f"No column holds texts; there are {_listed(table)}", where=table.origin, fix=_FLAGS)
    if len(ranked) > 1 and lengths[ranked[1]] > lengths[ranked[0]] / 2:
        raise HfkitError(
            f"Both {ranked[0]!r} and {ranked[1]!r} could be the text", where=table.origin, fix="say --text_column NAME"
        )
    return ranked[0], pair


def _find_label(table: Table, named: dict[str, str], texts: tuple[str | None, ...]) -> str:
    for name in SURE_LABELS:
        if name in named and named[name] not in texts:
            return named[name]
    candidates = [named[name] for name in LABEL_NAMES if name in named and named[name] not in texts]
    if not candidates:
        candidates = [name for name in table.columns if name not in texts and _few_values(table, name)]
    if len(candidates) == 1:
        if candidates[0] in table.head(candidates[0], SAMPLE):
            raise HfkitError(
                f"The first line looks like a row, not a header: it holds {candidates[0]!r}, as other rows do",
                where=table.origin,
                fix="begin the file with a line that names the columns, such as text,label",
            )
        return candidates[0]
    could = f"{' and '.join(map(repr, candidates))} could each be it" if candidates else f"there are {_listed(table)}"
    raise HfkitError(
        f"It cannot be told which column is the label: {could}", where=table.origin, fix="say --label_column NAME"
    )


def _listed(table: Table) -> str:
    return ", ".join(name if len(name) <= 60 else name[:57] + "..." for name in table.columns)


def _mean_length(table: Table, name: str) -> float:
    """Mean characters of a column of texts; 0 for numbers, and for anything that is not a string."""
    values = [value for value in table.head(name, SAMPLE) if value is not None]
    if not values or not all(isinstance(value, str) for value in values) or all(map(_is_number, values)):
        return 0.0
    return sum(map(len, values)) / len(values)


def _few_values(table: Table, name: str) -> bool:
    """Whether the values repeat as a label's do: at least two of them, each twenty times or so."""
    values = [value for value in table.head(name, SAMPLE) if value not in (None, "")]
    if not values or any(isinstance(value, dict) for value in values):
        return False
    distinct = len({str(value).strip() for value in values})
    return 2 <= distinct <= max(2, len(values) // 3) and distinct <= 100


def identifies(values: list[Any]) -> bool:
    """Whether each value can name its row."""
    return all(isinstance(value, str | int) and value != "" for value in values) and len(set(values)) == len(values)


def _is_number(value: str) -> bool:
    try:
        return not math.isnan(float(value))
    except ValueError:
        return not value.strip()
