"""Baselines that cost seconds: the majority class, and logistic regression on the pixels."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from datasets import Dataset
from PIL.Image import Resampling

from hfkit.baselines.vision.processor import native_shape, sample
from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.tasks import rivals
from hfkit.tasks.rivals import Answer, drawn, linear, majority, targets

LARGEST = {1: 32, 3: 16}
"""Pixels a side by channels: about a thousand numbers a picture. On more the fit takes minutes, for the same figure."""

DECODED = 2_000_000_000
"""Pixels of training pictures that are decoded at most: 40,000 of 224 x 224, half a minute on two cores."""

FITTED = 60_000  # training pictures that are fitted at most: all of MNIST, ten seconds on one core

# On Fashion-MNIST (60,000 rows, standardised) 100 steps give 0.845 and 200 give 0.842: the optimum is no better.
_STRENGTH, _STEPS = 0.1, 100


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, Answer]:
    problem, labels = settings["problem_type"], settings["labels"]
    truth, classes = targets(train, problem, labels)
    pixels = pixels_logreg(train, test, problem, labels, seed, settings.get("pixel_range"))
    return {"pixels_logreg": pixels, "majority": majority(truth, len(test), problem, classes)}


def pixels_logreg(
    train: Dataset,
    test: Dataset,
    problem_type: str,
    labels: Sequence[str] | None = None,
    seed: int = 0,
    pixel_range: Sequence[float] | None = None,
) -> Answer:
    """Logistic regression on standardised pixels (one a label for multi-label, ridge for regression).

    Pictures are shrunk to 32 pixels a side, in colour to 16. The setting is not tuned on these rows. `train` and `test`
    have columns image and label, `problem_type` is as in a transformers config, `seed` that of the solver and of the
    draw where there are too many training pictures. Answers are in the order of `labels`, by default the data set's
    own; `pixel_range` is as in `hfkit.data.vision.decode.decode`. "rows" of the answer are those it was fitted on."""
    start = time.perf_counter()
    side, channels, weight = _shape(train, pixel_range)
    rows = drawn(len(train), min(FITTED, max(1, int(DECODED / weight))), seed)
    seen, unseen = _standardised(*(_pixels(split, side, channels, pixel_range) for split in (train.select(rows), test)))
    truth, classes = targets(train, problem_type, labels)
    answer = linear(seen, truth[rows], unseen, problem_type, classes, seed, _STRENGTH, _STEPS)
    return answer | {"rows": len(rows), "seconds": time.perf_counter() - start}


def out_of_fold(rows: Dataset, settings: dict[str, Any], seed: int) -> np.ndarray:
    """Probabilities (rows, classes) for each row by `pixels_logreg` of others; every picture is decoded, once."""
    truth, classes = targets(rows, settings["problem_type"], settings["labels"])
    side, channels, _ = _shape(rows, settings.get("pixel_range"))
    pixels = _pixels(rows, side, channels, settings.get("pixel_range"))
    return rivals.out_of_fold(_standardised(pixels, pixels[:0])[0], truth, classes, seed, _STRENGTH, _STEPS)


def _shape(rows: Dataset, pixel_range: Sequence[float] | None) -> tuple[int, int, float]:
    """Pixels a side and channels that pictures are shrunk to, and the pixels that one has, by a few all over them."""
    shown = sample(rows, 64, pixel_range)
    side, channels = native_shape(shown, LARGEST[1])
    return min(side, LARGEST[channels]), channels, float(np.mean([image.width * image.height for image in shown]))


def _pixels(rows: Dataset, side: int, channels: int, pixel_range: Sequence[float] | None) -> np.ndarray:
    """(rows, side * side * channels) of 0 to 255."""
    mode = "L" if channels == 1 else "RGB"

    def small(stored: dict[str, object]) -> np.ndarray:
        image = decode_again(stored, pixel_range=pixel_range).convert(mode)
        if image.size != (side, side):
            image = image.resize((side, side), Resampling.BOX)
        return np.asarray(image).reshape(-1)

    found = np.empty((len(rows), side * side * channels), dtype=np.uint8)
    first = 0
    # Decoding leaves Python's lock alone, so threads do.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for batch in undecoded(rows, "image").iter(512):
            found[first : first + len(batch["image"])] = list(pool.map(small, batch["image"]))
            first += len(batch["image"])
    return found


def _standardised(seen: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean 0 and deviation 1 on the training rows, float32. A rim pixel that hardly ever differs is not blown up."""
    mean = seen.mean(axis=0, dtype=np.float64)
    spread = seen.std(axis=0, dtype=np.float64)
    spread = np.maximum(spread, max(spread.max() / 100, 1e-12))
    centre, scale = mean.astype(np.float32), spread.astype(np.float32)
    return (seen.astype(np.float32) - centre) / scale, (unseen.astype(np.float32) - centre) / scale
