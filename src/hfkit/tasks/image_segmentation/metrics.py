"""What a segmenter is judged by: overlap of its masks with the right ones, by class, from counts of pixels.

A row of predictions.parquet holds a picture's `confusion` (how many pixels of each class were taken for each),
`boundary` and `calibration`; every figure is a ratio of their sums, at the picture's own size.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch.nn.functional import max_pool2d

from hfkit.data.vision.masks.values import VOID
from hfkit.evaluation.metric import Columns, Metric, Of, total

NEAR = 0.0075
"""Share of the diagonal that two boundaries may be apart, as in Csurka, Larlus and Perronnin 2013."""

BINS = 10
"""Of probabilities from 0 to 1."""

LISTED = 20
"""Classes whose own figures stand in metrics.json; a report has all."""

COLUMNS = ("confusion",)


def confusion(truth: torch.Tensor, said: torch.Tensor, classes: int) -> torch.Tensor:
    """(classes * classes,) pixels of each class by what they were taken for; those of `VOID` do not count."""
    known = truth != VOID
    return torch.bincount(truth[known].long() * classes + said[known].long(), minlength=classes**2)


def boundaries(truth: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
    """(4,): pixels at the inner edge of what is said to be a class, those of them near such an edge of the truth, and
    the same the other way round; of all classes together."""
    near = max(1, math.ceil(NEAR * math.hypot(*truth.shape)))
    said = said.where(truth != VOID, VOID)
    found = torch.zeros(4, dtype=torch.int64)
    for one in torch.unique(torch.stack([truth, said])).tolist():
        if one != VOID:
            edges = [_edge(mask == one) for mask in (said, truth)]
            for place, (edge, other) in enumerate((edges, edges[::-1])):
                found[2 * place] += int(edge.sum())
                found[2 * place + 1] += int((edge & _grown(other, near)).sum())
    return found


def _edge(inside: torch.Tensor) -> torch.Tensor:
    """Pixels of a mask with a neighbour that is outside; the picture's own rim is none."""
    outside = ~inside
    edge = torch.zeros_like(inside)
    edge[1:] |= outside[:-1]
    edge[:-1] |= outside[1:]
    edge[:, 1:] |= outside[:, :-1]
    edge[:, :-1] |= outside[:, 1:]
    return edge & inside


def _grown(mask: torch.Tensor, by: int) -> torch.Tensor:
    grown = max_pool2d(mask[None, None].float(), (2 * by + 1, 1), 1, (by, 0))
    return max_pool2d(grown, (1, 2 * by + 1), 1, (0, by))[0, 0] > 0


def calibration(truth: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """(3 * BINS,): of the pixels whose class is said with a probability of each tenth how many there are, the sum of
    the probabilities, and how many are right."""
    best, said = probabilities.max(0)
    known = truth != VOID
    best, right = best[known].double(), (said[known] == truth[known]).double()
    bins = (best * BINS).long().clamp(0, BINS - 1)
    return torch.cat([torch.bincount(bins, of, BINS) for of in (torch.ones_like(best), best, right)])


def _sums(columns: Columns, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class the pixels that are right, that have it and that are said to: (resamples, classes) each."""
    pixels = total(weights, columns["confusion"])
    side = math.isqrt(pixels.shape[1])
    matrix = pixels.reshape(-1, side, side)
    return np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(2), matrix.sum(1)


def iou(right: np.ndarray, there: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Intersection over union of each class; NaN where neither is."""
    return right / (there + said - right)


def dice(right: np.ndarray, there: np.ndarray, said: np.ndarray) -> np.ndarray:
    """2 |A and B| / (|A| + |B|) of each class: F1 of pixels."""
    return 2 * right / (there + said)


def _mean(figure: Callable[..., np.ndarray]) -> Of:
    """The mean over the classes that occur in the truth."""

    def of(columns: Columns, weights: np.ndarray) -> Any:
        right, there, said = columns.of_sums(_sums, weights)
        return np.where(there > 0, figure(right, there, said), 0).sum(1) / (there > 0).sum(1)

    return of


def _accuracy(columns: Columns, weights: np.ndarray) -> Any:
    right, there, _ = columns.of_sums(_sums, weights)
    return right.sum(1) / there.sum(1)


def _of_class(columns: Columns, weights: np.ndarray, place: int) -> Any:
    right, there, said = (one[:, place] for one in columns.of_sums(_sums, weights))
    return np.where(there > 0, iou(right, there, said), np.nan)


def _boundary_f1(columns: Columns, weights: np.ndarray) -> Any:
    said, found, there, met = total(weights, columns["boundary"]).T
    precision, recall = found / said, met / there
    return 2 * precision * recall / (precision + recall)


def _ece(columns: Columns, weights: np.ndarray) -> Any:
    """The mean distance of what is claimed from what is right, over pixels."""
    pixels, claimed, right = total(weights, columns["calibration"]).reshape(-1, 3, BINS).transpose(1, 0, 2)
    return np.abs(claimed - right).sum(1) / pixels.sum(1)


_PLAIN: dict[str, Any] = {"given": ()}
METRICS = (
    Metric("iou", "IoU, mean over classes", COLUMNS, _mean(iou), hub="mean_iou", **_PLAIN),
    Metric("dice", "Dice, mean over classes", COLUMNS, _mean(dice), **_PLAIN),
    Metric("pixel_accuracy", "share of pixels that are right", COLUMNS, _accuracy, **_PLAIN),
    Metric("boundary_f1", "F1 of boundaries", ("boundary",), _boundary_f1, **_PLAIN),
    Metric(
        "pixel_ece", "calibration error of pixels", ("calibration",), _ece, better="lower", compared=False, **_PLAIN
    ),
)


@cache
def _by_class(names: tuple[str, ...]) -> tuple[Metric, ...]:
    return tuple(
        Metric(f"iou_{name}", f"IoU of {name}", COLUMNS, partial(_of_class, place=place), compared=False, **_PLAIN)
        for place, name in enumerate(names)
    )


def metrics_of(settings: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The figures above, and where there are few classes the IoU of each that occurs."""
    names = tuple(map(str, settings["labels"]))
    return METRICS + (_by_class(names) if len(names) <= LISTED else ())
