"""What a model of pictures and texts is judged by: the classes it names, and whom it finds, both ways."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from hfkit.evaluation.classification import metrics_of as of_classes
from hfkit.evaluation.metric import Columns, Metric, mean_of, ratio, total

CUTS = (1, 5, 10)


def _first(columns: Columns, cut: int) -> np.ndarray:
    return np.asarray(columns["caption_place"] <= cut, dtype=np.float64)


def _hits(columns: Columns, cut: int) -> np.ndarray:
    """(pictures, 2): captions that find their picture, and captions."""
    rows = [np.atleast_1d(one) for one in columns["picture_places"]]
    return np.array([((row <= cut).sum(), len(row)) for row in rows], dtype=np.float64)


@cache
def _of(kind: Any, cut: int) -> Any:
    return partial(kind, cut=cut)


def _share(columns: Columns, weights: np.ndarray, *, cut: int) -> np.ndarray:
    """Over all captions; drawn anew are pictures, with all that is said of them."""
    sums = total(weights, columns.of_rows(_of(_hits, cut)))
    return ratio(sums[:, 0], sums[:, 1])


IMAGES = tuple(
    Metric(f"image_recall_at_{cut}", f"R@{cut}, pictures by captions", ("picture_places",), partial(_share, cut=cut),
           given=())
    for cut in CUTS
)  # fmt: skip
TEXTS = tuple(
    Metric(f"text_recall_at_{cut}", f"R@{cut}, captions by pictures", ("caption_place",), mean_of(_of(_first, cut)),
           given=())
    for cut in CUTS
)  # fmt: skip


def _unseen(columns: Columns, weights: np.ndarray) -> np.ndarray:
    right = (columns["label"] == columns["prediction"]) & columns["unseen"]
    return ratio(total(weights, right), total(weights, columns["unseen"]))


UNSEEN = Metric(
    "accuracy_unseen", "accuracy, classes never learnt", ("label", "prediction", "unseen"), _unseen,
    given=("label", "unseen"),
)  # fmt: skip

METRICS = (*IMAGES, *TEXTS, UNSEEN)


def metrics_of(settings: Mapping[str, Any]) -> tuple[Metric, ...]:
    """With classes the figures of a classifier, accuracy first, and that of classes that no training picture had; with
    captions recall both ways: is one of a picture's captions among the first k, and the picture among a caption's."""
    found: tuple[Metric, ...] = ()
    if settings.get("labels"):
        found = of_classes({"problem_type": "single_label_classification"})
        found += (UNSEEN,) if settings.get("unseen") else ()
    return found + (IMAGES + TEXTS if settings.get("captioned", True) or not found else ())
