"""Galleries: the test pictures that went worst and best, kept so that a report needs neither the data nor the model."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from hfkit.base.sanitize import line
from hfkit.report.pictures import keep_tiles
from hfkit.runs.run import Run

WORST, BEST, EXAMPLES = 6, 2, 4
"""Pictures that are shown, and those that a form has for examples."""


Drawn = tuple[np.ndarray, Callable[[int], Mapping[str, bytes]], Callable[[int], bytes]]
"""Figures of the rows, NaN where there is none; the files of a row that are shown, by what each is; and its example."""


def keep(run: Run, part: str, drawn: Callable[[], Drawn]) -> None:
    """Write pictures.parquet: what is shown of the worst and the best test pictures, as this part of the page; and some
    pictures as examples. What goes wrong with them is a note in run.json. Raises HfkitError: the disk failed."""
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    try:
        values, layers, example = drawn()
        order = np.argsort(np.nan_to_num(values, nan=2.0), kind="stable").tolist()
        for row in dict.fromkeys([*order[:WORST], *order[::-1][:BEST]]):
            shown = layers(row).items()
            rows += [{"part": part, "row": row, "label": 0, "why": why, "image": image} for why, image in shown]
        for place, row in enumerate(order[:: max(1, len(order) // EXAMPLES)][:EXAMPLES]):
            rows.append({"part": "class", "row": row, "label": place, "why": "example", "image": example(row)})
    except Exception as error:  # no picture is worth a model that is trained
        notes.append(line(f"{type(error).__name__}: {error}"))
    keep_tiles(run, rows, notes)


def jpeg(picture: Image.Image, side: int) -> bytes:
    """The file of a picture, whose longer side has so many pixels at most."""
    written, shown = io.BytesIO(), picture.copy()
    shown.thumbnail((side, side), Image.Resampling.BOX)
    shown.save(written, "JPEG", quality=85)
    return written.getvalue()
