"""Tables of boxes: a row a picture with a list of its objects, as the Hub's data sets have it, or a row a box."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import Table, is_missing
from hfkit.data.vision.boxes.objects import Form, Marked, Object, four

BOX_NAMES = ("objects", "annotations", "boxes", "bboxes", "bbox", "box")
LABEL_NAMES = ("category", "categories", "label", "labels", "class", "classes", "class_name", "name", "names",
               "category_id", "class_id")  # fmt: skip
VOID_NAMES = ("iscrowd", "is_crowd", "crowd", "difficult", "void")
SIDES: tuple[tuple[Form, tuple[str, str, str, str]], ...] = (
    ("xyxy", ("xmin", "ymin", "xmax", "ymax")),
    ("xyxy", ("x_min", "y_min", "x_max", "y_max")),
    ("xyxy", ("x1", "y1", "x2", "y2")),
    ("xyxy", ("left", "top", "right", "bottom")),
    ("cxcywh", ("x_center", "y_center", "width", "height")),
    ("cxcywh", ("cx", "cy", "w", "h")),
    ("xywh", ("x", "y", "width", "height")),
    ("xywh", ("x", "y", "w", "h")),
    ("xywh", ("left", "top", "width", "height")),
)
"""What the four columns of a box are called, and how it is then written."""

_FIX = "--boxes_column names a list of boxes a picture; or a box a row in xmin, ymin, xmax, ymax and label"


def marked(tables: Mapping[str, Table], image: str, asked: str | None, label: str | None) -> Marked:
    """The pictures of tables with their objects, in columns `objects` and `size`. `asked` is the column with lists of
    boxes, or of all that is known of objects; `label` that of their classes. Raises HfkitError: no column holds boxes;
    a value that is none, told by its row."""
    first = next(iter(tables.values()))
    for name in filter(None, (asked, label)):
        first.known(name)
    named = [(form, found) for form, sides in SIDES if (found := _sides(first, sides))] if asked is None else []
    column = asked or first.first_of(BOX_NAMES, [image])
    if named:
        form, sides = named[0]
        label = label or first.first_of(LABEL_NAMES, [image, *sides])
        made = {split: _by_picture(table, image, sides, label) for split, table in tables.items()}
        return Marked(made, form, None, first.label_names.get(label or "", []))
    if column is None:
        what = f"No column holds boxes; there are {', '.join(first.shown)}"
        raise HfkitError(what, where=first.origin, fix=_FIX)
    label = label or first.first_of(LABEL_NAMES, [image, column])
    return Marked(
        {split: _listed(table, column, label) for split, table in tables.items()},
        names=next((names for key, names in first.label_names.items() if key in _keys(column, label)), []),
    )


def _sides(table: Table, wanted: Sequence[str]) -> list[str] | None:
    found = [table.first_of([name]) for name in wanted]
    return [name for name in found if name] if all(found) else None


def _keys(column: str, label: str | None) -> set[str | None]:
    return {label, *(f"{column}.{name}" for name in LABEL_NAMES)}


def _by_picture(table: Table, image: str, sides: Sequence[str], label: str | None) -> Table:
    """A table of a box a row as one of a picture a row; a row without a box is a picture without any."""
    values = {name: table.column(name) for name in (image, *sides, *([label] if label else []))}
    rows: dict[str, list[int]] = {}
    for row, picture in enumerate(values[image]):
        rows.setdefault(str(picture), []).append(row)
    objects = []
    for members in rows.values():
        held = [row for row in members if not all(is_missing(values[side][row]) for side in sides)]
        objects.append([
            Object(_label(values[label][row] if label else "object", table.place(row)),
                   four([values[side][row] for side in sides], table.place(row)))
            for row in held
        ])  # fmt: skip
    made = table.select([members[0] for members in rows.values()])
    return replace(made, columns=made.columns | {"objects": objects, "size": [None] * len(rows)})


def _listed(table: Table, column: str, label: str | None) -> Table:
    stored = table.column(column)
    labels = table.column(label) if label else [None] * len(stored)
    objects = [_objects(one, labels[row], table.place(row)) for row, one in enumerate(stored)]
    return replace(table, columns=dict(table.columns) | {"objects": objects, "size": [None] * len(stored)})


def _objects(value: Any, labels: Any, where: str) -> list[Object]:
    """What a cell holds: lists by name, a list of what is known of each, or boxes alone with their labels beside."""
    if is_missing(value) if not isinstance(value, list | dict) else not value:
        return []
    if isinstance(value, dict):
        value = [dict(zip(value, held, strict=True)) for held in zip_longest(*_columns(value, where))]
    if not isinstance(value, list):
        raise HfkitError(f"A list of boxes is asked for, and this is {str(value)[:80]!r}", where=where, fix=_FIX)
    if value and not isinstance(value[0], list | tuple | dict):
        value = [value]  # the one box of the picture
    labels = labels if isinstance(labels, list) else [labels] * len(value)
    if len(labels) != len(value):
        raise HfkitError(f"There are {len(value):,} boxes and {len(labels):,} labels", where=where)
    found = []
    for one, name in zip(value, labels, strict=True):
        known = {key.lower(): held for key, held in one.items()} if isinstance(one, dict) else {"box": one}
        box = next((known[key] for key in BOX_NAMES if known.get(key) is not None), None)
        own = next((known[key] for key in LABEL_NAMES if known.get(key) is not None), name)
        void = any(known.get(key) in (True, 1) for key in VOID_NAMES)
        found.append(Object(_label("object" if own is None else own, where), four(box, where), void))
    return found


def _columns(value: dict[str, Any], where: str) -> list[list[Any]]:
    columns = [held for held in value.values() if isinstance(held, list)]
    if len(columns) < len(value) or len({len(held) for held in columns}) > 1:
        raise HfkitError("The lists of the picture's objects differ in length", where=where, fix=_FIX)
    return columns


def _label(value: Any, where: str) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise HfkitError(f"An object's label is a name or a number, and this is {str(value)[:60]!r}", where=where)
    return value
