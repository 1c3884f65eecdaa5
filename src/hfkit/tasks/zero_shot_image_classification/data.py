"""load: pictures with their captions, their class or both, as checked splits; a row a picture."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets import ClassLabel, List, Value

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.labels.names import natural, short
from hfkit.data.labels.values import spelled_list
from hfkit.data.sources.folder_tables import tables_in
from hfkit.data.sources.image_folders import SPLITS, pictures_below
from hfkit.data.sources.source import Source, open_source
from hfkit.data.splits import group_of, settled_pictures
from hfkit.data.summary import LoadedData, finished_pictures
from hfkit.data.tables.columns import row_ids, unused
from hfkit.data.tables.roles import choose_alone
from hfkit.data.tables.rows import Rows, check_missing, units
from hfkit.data.tables.table import Table, counted, is_missing
from hfkit.data.text.keys import folded
from hfkit.data.vision.pictures import image_column, looked_at, unnamed

CAPTIONS = (
    "captions", "caption", "sentences", "sentence", "text", "raw", "alt_text", "description", "title", "comment",
)  # fmt: skip
CLASSES = ("label", "labels", "class", "class_name", "category")
IN_A_DICT = ("raw", "caption", "text", "sentence")
"""What a caption may be called where a cell lists several as COCO's files do."""


@dataclass(frozen=True)
class Columns:
    """The columns that are read; those that a table has not are None."""

    image: str
    caption: str | None
    label: str | None


@dataclass(frozen=True)
class Held:
    """What belongs to a picture."""

    captions: tuple[str, ...]
    name: str | None  # of its class


def load(arguments: DataArguments, only_test: bool = False, label_names: list[str] | None = None) -> LoadedData:
    """Pictures with captions as three splits, or with `only_test` the test split alone (of a single file, all of it).

    A caption a row, where rows of the same picture are put together; a list of captions a row; a text file beside each
    picture; or no captions but a class, as a folder a class gives them. No picture is in two splits. `label_names` are
    a finished model's classes.

    Returns columns `id`, `image`, `captions` (a list of texts, where there are any), `label` (where there are classes)
    and `group` where one is asked for. Raises HfkitError: as `hfkit.load_data`; neither captions nor classes, a caption
    that is no text, a picture of two classes, a class that the model does not know."""
    opened = _with_texts(arguments) or open_source(arguments, images=True)
    tables, notes = choose_alone(opened, arguments, only_test)
    with after(notes):
        for table in tables.values():
            table.missing = arguments.missing_values
        columns = _columns(next(iter(tables.values())), arguments, opened.card.columns if opened.card else {})
        group = group_of(arguments, opened.card)
        notes += unused(tables, {*vars(columns).values(), group})
        splits = {role: _rows(table, role, columns, group, arguments, notes) for role, table in tables.items()}
        notes += unnamed(opened.location, tables, columns.image)
        splits, levels = settled_pictures(splits, _strata, arguments, opened.card, notes)
        classes = _classes(splits, opened, label_names, notes) if columns.label else []
    kept = {"test": splits["test"]} if only_test else splits
    return _finish(opened, kept, columns, classes, levels, notes, group)


def _with_texts(arguments: DataArguments) -> Source | None:
    """A folder of pictures beside text files of the same names, a caption a line; those in train/, val/ and test/ are
    of that split. None where there are no such files, or there is a table. Raises HfkitError: one is not UTF-8."""
    path = Path(arguments.dataset.strip()).expanduser()
    if arguments.dataset.startswith("demo:") or not path.is_dir() or tables_in(path, arguments):
        return None
    left = list[Path]()
    files = list(pictures_below(path, left))
    if not any(file.with_suffix(".txt").is_file() for file in files):
        return None
    arguments.check_no_csv(str(path))
    tables: dict[str, Table] = {}
    for file in files:
        below, text = file.relative_to(path).as_posix(), file.with_suffix(".txt")
        split = SPLITS.get(below.partition("/")[0].lower(), "train")
        table = tables.setdefault(split, Table(str(path), {"image": [], "captions": [], "id": []}, [], "file"))
        try:
            lines = text.read_text(encoding="utf-8-sig").splitlines() if text.is_file() else []
        except (UnicodeDecodeError, OSError) as error:
            what = f"The captions cannot be read: {error}"
            raise HfkitError(what, where=str(text), fix="save it as UTF-8") from error
        for name, value in (("image", str(file.absolute())), ("captions", lines), ("id", below)):
            table.columns[name].append(value)
    for table in tables.values():
        table.lines, table.pictures = table.columns["id"], ["image"]
    return Source.of_tables(arguments.dataset, path, tables)


def _columns(table: Table, arguments: DataArguments, given: dict[str, str]) -> Columns:
    image = image_column(table, arguments.image_column or given.get("image"))
    if image is None:
        what = f"No column holds pictures, or paths of some; there are {', '.join(table.shown)}"
        raise HfkitError(what, where=table.origin, fix="say --image_column NAME")
    asked = [arguments.text_column or given.get("text"), arguments.label_column or given.get("label")]
    for name in filter(None, asked):
        table.known(name)
    if len({image, *filter(None, asked)}) < 1 + len([*filter(None, asked)]):
        raise HfkitError("One column is named for two things", where=table.origin, fix="drop one flag")
    label = asked[1] or table.first_of(CLASSES, (image, asked[0]))
    caption = asked[0] or table.first_of(CAPTIONS, (image, label))
    if caption is None and label is None:
        what = f"The pictures have neither captions nor classes; there are {', '.join(table.shown)}"
        raise HfkitError(what, where=table.origin, fix="say --text_column NAME or --label_column NAME")
    return Columns(image, caption, label)


def _rows(
    table: Table, role: str, columns: Columns, group: str | None, arguments: DataArguments, notes: list[str]
) -> Rows:
    """A row a picture: those of the same pixels are put together, with all their captions."""
    facts, bad, told = looked_at(table, columns.image, role, arguments.skip_corrupt)
    notes += told
    label = _named(table, columns.label) if columns.label else [None] * len(table)
    if columns.label:
        empty = [row for row, name in enumerate(label) if name is None]
        other = "--label_column names another column"
        check_missing(table, f"classes in {columns.label!r}", empty, other, arguments.drop_bad_rows)
        notes += [f"{counted(len(empty), 'row')} of {role} without {columns.label}: dropped"] if empty else []
        bad.update(empty)
    texts: list[tuple[str, ...]] = [()] * len(table)
    if columns.caption:
        texts, blank = _captions(table, columns.caption)
        notes += [f"{counted(blank, 'empty caption')} of {role} among others: left out"] if blank else []
        empty = [row for row, own in enumerate(texts) if not own]
        other = "--text_column names another column"
        check_missing(table, f"captions in {columns.caption!r}", empty, other, arguments.drop_bad_rows)
        notes += [f"{counted(len(empty), 'row')} of {role} without {columns.caption}: dropped"] if empty else []
        bad.update(empty)
    digests = [one.digest if one else "" for one in facts]
    held: list[Any] = [Held(own, name) for own, name in zip(texts, label, strict=True)]
    ids = row_ids(table, role, [name for name in vars(columns).values() if name])
    rows = Rows(table, list(range(len(table))), ids, {"image": digests}, held, units(table, None, group)).without(bad)
    if not len(rows):
        raise HfkitError(f"No picture of {role} has all that it needs", where=table.origin)
    return _together(rows, role, columns, notes) if columns.caption else rows


def _together(rows: Rows, role: str, columns: Columns, notes: list[str]) -> Rows:
    """The first row of each picture, with the captions of all its rows, each once."""
    first: dict[str, int] = {}
    again = 0
    for row, (digest, held) in enumerate(zip(rows.inputs["image"], rows.label, strict=True)):
        at = first.setdefault(digest, row)
        if rows.label[at].name != held.name:
            both = f"{rows.label[at].name!r} and {held.name!r}"
            what = f"The same picture has two classes in {columns.label!r}: {both}"
            raise HfkitError(what, where=rows.places([at, row]), fix="mend the rows")
        every = {folded(one): one for one in rows.label[at].captions} if at < row else {}
        known = len(every)
        for one in held.captions:
            every.setdefault(folded(one), one)
        again += known + len(held.captions) - len(every)
        rows.label[at] = replace(held, captions=tuple(every.values()))
    if len(first) < len(rows):
        what = f"{counted(len(rows), 'row')} of {role} are {counted(len(first), 'picture')}"
        notes.append(f"{what}: the captions of a picture are put together")
    notes += [f"{counted(again, 'caption')} of {role} that the same picture has already: left out"] if again else []
    return rows.select(sorted(first.values()))


def _named(table: Table, column: str) -> list[str | None]:
    """The class of each row by its name; where the source names numbers, the name of each."""
    names, values = table.label_names.get(column), table.column(column)
    odd = [row for row, one in enumerate(values) if not isinstance(one, str | int | None) or isinstance(one, bool)]
    numbers = [row for row, one in enumerate(values) if names and isinstance(one, int) and not 0 <= one < len(names)]
    if odd or numbers:
        first = values[(odd or numbers)[0]]
        what = f"{counted(len(odd or numbers), 'value')} of {column!r} that is no one class: the first is {first!r}"
        fix = "a picture has one class; --label_column names another column"
        raise HfkitError(what[:300], where=table.places(odd or numbers), fix=fix)
    told = [names[one] if names and isinstance(one, int) else one for one in values]
    return [None if is_missing(one) else str(one).strip() for one in told]


def _captions(table: Table, column: str) -> tuple[list[tuple[str, ...]], int]:
    """The captions of each row, and how many among others are empty."""
    found, odd, blank = [], [], 0
    for row, cell in enumerate(table.column(column)):
        listed = spelled_list(cell) if isinstance(cell, str) and cell.lstrip().startswith("[") else None
        held = listed if listed is not None else list(cell) if isinstance(cell, list | tuple) else [cell]
        held = [_in_a_dict(one) if isinstance(one, dict) else one for one in held]
        texts = tuple(one.strip() if isinstance(one, str) else one for one in held if not is_missing(one))
        odd += [row] if not all(isinstance(one, str) for one in texts) else []
        blank += len(held) - len(texts) if texts else 0
        found.append(texts)
    if odd:
        what = f"{counted(len(odd), 'value')} of {column!r} cannot be read as captions: the first is {found[odd[0]]!r}"
        fix = "write texts, in quotes, or lists of them; --text_column names another column"
        raise HfkitError(what[:300], where=table.places(odd), fix=fix)
    return found, blank


def _in_a_dict(one: dict[str, Any]) -> Any:
    return next((one[name] for name in IN_A_DICT if name in one), one)


def _strata(rows: Rows) -> Sequence[Hashable]:
    """Classes keep their proportions when a split is drawn."""
    return [held.name or "" for held in rows.label]


def _classes(splits: dict[str, Rows], opened: Source, known: list[str] | None, notes: list[str]) -> list[str]:
    """The classes in their order: a finished model's, unless the data have others too; the card's; else by name."""
    there = {role: {held.name for held in rows.label} for role, rows in splits.items()}
    every = sorted({str(name) for names in there.values() for name in names}, key=natural)
    order = known or (opened.card.labels if opened.card else None) or every
    if unknown := [name for name in every if name not in order]:
        if known is None:
            what = f"The card has other classes than the data: {short(unknown)}"
            raise HfkitError(what, where=opened.location, fix=f"rename them; known are {short(order)}")
        notes.append(f"classes that the model was not judged by before, zero-shot: {len(unknown):,}, {short(unknown)}")
        order = every
    if unseen := [name for name in every if "train" in there and name not in there["train"]]:
        notes.append(f"classes that no training picture has, kept: {len(unseen):,}, {short(unseen)}")
    return list(order)


def _finish(
    opened: Source, splits: dict[str, Rows], columns: Columns, names: list[str], levels: list[float] | None,
    notes: list[str], group: str | None,
) -> LoadedData:  # fmt: skip
    def beside(rows: Rows) -> dict[str, tuple[Any, Any]]:
        found: dict[str, tuple[Any, Any]] = {}
        if columns.caption:
            found["captions"] = [list(one.captions) for one in rows.label], List(Value("string"))
        if names:
            found["label"] = [names.index(one.name) for one in rows.label], ClassLabel(names=names)
        return found

    sizes = " / ".join(f"{len(rows):,}" for rows in splits.values())
    captions = " / ".join(f"{sum(len(one.captions) for one in rows.label):,}" for rows in splits.values())
    parts = [f"caption = {columns.caption}"] if columns.caption else []
    parts += [f"class = {columns.label}: {short(names)}"] if columns.label else []
    with_captions = f" with {captions} captions" if columns.caption else ""
    return finished_pictures(
        opened,
        splits,
        notes,
        {"image": columns.image},
        beside,
        grouped=bool(group),
        problem_type="single_label_classification" if names else "retrieval",
        reading=f"image = {columns.image}, {', '.join(parts)}; {sizes} pictures{with_captions}",
        image_column=columns.image,
        text_column=columns.caption,
        label_column=columns.label,
        label_names=names or None,
        pixel_range=levels,
    )
