"""A baseline that costs seconds: rules of colour and size. What has a class's colours and hangs together is one."""

import time
from typing import Any

import numpy as np
from datasets import Dataset
from PIL import Image

from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.tasks.rivals import Answer

FITTED = 60
"""Training pictures that are looked at, spread evenly over all."""

SIDE = 320
"""Pixels of the longer side that pictures are made smaller to."""

SHADES = 16
"""Steps of each colour."""

MOST = 100
"""Boxes of a picture."""


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, Answer]:
    """The rules' boxes in the test pictures: {"color_blobs": {"prediction": (boxes * 6,) a row, "seconds", "rows"}}."""
    began, deep = time.perf_counter(), settings.get("pixel_range")
    names = list(train.features["label"].feature.names)
    order = [list(map(str, settings["labels"])).index(name) for name in names]
    rows = np.unique(np.linspace(0, len(train) - 1, min(FITTED, len(train))).astype(int))
    rules = _Rules(len(names))
    for row in undecoded(train.select(rows), "image", "boxes", "label", "void"):
        picture, share = _shrunk(row["image"], deep)
        known = [not void for void in row["void"]]
        boxes = np.array(row["boxes"], dtype=np.float64).reshape(-1, 4)[known] * share
        rules.look(_codes(picture), boxes, np.array(row["label"], dtype=int)[known])
    rules.settle()
    found = []
    for row in undecoded(test, "image"):
        picture, share = _shrunk(row["image"], deep)
        said = rules.boxes(_codes(picture))
        said[:, :4] /= share
        said[:, 5] = [order[int(one)] for one in said[:, 5]]
        found.append(said.ravel())
    seconds = time.perf_counter() - began
    return {"color_blobs": {"prediction": found, "seconds": seconds, "rows": len(rows)}}


def _shrunk(stored: dict[str, Any], deep: Any) -> tuple[Image.Image, float]:
    picture = decode_again(stored, pixel_range=deep).convert("RGB")
    share = min(1.0, SIDE / max(picture.size))
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.resize(size, Image.Resampling.BOX), share


def _codes(picture: Image.Image) -> np.ndarray:
    """(rows, columns) a number of each pixel's smoothed colour."""
    from scipy.ndimage import uniform_filter

    steps = uniform_filter(np.asarray(picture, dtype=np.float32), (3, 3, 1)).astype(int) * SHADES // 256
    codes: np.ndarray = (steps[..., 0] * SHADES + steps[..., 1]) * SHADES + steps[..., 2]
    return codes


class _Rules:
    """How often each colour is of a class, or of none; and how large its boxes are."""

    def __init__(self, classes: int) -> None:
        self.counts = np.full((classes + 1, SHADES**3), 0.5)
        self.sides: list[list[np.ndarray]] = [[] for _ in range(classes)]

    def look(self, codes: np.ndarray, boxes: np.ndarray, kinds: np.ndarray) -> None:
        """Count a picture's colours: a class's are those in the middle of its boxes, smaller boxes over larger ones."""
        owner = np.full(codes.shape, -1)
        sides = boxes[:, 2:] - boxes[:, :2]
        for at in np.argsort(-sides.prod(1), kind="stable").tolist():
            left, top, right, below = np.round(boxes[at]).astype(int).tolist()
            y, x = np.ogrid[top:below, left:right]
            apart = ((x + 0.5 - boxes[at, [0, 2]].mean()) / sides[at, 0]) ** 2
            apart = apart + ((y + 0.5 - boxes[at, [1, 3]].mean()) / sides[at, 1]) ** 2
            inside = owner[top:below, left:right]
            inside[...] = np.where(apart[: inside.shape[0], : inside.shape[1]] < 0.16, kinds[at], -2)
            self.sides[int(kinds[at])].append(sides[at])
        for kind in range(len(self.counts)):
            here = owner == (kind if kind < len(self.sides) else -1)
            self.counts[kind] += np.bincount(codes[here], minlength=SHADES**3)

    def settle(self) -> None:
        self.against = self.counts[:-1] / (self.counts[:-1] + self.counts[-1])  # of a class and of nothing
        self.share = self.counts[:-1] / self.counts.sum(0)
        self.usual = [np.median(one, axis=0) if one else None for one in self.sides]
        logs = [np.log(np.prod(one, axis=1)) / 2 if one else np.zeros(1) for one in self.sides]
        self.spread = [max(float(np.std(one)), 0.1) for one in logs]

    def boxes(self, codes: np.ndarray) -> np.ndarray:
        """(boxes, 6) of a picture, the surest first."""
        from scipy import ndimage

        found = [np.zeros((0, 6))]
        for kind, usual in enumerate(self.usual):
            if usual is None:
                continue
            mask = ndimage.binary_fill_holes(ndimage.binary_opening(self.against[kind][codes] > 0.5, iterations=1))
            parts, _ = ndimage.label(mask)
            sure = self.share[kind][codes]
            for number, place in enumerate(ndimage.find_objects(parts), start=1):
                inside = parts[place] == number
                for box, mean in _objects(inside, sure[place], usual):
                    size = np.log(np.prod(box[2:] - box[:2])) / 2 - np.log(usual.prod()) / 2
                    score = mean * np.exp(-0.5 * (size / self.spread[kind]) ** 2)
                    at = [place[1].start, place[0].start] * 2
                    found.append(np.array([[*(box + at), score, kind]]))
        every = np.concatenate(found)
        return every[np.argsort(-every[:, 4], kind="stable")][:MOST]


def _objects(inside: np.ndarray, sure: np.ndarray, usual: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """The box of a part, and how sure it is; of one of twice the usual size, boxes around its thickest places."""
    from scipy import ndimage

    height, width = inside.shape
    if height * width <= 2 * usual.prod():
        return [(np.array([0.0, 0.0, width, height]), float(sure[inside].mean()))]
    deep = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    reach = max(3, int(0.6 * usual.min()))
    peaks = (deep == ndimage.maximum_filter(deep, reach)) & (deep >= 0.25 * usual.min())
    marks, count = ndimage.label(peaks)
    found = []
    for y, x in ndimage.center_of_mass(peaks, marks, range(1, count + 1)):
        box = np.array([x - usual[0] / 2, y - usual[1] / 2, x + usual[0] / 2, y + usual[1] / 2])
        found.append((box.clip(0, [width, height, width, height]), float(sure[int(y), int(x)])))
    return found
