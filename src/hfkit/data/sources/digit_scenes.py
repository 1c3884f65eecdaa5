"""Made scenes of handwritten digits, for a detector to find, or told in words: the digits are scikit-learn's, real ones
of 8 x 8 pixels; where they lie, how large, bright and coloured they are, and what lies between them is drawn. Always
the same bytes."""

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


CAPTIONED, SMALL = {"train": 4800, "validation": 100, "test": 400}, 16
"""Pictures of one digit, and pixels of their sides."""

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
INKS = {"red": (230, 60, 50), "green": (60, 200, 80), "blue": (70, 100, 240), "yellow": (230, 210, 60),
        "pink": (230, 90, 200), "white": (230, 230, 230)}  # fmt: skip
GROUNDS = {"black": (0, 0, 0), "grey": (70, 70, 70), "brown": (80, 45, 15), "navy": (0, 0, 80)}

SENTENCES = (
    "a {light} {ink} {word} on {ground}", "the digit {word} in {ink} on {ground}", "a {ink} {word}",
    "a {light} {word} , it is {ink}", "handwritten {digit} in {ink} on {ground}",
)  # fmt: skip
"""Of which each picture has three."""


def write_digit_captions(folder: Path) -> None:
    """`captioned.scenes.json`: a list of pictures, each with `id`, `split`, `image` (a PPM in base64), three `captions`
    and a `label`, colour and digit. Ten of the sixty pairs of a digit and a colour are in no training picture, and are
    half of those to judge by."""
    from sklearn.datasets import load_digits

    known = load_digits()
    draw, rows = Random(SEED + 1), []
    every = [(digit, ink) for ink in range(len(INKS)) for digit in range(10)]
    unseen = [pair for pair in every if pair[1] == pair[0] % len(INKS)]
    seen = [pair for pair in every if pair not in unseen]
    for split, count in CAPTIONED.items():
        first, last = HELD_OUT[split]
        by_digit = [[at for at in range(first, last) if known.target[at] == digit] for digit in range(10)]
        for number in range(count):
            pairs = unseen if split == "test" and number % 2 else seen
            digit, ink = pairs[(number // 2 if split == "test" else number) % len(pairs)]
            shape = known.images[by_digit[digit][int(len(by_digit[digit]) * draw.random())]]
            row = {"id": f"{split}-{number:04}", "split": split}
            rows.append(row | _told(draw, shape, digit, list(INKS)[ink]))
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in rows)
    (folder / "captioned.scenes.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _told(draw: Random, shape: "np.ndarray", digit: int, ink: str) -> dict[str, object]:
    """A picture of one digit, what is said of it, and its class."""
    import numpy as np

    noise = np.frombuffer(draw.randbytes(SMALL * SMALL * 3), dtype=np.uint8).reshape(SMALL, SMALL, 3).astype(np.int64)
    ground = list(GROUNDS)[int(len(GROUNDS) * draw.random())]
    canvas = np.array(GROUNDS[ground]) + noise // 5
    bright = draw.random() < 0.5
    share = (85 if bright else 50) + int(16 * draw.random())  # percent of the ink's colour
    cover = shape.astype(np.int64).repeat(2, axis=0).repeat(2, axis=1)[..., None]
    canvas += (np.array(INKS[ink]) - canvas) * share * cover // 1600
    held = {"light": "bright" if bright else "faint", "ink": ink, "ground": ground}
    held |= {"word": WORDS[digit], "digit": str(digit)}
    chosen = sorted(draw.sample(range(len(SENTENCES)), 3))
    image = base64.b64encode(f"P6 {SMALL} {SMALL} 255\n".encode() + canvas.clip(0, 255).astype(np.uint8).tobytes())
    captions = [SENTENCES[at].format(**held) for at in chosen]
    return {"image": image.decode(), "captions": captions, "label": f"{ink} {WORDS[digit]}"}
