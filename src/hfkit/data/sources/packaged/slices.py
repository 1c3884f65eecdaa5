"""Slices of a volume with a mask for each: a stack of pictures in a TIFF, and the labels in another beside it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from hfkit.data.sources.image_folders import pgm
from hfkit.data.tables.table import Table

SPECK = 16
"""Pixels: where a slice touches the end of a nucleus there is nothing to see."""

HELD_OUT = {"validation": range(34, 38), "test": range(40, 60), "gap": (32, 33, 38, 39)}
"""Slices in blocks, since neighbours are nearly equal; those between two blocks are in none."""


def slices(path: Path) -> Table:
    """The slices of `volume.tif` as 16-bit pictures, with masks of 1 where `volume_label.tif` has an object and 0
    elsewhere, and a box around each: `id`, `image`, `mask`, `objects` and `split`. What of an object a slice cuts into
    parts is one box; parts of less than `SPECK` pixels are none."""
    volume, labels = (_stack(file) for file in (path, path.with_name(f"{path.stem}_label.tif")))
    role = {number: name for name, numbers in HELD_OUT.items() for number in numbers}
    height, width = volume.shape[1:]
    columns = {
        "id": [f"slice-{number:02d}" for number in range(len(volume))],
        "image": [pgm(width, height, pixels.astype(">u2").tobytes(), 65535) for pixels in volume],
        "mask": [pgm(width, height, (pixels > 0).tobytes()) for pixels in labels],
        "objects": [_boxes(pixels) for pixels in labels],
        "split": [role.get(number, "train") for number in range(len(volume))],
    }
    return Table(path.name, columns, pictures=["image", "mask"])


def _boxes(labels: np.ndarray) -> list[dict[str, object]]:
    """Left, top, right and lower edge of each number that is there."""
    from scipy.ndimage import find_objects

    found, sizes = enumerate(find_objects(labels.astype(np.int64)), start=1), np.bincount(labels.ravel())
    places = [place for number, place in found if place is not None and sizes[number] >= SPECK]
    return [{"box": [x.start, y.start, x.stop, y.stop], "category": "nucleus"} for y, x in places]


def _stack(path: Path) -> np.ndarray:
    with Image.open(path, formats=["TIFF"]) as opened:
        return np.stack([np.array(frame) for frame in ImageSequence.Iterator(opened)])
