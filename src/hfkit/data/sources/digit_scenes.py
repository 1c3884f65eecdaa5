"""Made scenes of handwritten digits, for a detector to find: the digits are scikit-learn's, real ones of 8 x 8 pixels;
where they lie, how large and how bright they are, and what lies between them is drawn. Always the same bytes."""

import base64
import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SEED, SIDE = 20_260_115, 128
SPLITS = {"train": 320, "validation": 40, "test": 120}
"""Scenes of each."""

HELD_OUT = {"train": (0, 1257), "validation": (1257, 1437), "test": (1437, 1797)}
"""Digits that the scenes of a split are made of: no digit is in two, and the last ones are of other writers."""

DIGITS = (2, 9)
"""In a scene, from and to."""

TIMES = (1, 1, 2, 2, 3, 4)
"""How often a digit's pixels are repeated: 8 to 32 pixels, half of them small."""

INK = 4
"""Of 16: fainter pixels belong to no box."""


def write_digit_scenes(folder: Path) -> None:
    """`digit.scenes.json`: a list of scenes, each with `id`, `split`, `image` (a PGM in base64) and `objects` (`bbox`:
    left, top, width, height; and `category`)."""
    import numpy as np
    from sklearn.datasets import load_digits

    known = load_digits()
    shapes, labels = known.images.astype(np.int64), known.target.tolist()
    draw, scenes = Random(SEED), []
    for split, count in SPLITS.items():
        for number in range(count):
            pixels, objects = _scene(draw, shapes, labels, HELD_OUT[split])
            stored = base64.b64encode(f"P5 {SIDE} {SIDE} 255\n".encode() + pixels.tobytes()).decode()
            scenes.append({"id": f"{split}-{number:03}", "split": split, "image": stored, "objects": objects})
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in scenes)
    (folder / "digit.scenes.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _scene(
    draw: Random, shapes: "np.ndarray", labels: list[int], those: tuple[int, int]
) -> "tuple[np.ndarray, dict[str, list[object]]]":
    """(SIDE, SIDE) bytes and the objects: digits that do not touch, on noise, with strokes that are none."""
    import numpy as np

    noise = np.frombuffer(draw.randbytes(SIDE * SIDE), dtype=np.uint8).reshape(SIDE, SIDE).astype(np.int64)
    canvas = 30 + noise // 5 + (np.arange(SIDE) * int(40 * draw.random()) // SIDE)[:, None]
    for _ in range(4):  # strokes
        long, x, y = 6 + int(30 * draw.random()), int(110 * draw.random()), int(110 * draw.random())
        part = canvas[y : y + 2, x : x + long] if draw.random() < 0.5 else canvas[y : y + long, x : x + 2]
        part += 60
    taken, boxes, names = np.zeros((SIDE, SIDE), dtype=bool), list[object](), list[object]()
    for _ in range(DIGITS[0] + int((DIGITS[1] - DIGITS[0] + 1) * draw.random())):
        which = those[0] + int((those[1] - those[0]) * draw.random())
        times = TIMES[int(len(TIMES) * draw.random())]
        shape = shapes[which].repeat(times, axis=0).repeat(times, axis=1)
        side, bright = 8 * times, 90 + int(90 * draw.random())
        x, y = int((SIDE - side) * draw.random()), int((SIDE - side) * draw.random())
        if taken[y : y + side, x : x + side].any():
            continue
        taken[y : y + side, x : x + side] = True
        canvas[y : y + side, x : x + side] += shape * bright // 16
        rows, columns = (np.flatnonzero((shape >= INK).any(axis)) for axis in (1, 0))
        left, top = x + int(columns[0]), y + int(rows[0])
        boxes.append([left, top, int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1])
        names.append(str(labels[which]))
    return canvas.clip(0, 255).astype(np.uint8), {"bbox": boxes, "category": names}
