"""Boxes made one: corners in pixels of the upright picture, each inside it, with what had to be mended counted."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from hfkit.base.errors import HfkitError, nearest
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.boxes.objects import MANY, Form, Marked, Object, corners, told_form
from hfkit.data.vision.decode import Facts, data_of

KINDS = {
    "clipped": "cut off at their picture's edge",
    "outside": "outside of their picture, left out",
    "flat": "without an area, left out",
    "twice": "that stand there twice, left out once",
}


@dataclass
class Faults:
    """What was wrong with boxes, by kind: how many, and of which pictures."""

    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, kind: str, number: int, place: str) -> None:
        if number:
            self.counts[kind] += number
            self.places.setdefault(kind, {})[place] = None

    def notes(self, split: str) -> list[str]:
        told = []
        for kind, what in KINDS.items():
            if number := self.counts[kind]:
                shown = list(self.places[kind])
                more = f" and {len(shown) - 5:,} more" if len(shown) > 5 else ""
                told.append(f"{split}: {number:,} box{'es' * (number > 1)} {what}: {', '.join(shown[:5])}{more}")
        return told


def upright_boxes(
    table: Table, facts: Sequence[Facts | None], form: Form, relative: bool, faults: Faults
) -> list[tuple[np.ndarray, list[Object]]]:
    """Of each row (boxes, 4) as corners in pixels, and the objects that they are of; none where there is no picture."""
    found: list[tuple[np.ndarray, list[Object]]] = []
    for row, (seen, objects, size) in enumerate(
        zip(facts, table.columns["objects"], table.columns["size"], strict=True)
    ):
        boxes = np.array([one.box for one in objects], dtype=np.float64).reshape(-1, 4)
        if seen is None:
            found.append((boxes[:0], []))
            continue
        wide, high, turn = _as_written(table, row, size, seen)
        boxes = corners(boxes, form) * ([wide, high, wide, high] if relative else 1.0)
        boxes, kept = cleaned(turned(boxes, turn, wide, high), objects, seen, faults, _named(table, row))
        found.append((boxes, kept))
    return found


def cleaned(
    boxes: np.ndarray, objects: Sequence[Object], seen: Facts, faults: Faults, place: str
) -> tuple[np.ndarray, list[Object]]:
    """The boxes that have an area in their picture, cut off at its edge, each once."""
    finite = np.isfinite(boxes).all(1)
    flat = ~finite | (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    inside = boxes.clip(0, [seen.width, seen.height, seen.width, seen.height])
    gone = ~flat & ((inside[:, 2] <= inside[:, 0]) | (inside[:, 3] <= inside[:, 1]))
    cut = ~flat & ~gone & (np.abs(inside - boxes) > 1e-6).any(1)
    rows, known = [], set()
    for row in np.flatnonzero(~flat & ~gone).tolist():
        key = (objects[row].label, *inside[row].tolist())
        rows += [row] if key not in known else []
        known.add(key)
    faults.add("flat", int(flat.sum()), place)
    faults.add("outside", int(gone.sum()), place)
    faults.add("clipped", int(cut.sum()), place)
    faults.add("twice", int((~flat & ~gone).sum()) - len(rows), place)
    return inside[rows], [objects[row] for row in rows]


def turned(boxes: np.ndarray, turn: int, wide: int, high: int) -> np.ndarray:
    """Corners in a picture as it is stored, `wide` x `high`, as those in the upright one: EXIF's orientation."""
    left, top, right, below = boxes.T
    x = {6: (high - below, high - top), 7: (high - below, high - top), 5: (top, below), 8: (top, below)}.get(turn)
    y = {6: (left, right), 5: (left, right), 7: (wide - right, wide - left), 8: (wide - right, wide - left)}.get(turn)
    return boxes if x is None or y is None else np.stack([x[0], y[0], x[1], y[1]], axis=1)


def forms_of(marked: Marked, facts: dict[str, list[Facts | None]], asked: Form | None, where: str) -> tuple[Form, bool]:
    """How the boxes of all splits are written, see `told_form`; and refuses pictures with too many of them."""
    boxes, sizes = [], []
    for split, table in marked.tables.items():
        for row, objects in enumerate(table.columns["objects"]):
            if len(objects) > MANY:
                what = f"{len(objects):,} objects, and a picture may have {MANY:,}"
                raise HfkitError(what, where=_named(table, row), fix="cut the picture into several")
            if (seen := facts[split][row]) is not None:
                numbers = np.array([one.box for one in objects], dtype=np.float64).reshape(-1, 4)
                boxes.append(numbers[np.isfinite(numbers).all(1)])
                sizes.append(_as_written(table, row, table.columns["size"][row], seen)[:2])
    form, relative = told_form(boxes, sizes, asked, marked.form, where)
    if marked.relative is not None and relative != marked.relative and any(map(len, boxes)):
        kind = "shares of the picture's sides, 0 to 1" if marked.relative else "pixels"
        raise HfkitError(f"The boxes should be {kind}, and the numbers are not", where=where, fix="mend the files")
    return form, relative


def class_names(marked: Marked, given: Sequence[str], notes: list[str]) -> list[str]:
    """The names of the classes, and every object's label made one of them: those `given`, else the source's, else what
    stands there, sorted. Numbers count from 0, or from 1 where they then are as many as the names. Raises HfkitError: a
    name that is not known, or a number beyond."""
    every = {one.label for table in marked.tables.values() for row in table.columns["objects"] for one in row}
    names = list(given or marked.names)
    numbers = sorted(int(label) for label in every if isinstance(label, int) or label.isdecimal())
    named = any(isinstance(label, str) for label in every) and set(map(str, every)) & set(names)
    by_number = len(numbers) == len(every) and not named
    if not names:
        names = [str(number) for number in numbers] if by_number else sorted(map(str, every))
        by_number = False
    if len(set(names)) < len(names) or len(names) > 10_000:
        raise HfkitError(f"{counted(len(names), 'name')} of classes: each has one of its own, of 10,000 at most")
    base = 1 if by_number and numbers and numbers[0] >= 1 and numbers[-1] == len(names) else 0
    if base:
        notes.append(f"numbers of classes begin with 1: 1 is {names[0]}, {len(names)} is {names[-1]}")
    for table in marked.tables.values():
        for row, objects in enumerate(table.columns["objects"]):
            for one in objects:
                known = 0 <= int(one.label) - base < len(names) if by_number else str(one.label) in names
                if not known:
                    fix = f"{len(names)} names are known, {base} to {len(names) - 1 + base}: {', '.join(names[:20])}"
                    fix = fix if by_number else nearest(str(one.label), names)
                    raise HfkitError(f"There is no class {one.label!r}", where=_named(table, row), fix=fix)
            if by_number:
                objects[:] = [replace(one, label=names[int(one.label) - base]) for one in objects]
            else:
                objects[:] = [replace(one, label=str(one.label)) for one in objects]
    return names


def _as_written(table: Table, row: int, size: Any, seen: Facts) -> tuple[int, int, int]:
    """Width and height that a picture's boxes are of, and its EXIF's orientation where they are not of the upright one.
    Raises HfkitError: the file says another size than the picture has."""
    if size is None or tuple(size) == (seen.width, seen.height):
        return seen.width, seen.height, 1
    if tuple(size) == (seen.height, seen.width):
        with Image.open(_opened(table.columns["image"][row])) as image:
            turn = image.getexif().get(ExifTags.Base.Orientation, 1)
        if turn in (5, 6, 7, 8):
            return seen.height, seen.width, turn
    what = f"The boxes are of a picture of {size[0]} x {size[1]} pixels, and it has {seen.width} x {seen.height}"
    raise HfkitError(what, where=_named(table, row), fix="mend the size, or give the picture that the boxes are of")


def _opened(stored: Any) -> Any:
    return io.BytesIO(data_of(stored.as_py() if hasattr(stored, "as_py") else stored))


def _named(table: Table, row: int) -> str:
    return str(table.lines[row]) if table.lines is not None and table.unit != "line" else table.place(row)
