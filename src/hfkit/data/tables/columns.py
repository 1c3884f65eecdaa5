"""Which column is the text and which the label: by flag, by card, by name, by content; never a silent guess."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard
from hfkit.data.tables.table import Table, counted, is_missing, is_number

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
_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class Columns:
    """The columns that are used, and by default the names of those that are not."""

    text: str | None
    label: str
    pair: str | None = None
    id: str | None = None
    unused: tuple[str, ...] = ()
    image: str | None = None
    indicators: tuple[str, ...] = ()
    """Columns that say with a 0 or 1 whether a label of their name holds; then `label` is only what messages say."""


def choose_columns(
    tables: dict[str, Table], arguments: DataArguments, card: DataCard | None, image: str | None
) -> Columns:
    """The columns to read; those that a flag or the card names must exist, the others are found. A name that is known
    (text, review, label, sentiment, ...) decides first; else the content: the text is the column with by far the
    longest values, the label the only other one with few distinct values. Where `image` is the column of pictures there
    is no text. Raises HfkitError: a named column is not there, or what is not named cannot be told for sure."""
    table, given = next(iter(tables.values())), card.columns if card else {}
    text, pair = arguments.text_column or given.get("text"), arguments.text_pair_column
    pair = pair or (None if arguments.text_column else given.get("text_pair"))
    if image is not None:
        text = pair = None
    label, id = arguments.label_columns or arguments.label_column or given.get("label"), given.get("id")
    labels = [label] if isinstance(label, str) else list(label or ())
    for name in (text, pair, *labels, id):
        if name is not None:
            table.known(name)
    if text is None and image is None:
        text, pair = find_text(table, labels, pair)
    labels = labels or [_find_label(table, (text, pair, image))]
    asked = [name for name in (text, image, pair, *labels) if name is not None]
    if len(set(asked)) < len(asked):
        what = f"image {image!r}" if text is None else f"text {text!r}, pair {pair!r}"
        raise HfkitError(f"One column is asked for twice: {what}, label {', '.join(map(repr, labels))}", fix=_FLAGS)
    id = id or table.first_of(ID_NAMES)
    # An id names one example only if no other split uses it again.
    ids = [str(value) for one in tables.values() for value in one.columns.get(id, (None, None))] if id else []
    if id in asked or len(set(ids)) < len(ids) or (id is not None and not identifies(table.column(id))):
        id = None
    used = {*asked, id, group_of(arguments, card)}
    unused = tuple(name for name in table.columns if name not in used)
    return Columns(text, ", ".join(labels), pair, id, unused, image, tuple(labels) if len(labels) > 1 else ())


def group_of(arguments: DataArguments, card: DataCard | None) -> str | None:
    """The column whose equal values belong together: the one that is asked for, else the card's."""
    return arguments.group_column or (card.group if card else None)


def unused(tables: Mapping[str, Table], used: Collection[str | None], never: Collection[str] = ID_NAMES) -> list[str]:
    """A note on the columns of some splits that are not `used`; those of the names that are `never` told left out."""
    names = dict.fromkeys(name for table in tables.values() for name in table.columns)
    left = [name for name in names if name not in used and name.casefold() not in never]
    return [f"columns not used: {', '.join(left)}"] if left else []


_FLAGS = "name the columns with --text_column, --text_pair_column, --label_column; for images with --image_column"


def find_text(table: Table, labels: Collection[str], pair: str | None) -> tuple[str, str | None]:
    """The columns of the text and, where `pair` is None and there is one, of the second text of a pair."""
    taken = (*labels, pair)
    for names in PAIR_NAMES if pair is None else ():
        first, second = (table.first_of([name], taken) for name in names)
        if first and second:
            return first, second
    if named := table.first_of(TEXT_NAMES, taken):
        return named, pair
    lengths = {name: length for name in table.columns if name not in taken and (length := _mean_length(table, name))}
    ranked = sorted(lengths, key=lambda name: -lengths[name])
    if not ranked:
        raise HfkitError(f"No column holds texts; there are {', '.join(table.shown)}", where=table.origin, fix=_FLAGS)
    if len(ranked) > 1 and lengths[ranked[1]] > lengths[ranked[0]] / 2:
        what = f"Both {ranked[0]!r} and {ranked[1]!r} could be the text"
        raise HfkitError(what, where=table.origin, fix="say --text_column NAME")
    return ranked[0], pair


def _find_label(table: Table, texts: tuple[str | None, ...]) -> str:
    if sure := table.first_of(SURE_LABELS, texts):
        return sure
    others = [name for name in table.columns if name not in texts]
    candidates = list(filter(None, (table.first_of([name], texts) for name in LABEL_NAMES)))
    candidates = candidates or [name for name in others if _few_values(table, name)]
    if len(candidates) == 1:
        if candidates[0] in table.head(candidates[0], SAMPLE):
            what = f"The first line looks like a row, not a header: it holds {candidates[0]!r}, as other rows do"
            raise HfkitError(what, where=table.origin, fix="name the columns, such as --column_names text label")
        return candidates[0]
    each = f"{' and '.join(map(repr, candidates))} could each be it"
    could = each if candidates else f"there are {', '.join(table.shown)}"
    what = f"It cannot be told which column is the label: {could}"
    cells = {name: table.head(name, SAMPLE) for name in others}
    hot = [name for name in others if all(bit(cell) is not None for cell in cells[name] if not is_missing(cell))]
    fix = f"; or --label_columns {' '.join(hot)} for labels with a column of 0 and 1 each" if len(hot) > 1 else ""
    raise HfkitError(what, where=table.origin, fix=f"say --label_column NAME{fix}")


def _mean_length(table: Table, name: str) -> float:
    """Mean characters of a column of texts; 0 for numbers, and for anything that is not a string."""
    values = [value for value in table.head(name, SAMPLE) if value is not None]
    if not values or not all(isinstance(value, str) for value in values):
        return 0.0
    numbers = all(not value.strip() or is_number(value.replace(",", ".")) for value in values)
    return 0.0 if numbers else sum(map(len, values)) / len(values)


def _few_values(table: Table, name: str) -> bool:
    """Whether the values repeat as a label's do: at least two of them, each twenty times or so."""
    values = [value for value in table.head(name, SAMPLE) if value not in (None, "")]
    if not values or any(isinstance(value, dict) for value in values):
        return False
    distinct = len({str(value).strip() for value in values})
    return 2 <= distinct <= max(2, len(values) // 3) and distinct <= 100


def row_ids(table: Table, split: str, used: Collection[str]) -> list[str]:
    """An id for each row: those of a column that is called so and not `used`, else the split and the row's number."""
    column = table.first_of(ID_NAMES, used)
    if column is not None and identifies(values := table.column(column)):
        return list(map(str, values))
    return [f"{split}-{row}" for row in range(len(table))]


def identifies(values: list[Any]) -> bool:
    """Whether each value can name its row."""
    return all(isinstance(value, str | int) and value != "" for value in values) and len(set(values)) == len(values)


def bit(value: Any) -> int | None:
    """0 or 1 for what means it: 1, 1.0, True, "1", "true"; None for anything else."""
    return _BITS.get(str(value).strip().lower()) if isinstance(value, bool | int | float | str) else None


def indicator_rows(table: Table, columns: tuple[str, ...]) -> list[list[int] | None]:
    """What `columns` hold in each row, as zeros and ones; None for a row that lacks one of them. Raises HfkitError: a
    cell is neither 0 nor 1 nor missing; the message names its column and row."""
    cells = {name: table.column(name) for name in columns}
    for name, values in cells.items():
        odd = [row for row, value in enumerate(values) if bit(value) is None and not is_missing(value)]
        if odd:
            first = str(values[odd[0]])[:60]
            what = f"{counted(len(odd), 'value')} of the label column {name!r} are no 0 or 1: the first is {first!r}"
            fix = "write 1 where the label holds and 0 where not; --missing_values names what stands for neither"
            raise HfkitError(what, where=table.places(odd), fix=fix)
    rows = zip(*cells.values(), strict=True)
    return [None if any(map(is_missing, row)) else [bit(value) or 0 for value in row] for row in rows]
