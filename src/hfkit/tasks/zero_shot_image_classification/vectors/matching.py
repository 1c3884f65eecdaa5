"""Matching: of the vectors of all pictures and texts of a split, which class each picture has, and who finds whom."""

from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.evaluation.metric import as_lists
from hfkit.evaluation.nearest import blocks, highest, unit

KEPT = 10
"""Captions of each picture that are kept, the nearest first."""


def matched(rows: Dataset, predictions: dict[str, Any], prompts: int, classes: int) -> dict[str, Any]:
    """What a split's pictures are judged by.

    Args:
        rows: As `to_evaluate` has them: of each picture `captions`, their number, `keys`, and `dealt`, the numbers of
            the classes' sentences that were computed along with it.
        predictions: `image` (rows, numbers), `texts`, of each row the vectors of its captions and then of what it was
            dealt, in one list; `scale`.
        prompts: Sentences of all classes, those of a class together.

    Returns:
        With classes `prediction` and `probabilities`. With captions `caption_place`, from 1, that of the first of its
        own captions among all, as near as which no others count; `picture_places`, of each of its captions that of the
        picture among all pictures; and `found`, the numbers of the `KEPT` nearest captions. And `loss`. Nothing of a
        part of a split, which has not been dealt all sentences.
    """
    pictures, scale = predictions["image"], float(predictions["scale"][0])
    texts = [np.asarray(one, dtype=np.float32).reshape(-1, pictures.shape[1]) for one in predictions["texts"]]
    counts = np.array(rows["captions"][:])
    dealt = {
        number: texts[row][counts[row] + place]
        for row, own in enumerate(rows["dealt"])
        for place, number in enumerate(own)
    }
    if len(dealt) < prompts:
        return {}
    found: dict[str, Any] = {}
    if classes:
        every = unit(np.stack([dealt[number] for number in range(prompts)]))
        found |= classified(pictures, unit(every.reshape(classes, -1, every.shape[1]).mean(axis=1)), scale)
        if "labels" in rows.column_names:
            own = found["probabilities"][np.arange(len(rows)), rows["labels"][:]]
            found["loss"] = -np.log(own.clip(min=1e-12))
    if counts.any():
        captions = np.concatenate([own[:count] for own, count in zip(texts, counts, strict=True)])
        found |= retrieved(pictures, captions, rows["keys"][:], scale)
    return found


def classified(pictures: np.ndarray, classes: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    """The class whose vector is nearest to each picture's, and all probabilities: vectors of length 1."""
    logits = scale * pictures @ classes.T
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return {"prediction": logits.argmax(axis=1), "probabilities": shares / shares.sum(axis=1, keepdims=True)}


def retrieved(pictures: np.ndarray, captions: np.ndarray, keys: list[list[int]], scale: float) -> dict[str, Any]:
    """See `matched`. A caption with the words of one of a picture's is right for it too, whosever it is."""
    flat = np.array([key for own in keys for key in own])
    holders: dict[int, list[int]] = {}
    for row, own in enumerate(keys):
        for key in set(own):
            holders.setdefault(key, []).append(row)
    _, where = np.unique(flat, return_inverse=True)
    number = dict(zip(flat.tolist(), where.tolist(), strict=True))
    places, nearest, losses = [], [], []
    for here, cosines in blocks(pictures, captions):
        nearest += list(highest(cosines, KEPT))
        for row, values in zip(range(here.start, here.stop), cosines, strict=True):
            right = np.isin(where, [number[key] for key in keys[row]])
            best = values[right].max()
            places.append(1 + int((values[~right] >= best).sum()))
            others = np.append(values[~right], best) * scale
            losses.append(float(np.log(np.exp(others - others.max()).sum()) + others.max() - best * scale))
    back = []
    for here, cosines in blocks(captions, pictures):
        for at, values in zip(range(here.start, here.stop), cosines, strict=True):
            right = np.zeros(len(values), dtype=bool)
            right[holders[int(flat[at])]] = True
            back.append(1 + int((values[~right] >= values[right].max()).sum()))
    ends = np.cumsum([len(own) for own in keys])[:-1]
    return {
        "caption_place": np.array(places),
        "picture_places": as_lists(np.split(np.array(back), ends)),
        "found": as_lists(nearest),
        "loss": np.array(losses),
    }
