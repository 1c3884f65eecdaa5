"""Rivals that cost seconds: the model as it was, linear models on what is seen of a picture, and words guessed from it.

What is seen are the vectors of the model before training; of one from scratch, the pixels of a thumbnail.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from datasets import Dataset
from PIL.Image import Resampling

from hfkit.data.text.keys import key_of
from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.evaluation.nearest import unit
from hfkit.inference.pipelines import pipeline
from hfkit.tasks.rivals import Answer, best_first, drawn, linear
from hfkit.tasks.zero_shot_image_classification.metrics import metrics_of
from hfkit.tasks.zero_shot_image_classification.task import ImageText
from hfkit.tasks.zero_shot_image_classification.vectors.matching import classified, retrieved

FITTED, SIDE, WORDS = 5000, 16, 2000
"""Training pictures that are looked at, pixels of a thumbnail's sides, and words that are guessed."""


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, Answer]:
    """The rivals' answers for the test rows: with classes their "prediction", else for each caption the place of its
    picture; "seconds", and "rows" of training pictures that were looked at. The one that does best on these very rows
    is the first: the verdict on a model is about it. One that learns of classes cannot name what it has not seen."""
    began = time.perf_counter()
    task, rows = ImageText.from_settings(settings), drawn(len(train), FITTED, seed)
    learnt = train.select(rows)
    before = pipeline(settings["untuned"], revision=settings["revision"]) if settings["untuned"] else None
    seen, unseen = (_seen(split, before, task.pixel_range) for split in (learnt, test))
    looked = time.perf_counter() - began
    rivals: dict[str, Callable[[], np.ndarray]] = {"bag_of_words": lambda: _words(learnt, test, seen, unseen, task)}
    if before is not None:
        rivals["untuned"] = lambda: _answered(test, unseen, before.read, task)
    if task.labels:
        truth, classes = np.array(learnt["label"]), len(task.labels)
        rivals["linear_probe"] = lambda: linear(
            *_standardised(seen, truth, unseen), "single_label_classification", classes, seed, 0.1, 100
        )["prediction"]
        rivals["class_mean"] = lambda: _class_mean(seen, truth, unseen)
    found, primary = dict[str, Answer](), metrics_of(settings)[0]
    for name, rival in rivals.items():
        began = time.perf_counter()
        answer = rival()
        found[name] = {"prediction": answer, "seconds": looked + time.perf_counter() - began, "rows": len(rows)}
    given = {"label": np.array(test["label"])} if task.labels else {}
    own = "prediction" if task.labels else "picture_places"
    return best_first(found, primary, given, own)


def _seen(rows: Dataset, before: Any, pixel_range: list[float] | None) -> np.ndarray:
    """(rows, numbers) of each picture."""
    stored = undecoded(rows, "image")
    if before is not None:
        parts = (stored[at : at + 256]["image"] for at in range(0, len(stored), 256))
        pictures = ([decode_again(one, pixel_range=pixel_range) for one in part] for part in parts)
        return np.concatenate([before.looked_at(part) for part in pictures])
    size = (SIDE, SIDE)
    return np.stack([
        np.asarray(decode_again(one, pixel_range=pixel_range).convert("RGB").resize(size, Resampling.BOX)).ravel() / 255
        for one in stored["image"]
    ])  # fmt: skip


def _standardised(seen: np.ndarray, truth: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, spread = seen.mean(axis=0), seen.std(axis=0).clip(min=1e-3)
    return (seen - mean) / spread, truth, (unseen - mean) / spread


def _class_mean(seen: np.ndarray, truth: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    there = np.unique(truth)
    means = np.stack([seen[truth == one].mean(axis=0) for one in there])
    apart = (means**2).sum(axis=1) - 2 * unseen @ means.T
    return there[apart.argmin(axis=1)]


def _words(learnt: Dataset, test: Dataset, seen: np.ndarray, unseen: np.ndarray, task: ImageText) -> np.ndarray:
    """A ridge regression from the pictures to the words of their captions, TF-IDF; the nearest text is the answer."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import RidgeCV

    texts = _texts(learnt, task)
    counted = TfidfVectorizer(token_pattern=r"\w+", max_features=WORDS, sublinear_tf=True)
    counted.fit([one for own in texts for one in own])
    targets = np.stack([np.asarray(counted.transform(own).mean(axis=0)).ravel() for own in texts])
    mean = targets.mean(axis=0)
    ridge = RidgeCV(alphas=(1.0, 10.0, 100.0, 1000.0)).fit(seen, targets - mean)

    def read(texts: list[str]) -> np.ndarray:
        return unit(counted.transform(texts).toarray() - mean)

    return _answered(test, unit(ridge.predict(unseen)), read, task)


def _texts(rows: Dataset, task: ImageText) -> list[list[str]]:
    if "captions" in rows.column_names:
        return list(rows["captions"])
    names = rows.features["label"].names
    return [task.prompts([names[number]]) for number in rows["label"]]


def _answered(test: Dataset, pictures: np.ndarray, read: Any, task: ImageText) -> np.ndarray:
    """Of pictures' vectors and what makes those of texts: the class of each, or the places of its captions."""
    if task.labels:
        every = read(task.prompts())
        classes = unit(every.reshape(len(task.labels), -1, every.shape[1]).mean(axis=1))
        return classified(pictures, classes, 1.0)["prediction"]
    captions = [one for own in test["captions"] for one in own]
    keys = [[key_of(one) for one in own] for own in test["captions"]]
    return np.asarray(retrieved(pictures, read(captions), keys, 1.0)["picture_places"])
