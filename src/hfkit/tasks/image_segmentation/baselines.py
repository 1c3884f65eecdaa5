"""Baselines that cost seconds: a threshold, logistic regression on filters of each pixel, and the largest class."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from PIL.Image import Image

from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.data.vision.masks.values import VOID
from hfkit.tasks.image_segmentation.metrics import confusion
from hfkit.tasks.image_segmentation.task import ids_of
from hfkit.tasks.rivals import Answer

FITTED = 60
"""Training pictures that are looked at, spread evenly over all."""

PIXELS = 100_000
"""Of them that are fitted."""

SCALES = (1.0, 2.0, 4.0)
"""Standard deviations of the filters, in pixels."""


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, Answer]:
    """The cheap rivals' masks of the test pictures: name -> {"prediction": (rows, classes * classes) as `confusion`,
    "seconds", "rows"}. Otsu's threshold (1979), the better way round in training, where there are two classes."""
    names, deep = list(map(str, settings["labels"])), settings.get("pixel_range")
    rows = np.unique(np.linspace(0, len(train) - 1, min(FITTED, len(train))).astype(int))
    pairs = [_pair(row, names, deep) for row in undecoded(train.select(rows), "image", "mask")]
    ways: dict[str, Any] = {"filters_logreg": _Filters(pairs, len(names), seed)}
    if len(names) == 2:
        ways["otsu_threshold"] = _Otsu(pairs)
    ways["majority"] = _Largest(pairs)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for row in undecoded(test, "image", "mask"):
        image, mask = _pair(row, names, deep)
        for name, way in ways.items():
            began = time.perf_counter()
            said = torch.from_numpy(np.ascontiguousarray(way(image), dtype=np.uint8))
            found[name].append(confusion(torch.from_numpy(mask), said, len(names)).numpy())
            way.seconds += time.perf_counter() - began
    return {
        name: {"prediction": np.stack(found[name]), "seconds": way.seconds, "rows": len(rows)}
        for name, way in ways.items()
    }


def _pair(row: dict[str, Any], names: Sequence[str], deep: Sequence[float] | None) -> tuple[Image, np.ndarray]:
    return decode_again(row["image"], pixel_range=deep), ids_of(row["mask"])


class _Way:
    """What a rival is fitted in, and answers a picture with."""

    seconds = 0.0

    def __call__(self, image: Image) -> np.ndarray:
        raise NotImplementedError


class _Largest(_Way):
    def __init__(self, pairs: Sequence[tuple[Image, np.ndarray]]) -> None:
        counts = sum(np.bincount(mask.ravel(), minlength=256) for _, mask in pairs)
        self.largest = int(np.argmax(counts[:VOID]))  # type: ignore[index]

    def __call__(self, image: Image) -> np.ndarray:
        return np.full((image.height, image.width), self.largest)


class _Otsu(_Way):
    def __init__(self, pairs: Sequence[tuple[Image, np.ndarray]]) -> None:
        began, self.bright = time.perf_counter(), 1
        agree = [np.mean((self(image) == mask)[mask != VOID]) for image, mask in pairs if (mask != VOID).any()]
        self.bright = int(np.mean(agree) >= 0.5)
        self.seconds = time.perf_counter() - began

    def __call__(self, image: Image) -> np.ndarray:
        grey = np.asarray(image.convert("L"))
        counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
        below, sums = counts.cumsum(), (counts * np.arange(256)).cumsum()
        with np.errstate(divide="ignore", invalid="ignore"):
            between = (sums[-1] * below / below[-1] - sums) ** 2 / (below * (below[-1] - below))
        threshold = int(np.argmax(np.nan_to_num(between, posinf=0.0)))
        return np.where(grey > threshold, self.bright, 1 - self.bright)


class _Filters(_Way):
    """As ilastik and Weka's segmenter have it, with a linear model for their forest."""

    def __init__(self, pairs: Sequence[tuple[Image, np.ndarray]], classes: int, seed: int) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        began, rng = time.perf_counter(), np.random.default_rng(seed)
        each, seen, truth = PIXELS // len(pairs), [], []
        for image, mask in pairs:
            known = np.flatnonzero(mask != VOID)
            drawn = np.sort(rng.choice(known, min(each, len(known)), replace=False))
            seen.append(filters(image)[drawn])
            truth.append(mask.ravel()[drawn])
        labels = np.concatenate(truth)
        self.only = int(labels[0]) if len(labels) else 0
        self.model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=200, random_state=seed))
        self.fitted = len(np.unique(labels)) > 1
        if self.fitted:
            self.model.fit(np.concatenate(seen), labels)
        self.seconds = time.perf_counter() - began

    def __call__(self, image: Image) -> np.ndarray:
        if not self.fitted:
            return np.full((image.height, image.width), self.only)
        said: np.ndarray = self.model.predict(filters(image)).reshape(image.height, image.width)
        return said


def filters(image: Image) -> np.ndarray:
    """(pixels, 21) in float32, (pixels, 27) of a picture in colour: the brightness, at four scales smooth and at three
    its slope, its curvature (the sum, and both of the Hessian's own values), the structure tensor's two and the spread
    about; and each colour's plane, sharp and smooth."""
    from scipy import ndimage

    grey = np.asarray(image.convert("L"), dtype=np.float32) / 255
    planes = [grey, *(ndimage.gaussian_filter(grey, scale) for scale in (*SCALES, 8.0))]
    for scale in SCALES:
        smooth = ndimage.gaussian_filter(grey, scale)
        y, x = np.gradient(smooth)
        (yy, yx), (_, xx) = np.gradient(y), np.gradient(x)
        planes += [np.hypot(y, x), *_own_values(yy, yx, xx)]
        planes.append(ndimage.gaussian_filter(grey**2, scale) - smooth**2)
    y, x = np.gradient(ndimage.gaussian_filter(grey, 1.0))
    tensor = [ndimage.gaussian_filter(part, 3.0) for part in (y * y, y * x, x * x)]
    planes += [*_own_values(*tensor), planes[1] - planes[2], planes[2] - planes[3]]
    if image.mode == "RGB":
        colours = np.moveaxis(np.asarray(image, dtype=np.float32) / 255, -1, 0)
        planes += [*colours, *(ndimage.gaussian_filter(plane, 2.0) for plane in colours)]
    return np.stack(planes, axis=-1, dtype=np.float32).reshape(-1, len(planes))


def _own_values(yy: np.ndarray, yx: np.ndarray, xx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both eigenvalues of 2 x 2 matrices, the larger first."""
    half, root = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    return half + root, half - root
