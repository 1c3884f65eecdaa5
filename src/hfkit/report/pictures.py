"""Pictures that a run keeps, checked before a page shows them: a run may come from anyone."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from markupsafe import Markup
from PIL import Image

from hfkit.base.atomic import whole_file, writing
from hfkit.base.errors import HfkitError
from hfkit.runs.run import Run

# A run's pictures are what hfkit writes, or the file is refused.
FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg"}
LARGEST = 4 << 20
"""Bytes of all pictures. A run keeps at most three quarters of it."""

SIDE = 2048
"""Pixels of a side at most; the filters of a first layer are the largest."""

KEPT = 3 << 20
"""Bytes of the pictures that a run keeps: with base64 a page of 4 MB, which mails and browsers take."""

STRIP, TALL, WIDE, GAP = "pictures.jpg", 144, 6, 4
"""The file of a card's pictures; the pixels of their height, how many stand side by side, and the pixels between."""

KINDS = {"part": pa.string(), "row": pa.int64(), "label": pa.int64(), "why": pa.string(), "image": pa.binary()}
Row = dict[str, Any]


def keep_tiles(run: Run, rows: Sequence[Row], notes: Sequence[str]) -> None:
    """Write pictures.parquet: as many of the pictures, in their order, as `KEPT` bytes hold; run.json says how many,
    with the `notes` of what went wrong. Raises HfkitError: the disk failed."""
    sizes = np.cumsum([len(row["image"]) for row in rows])
    kept = [row for row, size in zip(rows, sizes, strict=True) if size <= KEPT]
    write_tiles(run, kept)
    run.update(pictures={"kept": len(kept), "left_out": len(rows) - len(kept), "notes": list(notes)})


def write_tiles(run: Run, rows: Sequence[Row]) -> None:
    with writing(run.path), whole_file(run.path / "pictures.parquet") as staged:
        table = pa.Table.from_pylist(rows, schema=pa.schema(list(KINDS.items())))
        parquet.write_table(table, staged, compression="zstd")


def kept_tiles(table: pa.Table, run: Run, rows: int, others: tuple[str, ...] = ()) -> list[Row]:
    """Every picture of pictures.parquet as what a page can show: `{"part", "uri", "why", "row", "label", "width",
    "height"}`. Raises HfkitError: the file holds what hfkit does not write, such as a row beyond the `rows` of the
    test split, save in `others` among the parts."""
    if table.nbytes > 2 * LARGEST:
        raise damaged(run)
    found, size = [], 0
    for entry in table.select(["part", "row", "label", "why", "image"]).to_pylist():
        size += len(entry["image"])
        if size > LARGEST or (entry["part"] not in others and not 0 <= entry["row"] < rows):
            raise damaged(run)
        image = entry.pop("image")
        found.append(entry | _shown(image, run))
    return found


def kept_layers(run: Run, part: str, ids: pa.ChunkedArray, values: np.ndarray) -> list[Row]:
    """The kept pictures of this part, beside which a run keeps examples: a line a row of the test split, `{"id",
    "value", "tiles"}`, in their order; `ids` and `values` are those of all rows. Raises as `kept_tiles`."""
    table = run.table("pictures.parquet")
    lines: dict[int, Row] = {}
    for tile in kept_tiles(table, run, len(ids)) if table is not None else []:
        row = int(tile["row"])
        if tile["part"] == part:
            line = lines.setdefault(row, {"id": ids[row].as_py(), "value": values[row], "tiles": []})
            line["tiles"].append(tile)
        elif tile["part"] != "class":
            raise damaged(run)
    return list(lines.values())


@dataclass(frozen=True)
class Strip:
    """A row of pictures for a card: the file, and what it shows."""

    image: bytes
    caption: str


def strip(run: Run) -> Strip | None:
    """Of what a run keeps the worst test pictures side by side; of pictures in layers the worst with all its layers,
    and below it the best. None where it keeps none. Raises HfkitError: as `kept_tiles`."""
    table = run.table("pictures.parquet")
    tiles = table.to_pylist() if table is not None and table.nbytes <= 2 * LARGEST else []
    marked = [tile for tile in tiles if tile["part"] not in ("class", "map", "filters", "augmented")]
    first = (marked or [tile for tile in tiles if tile["part"] == "class"])[:1]
    chosen = [tile for tile in tiles if first and tile["part"] == first[0]["part"]]
    lines = [list(line) for _, line in groupby(chosen, lambda tile: (tile["row"], tile["label"]))]
    if not lines:
        return None
    if marked and max(map(len, lines)) > 1:
        layers, many = ", ".join(tile["why"] for tile in lines[0]), max(1, 4 // len(lines[0]))
        above = ": the worst above, the best below" if len(lines) > many else ""
        caption = f"Test pictures{above}; from left to right: {layers}."
        lines = [list(chain.from_iterable(some)) for some in (lines[:many], lines[many:][-many:]) if some]
    else:
        caption = "The test pictures that went worst." if marked else "Test pictures."
        lines = [[line[0] for line in lines][:WIDE]]
    rows = [[_tall(tile["image"], run) for tile in line[:WIDE]] for line in lines]
    width = max(sum(one.width + GAP for one in row) for row in rows) - GAP
    canvas, written = Image.new("RGB", (width, len(rows) * (TALL + GAP) - GAP), "white"), io.BytesIO()
    for at, row in enumerate(rows):
        left = 0
        for one in row:
            canvas.paste(one, (left, at * (TALL + GAP)))
            left += one.width + GAP
    canvas.save(written, "JPEG", quality=85)
    return Strip(written.getvalue(), caption)


def _tall(image: bytes, run: Run) -> Image.Image:
    shown = _shown(image, run)
    width = min(max(1, round(shown["width"] * TALL / max(1, shown["height"]))), 4 * TALL)
    how = Image.Resampling.NEAREST if shown["height"] < TALL else Image.Resampling.LANCZOS
    try:
        with Image.open(io.BytesIO(image), formats=list(FORMATS)) as opened:
            return opened.convert("RGB").resize((width, TALL), how)
    except (OSError, ValueError, SyntaxError) as error:
        raise damaged(run) from error


def _shown(image: bytes, run: Run) -> Row:
    try:
        with Image.open(io.BytesIO(image), formats=list(FORMATS)) as opened:
            kind, (width, height) = FORMATS[str(opened.format)], opened.size  # the head alone is read
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise damaged(run) from error
    if max(width, height) > SIDE:
        raise damaged(run)
    letters = base64.b64encode(image).decode().replace("/", "%2F")  # what looks for private paths sees none in it
    uri = f"data:{kind};base64,{letters}"
    return {"uri": Markup(uri), "width": width, "height": height}


def damaged(run: Run) -> HfkitError:
    what = f"{run.path / 'pictures.parquet'} holds what hfkit does not write"
    return HfkitError(what, fix="restore the file, or delete it: the report is then made without pictures")
