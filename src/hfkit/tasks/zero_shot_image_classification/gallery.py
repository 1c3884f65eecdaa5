"""Gallery: the pictures that went worst, with their captions and what was found, so that a report needs no data."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hfkit.base.atomic import write_json, writing
from hfkit.base.sanitize import line
from hfkit.data.vision.decode import decode
from hfkit.report.pictures import keep_tiles

if TYPE_CHECKING:
    from datasets import Dataset

    from hfkit.runs.run import Run
    from hfkit.tasks.zero_shot_image_classification.task import ImageText

FILE = "captions.json"
SIDE, SMALL, WORST, BEST, EXAMPLES = 224, 96, 18, 6, 4
"""Pixels of the longer side, and up to how many nothing may blur; pictures that are kept."""

SHOWN, LONGEST = 3, 300
"""Captions of a picture, and characters of one."""


def order_of(table: pa.Table) -> np.ndarray:
    """The rows, the worst first: by where a picture's own caption stands; without captions by its class's share."""
    if "caption_place" in table.column_names:
        return np.argsort(-table["caption_place"].to_numpy(), kind="stable")
    return np.argsort(-table["loss"].to_numpy(), kind="stable")


def keep(run: "Run", task: "ImageText", rows: "Dataset", encoded: "Dataset", table: pa.Table) -> None:
    """Write pictures.parquet, and captions.json: of each picture in it `row`, `id`, its own `captions` and `place`, the
    captions that were `found`, the nearest first, each with whether it is `right`; its class and the one that was
    answered. What goes wrong with a picture is a note in run.json. Raises HfkitError: the disk failed."""
    order = order_of(table).tolist()
    chosen = list(dict.fromkeys([*order[:WORST], *order[::-1][:BEST]]))
    own = list(rows["captions"]) if "captions" in rows.column_names else [[] for _ in range(len(rows))]
    flat = [(row, text) for row, texts in enumerate(own) for text in texts]
    tiles, notes, told = list[dict[str, Any]](), list[str](), []
    for row, said in zip(chosen, table.take(chosen).to_pylist(), strict=True):
        found: dict[str, int] = {}  # captions with the same words are shown once
        for whose, text in (flat[at] for at in said.get("found") or []):
            found.setdefault(text, whose)
        entry: dict[str, Any] = {"row": row, "id": said["id"], "place": said.get("caption_place")}
        entry["captions"] = [text[:LONGEST] for text in own[row][:SHOWN]]
        right = {text: whose == row or text in own[row] for text, whose in list(found.items())[:SHOWN]}
        entry["found"] = [{"text": text[:LONGEST], "right": good} for text, good in right.items()]
        if "label" in said:
            entry |= {"label": task.labels[said["label"]], "answer": task.labels[said["prediction"]]}
        told.append(entry)
        try:
            image = _shown(encoded[row]["image"], task.pixel_range)
            tiles.append({"part": "captions", "row": row, "label": 0, "why": "worst first", "image": image})
            if len(told) <= EXAMPLES:  # for a form, and for who checks what is published
                tiles.append(tiles[-1] | {"part": "class", "label": len(told) - 1, "why": "example"})
        except Exception as error:  # no picture is worth a model that is trained
            notes.append(line(f"{type(error).__name__}: {error}"))
    with writing(run.path):
        write_json(run.path / FILE, told)
    keep_tiles(run, tiles, notes)


def _shown(stored: Any, pixel_range: list[float] | None) -> bytes:
    picture, written = decode(stored, pixel_range=pixel_range).convert("RGB"), io.BytesIO()
    picture.thumbnail((SIDE, SIDE))
    picture.save(written, "PNG" if max(picture.size) <= SMALL else "JPEG")
    return written.getvalue()
