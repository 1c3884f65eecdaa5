"""Made pictures for the tests: a red or a blue disc, which a tiny network tells apart in a few steps."""

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (40, 60, 220), "red": (220, 50, 40)}


def disc(name: str, number: int, size: tuple[int, int] = (16, 16)) -> Image.Image:
    """A disc of the class's colour on noise; equal arguments give an equal picture."""
    rng = np.random.default_rng([number, len(name)])
    pixels = rng.integers(90, 160, (size[1], size[0], 3), dtype=np.uint8)
    y, x = np.mgrid[: size[1], : size[0]]
    inside = (x - size[0] / 2 - number % 3 + 1) ** 2 + (y - size[1] / 2) ** 2 < (min(size) / 3) ** 2
    pixels[inside] = np.clip(np.array(COLOURS[name]) + rng.integers(-15, 15, 3), 0, 255)
    return Image.fromarray(pixels)


def image_folder(root: Path, splits: dict[str, int], size: tuple[int, int] = (16, 16)) -> Path:
    """root/SPLIT/CLASS/N.png, so many of each class in each split; a split called "" has no folder of its own."""
    first = 0
    for split, rows in splits.items():
        for name in COLOURS:
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(first, first + rows):
                disc(name, number, size).save(folder / f"{number}.png")
        first += rows
    return root
