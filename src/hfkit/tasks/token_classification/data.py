"""load: texts with a tag for each of their words, as checked splits."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.labels.names import finder
from hfkit.data.sources.source import Source, open_source
from hfkit.data.splits import carve, limited, remove_repeats
from hfkit.data.tables.columns import ID_NAMES, identifies
from hfkit.data.tables.roles import choose_splits
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import Table, counted
from hfkit.tasks.token_classification.config import TagColumns
from hfkit.tasks.token_classification.words.columns import DOCUMENT, column_source
from hfkit.tasks.token_classification.words.layouts import Layout, layout_of
from hfkit.tasks.token_classification.words.schemes import OUTSIDE, has_scheme, ordered, scheme_of, to_iob2

if TYPE_CHECKING:
    from hfkit.data.summary import LoadedData


@dataclass
class Arguments(TagColumns, DataArguments):
    """All that a data set can be asked for, and how its tags are read."""


def load(arguments: Arguments, only_test: bool = False, label_names: list[str] | None = None) -> "LoadedData":
    """Tagged texts as three splits, or with `only_test` the test split alone (of a single file, all of it).

    Args:
        arguments: Which data.
        only_test: Rows to evaluate a finished model on.
        label_names: The model's tags, to which those of the data are matched by name.

    Returns:
        Columns `id`, `text`, `tokens` (its words), `begins` and `ends` (where each stands in the text, in characters),
        `label` (a tag for each word; names are in IOB2, whatever the source has), and `group`, the document of a
        sentence, where the source tells.

    Raises:
        HfkitError: As `hfkit.load_data`; and what does not fit words and tags together, with file and line.
    """
    opened = column_source(arguments) or open_source(arguments)
    whole = only_test and opened.single and opened.kind == "file"
    notes = list(opened.notes)
    if whole:
        tables = {"test": next(iter(opened.tables.values()))}
    else:
        tables, notes = choose_splits(opened, arguments)
    with after(notes):
        for table in tables.values():
            table.missing = arguments.missing_values
        layout = layout_of(next(iter(tables.values())), opened.card, arguments)
        notes += layout.notes
        splits = {role: _rows(table, role, layout, opened, arguments, notes) for role, table in tables.items()}
        names = _settle(splits, arguments, label_names, notes)
        splits = remove_repeats(splits, notes, keep=whole or arguments.keep_duplicates)
        if not whole:
            splits = carve(splits, _rarest, arguments, opened.card, notes)
        splits = limited(splits, _rarest, arguments, notes)
    return _finish(opened, layout, names, {"test": splits["test"]} if only_test else splits, notes)


def _rows(table: Table, role: str, layout: Layout, opened: Source, arguments: Arguments, notes: list[str]) -> Rows:
    """The texts of a split: `inputs` are the texts, `label` each one's tags, and the table holds their words."""
    texts, bad, found = layout.read(table, role, drop=arguments.drop_bad_rows)
    notes += found
    named = {name.casefold(): name for name in reversed(list(table.columns))}
    id = next((named[name] for name in ID_NAMES if name in named and named[name] not in layout.used), None)
    ids = table.column(id) if id else []
    ids = [str(value) for value in ids] if id and identifies(ids) else [f"{role}-{row}" for row in range(len(table))]
    group = (opened.card.group if opened.card else None) or (DOCUMENT if DOCUMENT in table.columns else None)
    blocks = opened.card.blocks if opened.card else None
    unit: list[Any] | None = [row // blocks for row in range(len(table))] if blocks else None
    columns: dict[str, Any] = {"tokens": [text.words for text in texts], "places": [text.places for text in texts]}
    if group:
        unit = columns[DOCUMENT] = [str(value) for value in table.column(group)]
    held = replace(table, columns=table.columns | columns)
    rows = Rows(held, list(range(len(table))), ids, {"text": [t.text for t in texts]}, [t.tags for t in texts], unit)
    rows = rows.select([row for row in range(len(table)) if row not in bad]) if bad else rows
    if not len(rows):
        raise HfkitError("No row holds a word", where=table.origin)
    return rows


def _settle(splits: dict[str, Rows], arguments: Arguments, known: list[str] | None, notes: list[str]) -> list[str]:
    """Tags as IOB2 in every split, and the names of all; rows with a tag that is not known are refused or left out."""
    schemes = {}
    for role, rows in splits.items():
        scheme, before = _scheme(rows, arguments.tag_scheme), rows.label
        schemes[role] = scheme
        rows.label = [to_iob2(tags, scheme) for tags in before]
        notes += _orphans(role, rows, before) if scheme == "iob2" else []
    told = {"plain": "tags without a scheme", "iob1": "IOB1", "iob2": "IOB2", "iobes": "BILOU"}
    if len(set(schemes.values())) > 1:
        notes.append(f"schemes differ: {', '.join(f'{role} {told[one]}' for role, one in schemes.items())}")
        if "plain" in schemes.values():
            raise HfkitError("Some splits say where a name begins, as B-PER does, and some do not", fix="--tag_scheme")
    if {"iob1", "iobes"} & set(schemes.values()):
        notes.append(f"tags in {' and '.join(sorted({told[one] for one in schemes.values()}))}: read as IOB2")
    first = next(iter(splits.values()))
    names = known or _names(tag for tags in first.label for tag in tags)
    for role, rows in splits.items():
        splits[role] = _matched(rows, role, names, arguments.drop_unseen_labels, known is not None, notes)
    return names


def _scheme(rows: Rows, asked: str) -> str:
    """The scheme of a split's tags, an error about them with the name of the file."""
    try:
        return scheme_of(rows.label) if asked == "auto" else asked
    except HfkitError as error:
        raise HfkitError(error.what, where=rows.table.origin, fix=error.fix) from error


def _names(tags: Any) -> list[str]:
    """The labels of tags: O first, and of names B- and I- of each type, whether or not both occur."""
    found = set(tags)
    if has_scheme(found):
        return ordered({tag[2:] for tag in found if tag != OUTSIDE})
    return [*([OUTSIDE] if OUTSIDE in found else []), *sorted(found - {OUTSIDE})]


def _orphans(role: str, rows: Rows, before: list[list[str]]) -> list[str]:
    """How many tags said that a name goes on which had not begun."""
    turned = [
        (row, sum(one != other for one, other in zip(old, new, strict=True)))
        for row, (old, new) in enumerate(zip(before, rows.label, strict=True))
        if old != new
    ]
    if not turned:
        return []
    number = sum(count for _, count in turned)
    return [
        f"{role}: {counted(number, 'tag')} I- that follow{'s' if number == 1 else ''} no name of its type, read as B-"
        f" (the first in {rows.places([turned[0][0]])})"
    ]


def _matched(rows: Rows, role: str, names: list[str], drop: bool, of_model: bool, notes: list[str]) -> Rows:
    """The rows with ids of `names` for tags.

    Raises:
        HfkitError: A tag has no such name.
    """
    find = finder(names)
    ids = {tag: find(tag) for tags in rows.label for tag in tags}
    unknown = sorted(tag for tag, found in ids.items() if found is None)
    if unknown:
        bad = [row for row, tags in enumerate(rows.label) if set(tags) & set(unknown)]
        if not drop or len(bad) == len(rows):
            who = "the model does not know" if of_model else "training never shows"
            raise HfkitError(
                f"{role} has tags that {who}: {', '.join(unknown)}",
                where=rows.places(bad),
                fix=f"rename them; known are {', '.join(names)}; or --drop_unseen_labels leaves those texts out",
            )
        notes.append(f"{role}: {counted(len(bad), 'text')} with tags that are not known left out: {', '.join(unknown)}")
        rows = rows.select([row for row in range(len(rows)) if row not in set(bad)])
    rows.label = [[ids[tag] for tag in tags] for tags in rows.label]
    return rows


def _rarest(rows: Rows) -> Sequence[Hashable]:
    """What a text counts as when a split is drawn: its rarest tag."""
    counts = Counter(tag for tags in rows.label for tag in set(tags))
    return [min(tags, key=lambda tag: (counts[tag], tag)) for tags in rows.label]


def _finish(
    opened: Source, layout: Layout, names: list[str], splits: dict[str, Rows], notes: list[str]
) -> "LoadedData":
    from hfkit.data.summary import finished

    types = [name[2:] for name in names if name.startswith("B-")]
    shown = types or [name for name in names if name != OUTSIDE]
    listed = ", ".join(shown if len(shown) <= 10 else [*shown[:9], "...", shown[-1]])
    sizes = " / ".join(f"{len(rows):,}" for rows in splits.values())
    words = sum(len(tags) for rows in splits.values() for tags in rows.label)
    what = f"{counted(len(shown), 'type')} of names {listed}" if types else f"{counted(len(shown), 'tag')} {listed}"
    return finished(
        opened,
        {role: _dataset(rows, names) for role, rows in splits.items()},
        notes,
        problem_type="token_classification",
        reading=f"words = {layout.words_told}, tags = {layout.tags_told}: {what}; {sizes} texts, {words:,} words",
        text_column=layout.words,
        label_column=layout.tags,
        label_names=names,
    )


def _dataset(rows: Rows, names: list[str]) -> Any:
    from datasets import ClassLabel, Dataset, Features, List, Value

    words, places = (rows.table.columns[name] for name in ("tokens", "places"))
    columns: dict[str, Any] = {
        "id": rows.id,
        "text": rows.inputs["text"],
        "tokens": [words[row] for row in rows.index],
        "begins": [[begin for begin, _ in places[row]] for row in rows.index],
        "ends": [[end for _, end in places[row]] for row in rows.index],
        "label": rows.label,
    }
    features: dict[str, Any] = {"id": Value("string"), "text": Value("string"), "tokens": List(Value("string"))}
    features |= {"begins": List(Value("int32")), "ends": List(Value("int32")), "label": List(ClassLabel(names=names))}
    if DOCUMENT in rows.table.columns:
        columns["group"], features["group"] = rows.unit, Value("string")
    return Dataset.from_dict(columns, features=Features(features))
