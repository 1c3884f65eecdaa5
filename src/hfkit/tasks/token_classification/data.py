"""load: texts with a tag for each of their words, as checked splits."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from datasets import ClassLabel, Dataset, Features, List, Value

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.labels.names import canonical, ends, finder
from hfkit.data.sources.source import Source, open_source
from hfkit.data.splits import carve, limited, rarest, remove_repeats
from hfkit.data.summary import LoadedData, finished
from hfkit.data.tables.columns import group_of, row_ids
from hfkit.data.tables.roles import choose_alone
from hfkit.data.tables.rows import Rows, units
from hfkit.data.tables.table import Table, counted
from hfkit.tasks.token_classification.config import TagColumns
from hfkit.tasks.token_classification.words import schemes
from hfkit.tasks.token_classification.words.choice import layout_of
from hfkit.tasks.token_classification.words.columns import DOCUMENT, LINES, column_source
from hfkit.tasks.token_classification.words.layouts import Layout
from hfkit.tasks.token_classification.words.schemes import OUTSIDE

FEW_DOCUMENTS = 10
"""Below so many, held-out splits are drawn by sentences: a document alone would be a split of its own kind."""


@dataclass
class Arguments(TagColumns, DataArguments):
    """All that a data set can be asked for, and how its tags are read."""


def load(arguments: Arguments, only_test: bool = False, label_names: list[str] | None = None) -> LoadedData:
    """Tagged texts as three splits, or with `only_test` the test split alone (of a single file, all of it).

    Columns `id`, `text`, `tokens` (its words), `begins` and `ends` (where each stands in the text, in characters),
    `label` (a tag for each word; names are in IOB2, whatever the source has), and `group`, the document of a sentence,
    where the source tells. `label_names` are a model's tags, to which those of the data are matched by name. Raises
    HfkitError: as `hfkit.load_data`; and where words and tags do not fit together, with file and line."""
    opened = column_source(arguments) or open_source(arguments)
    tables, notes = choose_alone(opened, arguments, only_test)
    with after(notes):
        for table in tables.values():
            table.missing = arguments.missing_values
        layout, unused = layout_of(next(iter(tables.values())), opened.card, arguments)
        notes += unused
        splits = {role: _rows(table, role, layout, opened, arguments, notes) for role, table in tables.items()}
        names = _settle(splits, arguments, label_names, notes)
        splits = remove_repeats(splits, notes, keep=arguments.keep_duplicates)
        if "train" in splits:
            splits["train"] = _by_sentences(splits, opened, arguments, notes)
            splits = carve(splits, rarest, arguments, opened.card, notes)
        splits = limited(splits, rarest, arguments, notes)
    return _finish(opened, layout, names, {"test": splits["test"]} if only_test else splits, notes)


def _rows(table: Table, role: str, layout: Layout, opened: Source, arguments: Arguments, notes: list[str]) -> Rows:
    """The texts of a split: `inputs` are the texts, `label` each one's tags, and the table holds their words."""
    texts, bad, found = layout.read(table, role, drop=arguments.drop_bad_rows)
    notes += found
    ids = row_ids(table, role, layout.used)
    group = group_of(arguments, opened.card) or (DOCUMENT if DOCUMENT in table.columns else None)
    unit = units(table, opened.card.blocks if opened.card else None, group)
    columns: dict[str, Any] = {"tokens": [text.words for text in texts], "places": [text.places for text in texts]}
    columns |= {DOCUMENT: unit} if group else {}
    held = replace(table, columns=table.columns | columns)
    rows = Rows(held, list(range(len(table))), ids, {"text": [t.text for t in texts]}, [t.tags for t in texts], unit)
    rows = rows.without(bad)
    if not len(rows):
        raise HfkitError("No row holds a word", where=table.origin)
    return rows


def _by_sentences(splits: dict[str, Rows], opened: Source, arguments: Arguments, notes: list[str]) -> Rows:
    """The training rows, free of their documents where these are too few to hold some out whole."""
    rows = splits["train"]
    documents = len(set(rows.table.columns.get(DOCUMENT, ())))
    asked = group_of(arguments, opened.card) or (opened.card and opened.card.blocks)
    if asked or not 0 < documents < FEW_DOCUMENTS or {"validation", "test"} <= set(splits):
        return rows
    notes.append(f"train: {counted(documents, 'document')}, too few to hold some out whole: split by sentences")
    return replace(rows, unit=None)


def _settle(splits: dict[str, Rows], arguments: Arguments, known: list[str] | None, notes: list[str]) -> list[str]:
    """Tags as IOB2 in every split, and the names of all; rows with a tag that is not known are refused or left out."""
    by_role: dict[str, str] = {}
    told: dict[str, str] = {}
    for role, rows in splits.items():
        before, scheme = rows.label, str(arguments.tag_scheme)
        if all(tag == OUTSIDE for tags in before for tag in tags):
            if role == "train":
                what = f"No text holds a name: all {sum(map(len, before)):,} words have the tag {OUTSIDE}"
                fix = "give texts whose names are marked; --label_column names the column of tags or spans"
                raise HfkitError(what, where=rows.table.origin, fix=fix)
            notes.append(f"{role}: no word has a tag but {OUTSIDE}")
            continue
        if scheme == "auto":
            scheme = schemes.scheme_of(before, partial(_place, rows))
        else:
            schemes.check_scheme(before, scheme, partial(_place, rows))
        by_role[role], told[role] = scheme, schemes.scheme_told(scheme, before)
        rows.label = [schemes.to_iob2(tags, scheme) for tags in before]
        notes += _orphans(role, rows, before) if scheme == "iob2" else []
    if len(set(told.values())) > 1:
        notes.append(f"schemes differ: {', '.join(f'{role} {one}' for role, one in told.items())}")
        if "plain" in by_role.values():
            what = "Some splits say where a name begins, as B-PER does, and some do not"
            where = ", ".join(f"{splits[role].table.origin} ({one})" for role, one in told.items())
            fix = "write the tags of all splits in one way; or --tag_scheme plain, where each stands for itself"
            raise HfkitError(what, where=where, fix=fix)
    if others := sorted({told[role] for role, scheme in by_role.items() if scheme in ("iob1", "iobes")}):
        notes.append(f"tags in {' and '.join(others)}: read as IOB2")
    if known is None:
        _check_alike(splits)
    names = known or _names(tag for tags in next(iter(splits.values())).label for tag in tags)
    for role, rows in splits.items():
        splits[role] = _matched(rows, role, names, arguments.drop_unseen_labels, known is not None, notes)
    return names


def _check_alike(splits: dict[str, Rows]) -> None:
    """Refuses types that look equal and are not."""
    first: dict[tuple[bool, str], str] = {}
    for rows in splits.values():
        for row, tags in enumerate(rows.label):
            for word, tag in enumerate(tags):
                kind = tag[2:] if schemes.prefix(tag) else tag
                if (before := first.setdefault((kind == tag, canonical(kind)), kind)) != kind:
                    what = f"Types differ only in case, spacing or in what cannot be seen: {before!r} and {kind!r}"
                    raise HfkitError(what, where=_place(rows, row, word), fix="rename one of them in the data")


def _place(rows: Rows, row: int, word: int) -> str:
    """Where a word stands: its line, or its number in its row."""
    lines = rows.table.columns.get(LINES)
    if lines is not None:
        return f"{rows.table.origin} line {lines[rows.index[row]][word]}"
    return f"{rows.places([row])}, word {word + 1}"


def _names(tags: Iterable[str]) -> list[str]:
    """The labels of tags: O first, and of names B- and I- of each type, whether or not both occur."""
    found = set(tags)
    if schemes.has_scheme(found):
        return schemes.ordered({tag[2:] for tag in found if tag != OUTSIDE})
    return [*([OUTSIDE] if OUTSIDE in found else []), *sorted(found - {OUTSIDE})]


def _orphans(role: str, rows: Rows, before: list[list[str]]) -> list[str]:
    """How many tags said that a name goes on which had not begun."""
    turned = [
        (row, word)
        for row, (old, new) in enumerate(zip(before, rows.label, strict=True))
        for word, (one, other) in enumerate(zip(old, new, strict=True))
        if one != other
    ]
    if not turned:
        return []
    return [
        f"{role}: {counted(len(turned), 'tag')} I- that follow{'s' * (len(turned) == 1)} no name of its type, read as"
        f" B- (the first in {_place(rows, *turned[0])})"
    ]


def _matched(rows: Rows, role: str, names: list[str], drop: bool, of_model: bool, notes: list[str]) -> Rows:
    """The rows with ids of `names` for tags. Raises HfkitError: a tag has no such name."""
    find = finder(names)
    ids = {tag: find(tag) for tags in rows.label for tag in tags}
    unknown = sorted(tag for tag, found in ids.items() if found is None)
    if unknown:
        first = {row: word for row, tags in enumerate(rows.label) for word, tag in reversed([*enumerate(tags)])
                 if ids[tag] is None}  # fmt: skip
        if not drop or len(first) == len(rows):
            who = "the model does not know" if of_model else "training never shows"
            places = [_place(rows, row, word) for row, word in list(first.items())[:5]]
            what = f"{role} has tags that {who}: {', '.join(unknown)}"
            where = f"{', '.join(places)} ({counted(len(first), 'text')} in all)"
            other = "" if len(first) == len(rows) else "; or --drop_unseen_labels leaves those texts out"
            raise HfkitError(what, where=where, fix=f"rename them; known are {', '.join(names)}{other}")
        texts = counted(len(first), "text")
        notes.append(f"{role}: {texts} with tags that are not known left out: {', '.join(unknown)}")
        rows = rows.without(first)
    rows.label = [[ids[tag] for tag in tags] for tags in rows.label]
    return rows


def _finish(opened: Source, layout: Layout, names: list[str], splits: dict[str, Rows], notes: list[str]) -> LoadedData:
    types = [name[2:] for name in names if name.startswith("B-")] if schemes.has_scheme(names) else []
    shown = types or [name for name in names if name != OUTSIDE]
    listed = ends(shown)
    sizes = " / ".join(f"{len(rows):,}" for rows in splits.values())
    words = sum(len(tags) for rows in splits.values() for tags in rows.label)
    what = f"{counted(len(shown), 'type')} of names {listed}" if types else f"{counted(len(shown), 'tag')} {listed}"
    grouped = all(DOCUMENT in rows.table.columns and rows.unit is not None for rows in splits.values())
    return finished(
        opened,
        {role: _dataset(rows, names, grouped) for role, rows in splits.items()},
        notes,
        problem_type="token_classification",
        reading=f"{layout.told}: {what}; {sizes} texts, {words:,} words",
        text_column=layout.words,
        label_column=layout.tags,
        label_names=names,
    )


def _dataset(rows: Rows, names: list[str], grouped: bool) -> Any:
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
    if grouped:
        columns["group"], features["group"] = rows.unit, Value("string")
    return Dataset.from_dict(columns, features=Features(features))
