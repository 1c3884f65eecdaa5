"""load: pictures with boxes around their objects, as checked splits."""

from dataclasses import dataclass
from typing import Any

from datasets import ClassLabel, List, Value

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.labels.names import ends
from hfkit.data.sources.source import Source, on_disk, open_source
from hfkit.data.splits import rarest, settled_pictures
from hfkit.data.summary import LoadedData, finished_pictures
from hfkit.data.tables.columns import group_of, row_ids
from hfkit.data.tables.roles import choose_alone
from hfkit.data.tables.rows import Rows, units
from hfkit.data.tables.table import counted
from hfkit.data.vision.boxes.cleaning import Faults, class_names, forms_of, upright_boxes
from hfkit.data.vision.boxes.coco import coco_tables
from hfkit.data.vision.boxes.objects import Marked
from hfkit.data.vision.boxes.tables import marked
from hfkit.data.vision.boxes.voc import voc_tables
from hfkit.data.vision.boxes.yolo import yolo_tables
from hfkit.data.vision.decode import Facts
from hfkit.data.vision.pictures import image_column, looked_at
from hfkit.tasks.object_detection.config import BoxColumns


@dataclass
class Arguments(BoxColumns, DataArguments):
    """All that a data set can be asked for, and how its boxes are read."""


@dataclass(frozen=True)
class Held:
    """The objects of a picture, for `hfkit.data.splits`: equal pictures with unlike boxes are told."""

    classes: tuple[int, ...]
    boxes: tuple[tuple[float, ...], ...]
    void: tuple[bool, ...]


def load(arguments: Arguments, only_test: bool = False, label_names: list[str] | None = None) -> LoadedData:
    """Pictures with boxes as three splits, or with `only_test` the test split alone (of a single file or folder, all).

    COCO's JSON, Pascal VOC's XML, YOLO's text files, a table of boxes, or a data set with a column of objects. Columns
    `id`, `image`, `boxes` (left, top, right and lower edge of each in pixels, of the upright picture), `label` (its
    class), `void` (whether it is neither learnt nor judged) and, where one is asked for, `group`. `label_names` are a
    model's classes, to which those of the data are matched by name. Raises HfkitError: as `hfkit.load_data`; a box that
    is none, a class without a name, or boxes of another picture."""
    opened, form = _opened(arguments)
    tables, notes = choose_alone(opened, arguments, only_test)
    with after(notes):
        form.tables = tables
        splits, names = _rows(form, opened, arguments, label_names, notes)
        splits, levels = settled_pictures(splits, rarest, arguments, opened.card, notes)
        for role, rows in splits.items():
            there = {one for held in rows.label for one in held.classes}
            absent = [name for id, name in enumerate(names) if id not in there]
            notes += [f"{role}: no box of {', '.join(absent[:20])}"] if absent else []
            empty = sum(not held.classes for held in rows.label)
            notes += [f"{role}: {counted(empty, 'picture')} without a box, kept"] if empty else []
        if "train" in splits and not any(held.classes for held in splits["train"].label):
            raise HfkitError("No training picture has a box", where=opened.location)
    kept = {"test": splits["test"]} if only_test else splits
    return _finish(opened, kept, names, levels, notes, arguments)


def _opened(arguments: Arguments) -> tuple[Source, Marked]:
    """The tables of pictures and objects that `--dataset` means, and how their boxes are written."""
    name = arguments.dataset.strip()
    if path := on_disk(name):
        skip = arguments.skip_corrupt
        found = coco_tables(path)
        if path.is_dir() and arguments.boxes_column is None:
            found = found or voc_tables(path, skip) or yolo_tables(path)
        if found:
            arguments.check_no_csv(str(path))
            return Source.of_tables(name, path, found.tables, found.notes), found
    opened = open_source(arguments, images=True)
    first, given = next(iter(opened.tables.values())), opened.card.columns if opened.card else {}
    image = image_column(first, arguments.image_column or given.get("image"))
    if image is None:
        what = f"No column holds pictures, or paths of some; there are {', '.join(first.shown)}"
        raise HfkitError(what, where=first.origin, fix="say --image_column; or give COCO's, VOC's or YOLO's files")
    found = marked(opened.tables, image, arguments.boxes_column or given.get("label"), arguments.label_column)
    for table in found.tables.values():
        table.columns["image"] = table.columns[image]
    opened.tables = found.tables
    return opened, found


def _rows(
    form: Marked, opened: Source, arguments: Arguments, known: list[str] | None, notes: list[str]
) -> tuple[dict[str, Rows], list[str]]:
    """The rows of every split: `inputs` are digests of the pictures, `label` their objects; and the classes."""
    facts, bad = dict[str, list[Facts | None]](), dict[str, set[int]]()
    for role, table in form.tables.items():
        facts[role], bad[role], told = looked_at(table, "image", role, arguments.skip_corrupt)
        notes += told
    asked = None if arguments.box_format == "auto" else arguments.box_format
    written, relative = forms_of(form, facts, asked, opened.location)
    if asked is None and form.form is None:
        notes.append(f"boxes are read as {written}, {'shares of the sides' if relative else 'in pixels'}")
    names = class_names(form, arguments.class_names or (opened.card.labels if opened.card else None) or [], notes)
    if known and sorted(known) != sorted(names) and set(names) <= set(known):
        names = list(known)
    group = group_of(arguments, opened.card)
    splits = {}
    every = [id for table in form.tables.values() for id in (table.columns.get("id") or [])]
    for role, table in form.tables.items():
        faults, label = Faults(), []
        for boxes, objects in upright_boxes(table, facts[role], written, relative, faults):
            classes = tuple(names.index(str(one.label)) for one in objects)
            label.append(Held(classes, tuple(map(tuple, boxes.tolist())), tuple(one.void for one in objects)))
        notes += faults.notes(role)
        void = sum(sum(held.void) for held in label)
        notes += [f"{role}: {void:,} boxes of crowds or hard cases, neither learnt nor judged"] if void else []
        own = len(set(every)) == len(every) and every and all(isinstance(id, str) for id in table.columns["id"])
        ids = list(table.columns["id"]) if own else row_ids(table, role, ["image"])
        digests = [one.digest if one else "" for one in facts[role]]
        unit = units(table, opened.card.blocks if opened.card else None, group)
        splits[role] = Rows(table, list(range(len(table))), ids, {"image": digests}, label, unit).without(bad[role])
    return splits, names


def _finish(
    opened: Source,
    splits: dict[str, Rows],
    names: list[str],
    levels: list[float] | None,
    notes: list[str],
    arguments: Arguments,
) -> LoadedData:
    def columns(rows: Rows) -> dict[str, tuple[Any, Any]]:
        return {
            "label": ([list(one.classes) for one in rows.label], List(ClassLabel(names=names))),
            "boxes": ([list(map(list, one.boxes)) for one in rows.label], List(List(Value("float64")))),
            "void": ([list(one.void) for one in rows.label], List(Value("bool"))),
        }

    sizes = " / ".join(f"{len(rows):,}" for rows in splits.values())
    boxes = " / ".join(f"{sum(len(held.classes) for held in rows.label):,}" for rows in splits.values())
    return finished_pictures(
        opened,
        splits,
        notes,
        {"image": "image"},
        columns,
        grouped=group_of(arguments, opened.card) is not None,
        problem_type="object_detection",
        reading=f"pictures with boxes: classes {ends(names)}; {sizes} pictures with {boxes} boxes",
        image_column=arguments.image_column or "image",
        label_column=arguments.boxes_column or "objects",
        label_names=names,
        pixel_range=levels,
    )
