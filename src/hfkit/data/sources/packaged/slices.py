"""Slices of a volume with a mask for each: a stack of pictures in a TIFF, and the labels in another beside it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from hfkit.data.sources.image_folders import pgm
from hfkit.data.tables.table import Table

HELD_OUT = {"validation": range(34, 38), "test": range(40, 60), "gap": (32, 33, 38, 39)}
"""Slices in blocks, since neighbours are nearly equal; those between two blocks are in none."""


def slices(path: Path) -> Table:
    """The slices of `volume.tif` as 16-bit pictures, with masks of 1 where `volume_label.tif` has an object and 0
    elsewhere: `id`, `image`, `mask` and `split`."""
    volume, labels = (_stack(file) for file in (path, path.with_name(f"{path.stem}_label.tif")))
    role = {number: name for name, numbers in HELD_OUT.items() for number in numbers}
    height, width = volume.shape[1:]
    columns = {
        "id": [f"slice-{number:02d}" for number in range(len(volume))],
        "image": [pgm(width, height, pixels.astype(">u2").tobytes(), 65535) for pixels in volume],
        "mask": [pgm(width, height, (pixels > 0).tobytes()) for pixels in labels],
        "split": [role.get(number, "train") for number in range(len(volume))],
    }
    return Table(path.name, columns, pictures=["image", "mask"])


def _stack(path: Path) -> np.ndarray:
    with Image.open(path, formats=["TIFF"]) as opened:
        return np.stack([np.array(frame) for frame in ImageSequence.Iterator(opened)])
