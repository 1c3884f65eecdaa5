"""The road from `--dataset` to checked splits: open, choose columns, take rows, read labels, clean, carve, draw."""

import dataclasses
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from hfkit.base import table_cache
from hfkit.base.errors import HfkitError, after, nearest
from hfkit.base.processes import is_first
from hfkit.base.sanitize import flat
from hfkit.config import DataArguments, RowArguments
from hfkit.config.rules import check
from hfkit.data import prepared
from hfkit.data.labels.column import Labels, check_counts, read_labels, several
from hfkit.data.sources.source import Source, open_source
from hfkit.data.splits import carve, limited, remove_repeats
from hfkit.data.summary import LoadedData, build, describe, finished, reading, rename_labels, say
from hfkit.data.tables.columns import Columns, choose_columns, group_of
from hfkit.data.tables.roles import choose_splits
from hfkit.data.tables.rows import Rows, take_rows
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.pictures import pixel_range, reads_images, unnamed, wanted
from hfkit.tasks.discover import find


def load_data(source: RowArguments | str | PathLike[str], **options: Any) -> LoadedData:
    """Loads a data set as three checked splits.

    Args:
        source: The configuration (its `task` and `problem_type` are honoured where it has them), or just what
            `--dataset` takes.
        **options: Fields of `DataArguments`, `task` or `problem_type`, that replace the configuration's:
            text_column="review". Without a task, images are read where the source declares some, else texts.

    Returns:
        A `datasets.DatasetDict` with train, validation and test. Columns: `id` (string), `text` (string), `text_pair`
        (string, for pairs) or `image` (datasets.Image, decoded when it is asked for), `label` (ClassLabel, a list of
        ClassLabel, or float32); for text-generation, what `hfkit.data.text.documents` says. Its `summary` says what was
        read, counted and removed. Rank 0 prints that too.

    Raises:
        HfkitError: Anything in the data that is not fit for training; the message names file and line."""
    arguments, problem_type, task = _arguments(source, options)
    if (load := _own(task, "stream" if arguments.streaming else "load")) is not None:
        return load(arguments)
    if arguments.streaming:
        raise HfkitError("Only texts for a language model can be streamed", fix="add --task text-generation")
    name = prepared.key(arguments, problem_type, task) if getattr(source, "reuse_tokens", False) else None
    if (kept := prepared.read(name)) is not None:
        say(kept.summary)
        if is_first():
            print(f"splits: an earlier run's, from {table_cache.folder()}", flush=True)
        return kept
    data = _read(open_source(arguments, images=reads_images(task)), arguments, problem_type, task)
    if name is not None:
        prepared.write(name, data, unchanged=name == prepared.key(arguments, problem_type, task))
    return data


def load_test(
    source: RowArguments | str | PathLike[str],
    *,
    label_names: list[str] | None = None,
    trained: Mapping[str, Any] | None = None,
    **options: Any,
) -> LoadedData:
    """Loads rows to evaluate a finished model on, as `load_data` does: a single file whole, anything else its test
    split. It gives `test` alone and, where given, exactly `label_names`, the model's labels, as classes: the data's are
    mapped to them by name (case does not count), never by position. `trained` are the configuration and data of the
    model's run: rows are read as it read them where `source` leaves it open. Raises HfkitError: as `load_data`; and a
    label that the model does not know."""
    arguments, problem_type, task = _arguments(source, options)
    if arguments.streaming:
        raise HfkitError("--streaming is for training: figures are taken on rows in memory", fix="drop --streaming")
    if (load := _own(task, "load")) is not None:
        return load(_own_as_trained(arguments, trained or {}), only_test=True, label_names=label_names)
    opened = open_source(arguments, images=reads_images(task))
    arguments = _as_trained(arguments, trained or {}, opened)
    data = _read(opened, arguments, problem_type, task, only_test=True, known=label_names)
    return _only_test(data, label_names, arguments.drop_unseen_labels)


def _read(
    opened: Source,
    arguments: DataArguments,
    problem_type: str,
    task: str | None,
    only_test: bool = False,
    known: list[str] | None = None,
) -> LoadedData:
    """The splits of a source; with `only_test` a single file is the test split, whose labels are those `known`."""
    tables, notes = choose_splits(opened, arguments, only_test)
    trains, levels, card = "train" in tables, None, opened.card
    with after(notes):
        for table in tables.values():
            table.missing = arguments.missing_values
        asked = arguments.image_column or (card.columns.get("image") if card else None)
        columns = choose_columns(tables, arguments, card, wanted(tables, asked, task, arguments.dataset))
        own = set(tables["train"].columns) - {columns.label, *columns.indicators} if trains else set()
        for role in [name for name in tables if trains and not getattr(arguments, f"{name}_split")]:
            if set(tables[role].columns) <= own:  # Kaggle's test.csv; another column may be the label's, misspelt
                notes.append(f"{role} has no {columns.label}: {counted(len(tables.pop(role)), 'row')} not used")
        splits, labels = _labelled(opened, arguments, columns, tables, problem_type, notes, None if trains else known)
        notes += unnamed(opened.location, tables, columns.image)
        splits = remove_repeats(splits, notes, keep=arguments.keep_duplicates or not trains)
        if trains:
            notes += check_counts(labels, splits["train"])
            splits = carve(splits, labels.strata, arguments, card, notes)
        splits = limited(splits, labels.strata, arguments, notes)
        if trains:
            levels = pixel_range({role: rows.table for role, rows in splits.items()}, arguments.pixel_range, notes)
    grouped = group_of(arguments, card) is not None
    return finished(
        opened,
        {role: build(rows, columns, labels.problem_type, labels.names, grouped) for role, rows in splits.items()},
        notes,
        problem_type=labels.problem_type,
        text_column=columns.text,
        text_pair_column=columns.pair,
        image_column=columns.image,
        label_column=columns.label,
        label_names=labels.names,
        decimal=labels.decimal,
        pixel_range=levels,
    )


def _own(task: str | None, name: str) -> Any:
    """What a task has in its data.py: its way to load rows that are more than an input and a label, or its arguments
    to that; None where it has none."""
    return find(task).offers("data", name) if task else None


def _arguments(source: Any, options: dict[str, Any]) -> tuple[DataArguments, str, str | None]:
    problem_type = options.pop("problem_type", None) or getattr(source, "problem_type", "auto")
    task = options.pop("task", None) or getattr(source, "task", None)
    kind: type[DataArguments] = _own(task, "Arguments") or DataArguments
    known = {entry.name for entry in dataclasses.fields(kind)}
    for name in options:
        if name not in known:
            raise HfkitError(f"load_data has no option {name!r}", fix=nearest(name, known))
    # A task's configuration has the knobs of the kinds that it reads, and no others.
    given = {name: getattr(source, name) for name in known if hasattr(source, name)}
    arguments = kind(**(given or {"dataset": fspath(source)}) | options)
    check(arguments)
    return arguments, problem_type, task


def _as_trained(arguments: DataArguments, trained: Mapping[str, Any], opened: Source) -> DataArguments:
    """The arguments, with what they leave open as the run had it; columns only where there are such and no card."""
    there = () if opened.card else next(iter(opened.tables.values())).columns
    labels = [*filter(None, [arguments.label_column]), *arguments.label_columns]
    names = ["text_column", "text_pair_column", "missing_values", "decimal"]
    names += [] if labels else ["label_column", "label_columns"]
    names += [] if arguments.label_columns else ["label_separator"]
    asked = [arguments.text_column, arguments.text_pair_column, *labels]

    def fits(name: str, value: Any) -> bool:
        column = not name.endswith("_column") or (value in there and value not in asked)
        return bool(value) and getattr(arguments, name) in (None, [], "auto") and column

    return dataclasses.replace(arguments, **{name: trained[name] for name in names if fits(name, trained.get(name))})


def _own_as_trained(arguments: DataArguments, trained: Mapping[str, Any]) -> DataArguments:
    """What only this task's data can be asked for, such as a language, as the run had it where it is left open; columns
    are looked for anew."""
    own = {entry.name for entry in dataclasses.fields(arguments)} - {e.name for e in dataclasses.fields(DataArguments)}
    left = [name for name in own if getattr(arguments, name) is None and not name.endswith("_column")]
    return dataclasses.replace(arguments, **{name: trained[name] for name in left if trained.get(name) is not None})


def _labelled(
    opened: Source,
    arguments: DataArguments,
    columns: Columns,
    tables: dict[str, Table],
    problem_type: str,
    notes: list[str],
    known: list[str] | None = None,
) -> tuple[dict[str, Rows], Labels]:
    """The rows of every split with their labels read; what was dropped or not used is added to `notes`."""
    names, card, splits = _declared_names(opened, tables, columns), opened.card, {}
    separator = arguments.label_separator or (card.label_separator if card else None)
    for role, table in tables.items():
        splits[role], dropped = take_rows(table, role, columns, arguments, card, separator, "-1" if names else None)
        notes += dropped
        if columns.image is None:
            notes += splits[role].substitute(card.replace if card else {}, role)
        elif several(problem_type, splits[role]):
            files, splits[role] = len(splits[role]), splits[role].joined()
            notes.append(
                f"{counted(files, 'file')} of {role} in class folders: {counted(len(splits[role]), 'picture')}"
            )
    labels = read_labels(splits, arguments, problem_type, names, separator, known)
    for role, kept in labels.kept.items():
        splits[role] = splits[role].select(kept)
    for role, rows in splits.items():
        rows.label = labels.values[role]
    notes += labels.notes
    notes += [f"columns not used: {', '.join(columns.unused)}"] if columns.unused else []
    return splits, labels


def _declared_names(opened: Source, tables: dict[str, Table], columns: Columns) -> list[str] | None:
    """The label names of the card, else of the source; splits that declare different ones are refused."""
    if columns.indicators:
        return [name.strip() for name in columns.indicators]
    declared = [table.label_names.get(columns.label) for table in tables.values()]
    for names, table in zip(declared, tables.values(), strict=True):
        if names != declared[0]:
            raise HfkitError(f"The splits declare different labels: {declared[0]} and {names}", where=table.origin)
    card = opened.card
    if card is None or card.labels is None or columns.label != card.columns.get("label", columns.label):
        return declared[0]
    if declared[0] and len(declared[0]) != len(card.labels):
        what = f"The card names {len(card.labels)} labels and the source has {len(declared[0])}"
        raise HfkitError(what, where=f"{card.path}, key hfkit.labels")
    return card.labels


def _only_test(data: LoadedData, label_names: list[str] | None, drop_unseen: bool) -> LoadedData:
    only = LoadedData({"test": data["test"]})
    only.summary = dataclasses.replace(data.summary)
    if label_names is not None and data.summary.label_names is not None:
        only["test"], notes = rename_labels(data["test"], label_names, data.summary.location, drop_unseen)
        only.summary.label_names, only.summary.notes = label_names, [*data.summary.notes, *notes]
        if notes and is_first():
            print(*map(flat, notes), sep="\n", flush=True)
    only.summary.splits = {"test": describe(only["test"])}
    only.summary.reading = reading(only.summary)
    return only
