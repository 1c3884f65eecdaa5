"""Objects as a file has them: what one is called and the four numbers of its box, before anything is made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import Table

Form = Literal["xywh", "xyxy", "cxcywh"]
FORMS: tuple[Form, ...] = ("xywh", "xyxy", "cxcywh")
"""Corner and size (COCO), two corners (Pascal VOC), middle and size (YOLO)."""

MANY = 20_000
"""Objects of one picture; more are no labels that somebody drew."""

SLACK = 1.5
"""Pixels by which a box may stick out of its picture and still count as written in the right form."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a picture."""

    label: str | int  # a name, or the number of one
    box: tuple[float, float, float, float]
    void: bool = False  # a crowd, or too hard to tell: neither learnt nor judged


@dataclass
class Marked:
    """Pictures with their objects, by split: tables with the columns `image`, `objects` (a list of `Object` a row) and
    `size` (width and height as the file says them, or None)."""

    tables: dict[str, Table]
    form: Form | None = None  # None: it has to be told from the numbers
    relative: bool | None = None  # 0 to 1 of the picture's sides
    names: list[str] = field(default_factory=list)  # of the numbers 0, 1, ..., where the source says them
    notes: list[str] = field(default_factory=list)


def four(values: Any, where: str) -> tuple[float, float, float, float]:
    """The numbers of a box. Raises HfkitError: there are not four, or one is none."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != 4:
        raise HfkitError(f"A box is four numbers, and this is {str(values)[:80]!r}", where=where)
    return numbers[0], numbers[1], numbers[2], numbers[3]


def hull(points: Iterable[Any], where: str) -> tuple[float, float, float, float]:
    """The box around polygons' points x, y, x, y, ..., as two corners. Raises HfkitError: they are none."""
    try:
        flat = np.asarray(list(points), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        flat = np.zeros(0)
    if flat.ndim != 1 or len(flat) < 4 or len(flat) % 2:
        raise HfkitError("An outline is a list of numbers x, y, x, y, ... of two points at least", where=where)
    x, y = flat[0::2], flat[1::2]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def corners(boxes: np.ndarray, form: Form) -> np.ndarray:
    """(boxes, 4) of a form as two corners."""
    first, second = boxes[:, :2], boxes[:, 2:]
    if form == "xyxy":
        return boxes
    if form == "cxcywh":
        return np.concatenate([first - second / 2, first + second / 2], axis=1)
    return np.concatenate([first, first + second], axis=1)


def told_form(
    boxes: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]], asked: Form | None, declared: Form | None, where: str
) -> tuple[Form, bool]:
    """How boxes are written, and whether relative to their pictures: as asked for, as the format of the file has it, or
    as the numbers alone can be: those that lie in their pictures. Raises HfkitError: several ways could be meant, or
    the numbers are no such ones.

    Args:
        boxes: (objects, 4) of each picture, with finite numbers only.
        sizes: (width, height) of each picture in the orientation that the numbers are of.
    """
    every = np.concatenate([*boxes, np.zeros((0, 4))])
    if not len(every):
        return asked or declared or "xywh", False
    relative = bool(every.max() <= 1 + 1e-6)
    scale = [(1.0, 1.0) if relative else size for size in sizes]
    wide, high = (np.repeat([side[at] for side in scale], [len(one) for one in boxes]) for at in (0, 1))
    slack = 0.01 if relative else SLACK
    odd = {}
    for form in FORMS:
        x, y, right, below = corners(every, form).T
        outside = (x < -slack) | (y < -slack) | (right > wide + slack) | (below > high + slack)
        odd[form] = float(np.mean(outside | (right < x) | (below < y)))
    known = asked or declared
    best = min(odd, key=lambda form: odd[form])
    if known is None and list(odd.values()).count(odd[best]) == 1:
        known = best
    if known is None:
        fits = " and ".join(form for form in FORMS if odd[form] == odd[best])
        what = f"It cannot be told how the boxes are written: {fits} lie in their pictures alike"
        raise HfkitError(what, where=where, fix="say --box_format xywh, xyxy or cxcywh")
    if odd[known] > 0.5:
        hint = f"; as {best} {odd[best]:.0%}" if best != known else ""
        what = f"{odd[known]:.0%} of the boxes lie outside of their pictures when read as {known}{hint}"
        raise HfkitError(what, where=where, fix="say --box_format xywh, xyxy or cxcywh, or mend the sizes")
    return known, relative
