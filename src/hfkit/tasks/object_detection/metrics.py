"""What a detector is judged by: COCO's mean average precision, by overlap, by class and by size."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from hfkit.evaluation.metric import Columns, Metric
from hfkit.tasks.object_detection.scores.matching import (
    SIZES,
    THRESHOLDS,
    Matches,
    average_precision,
    boxes_of,
    matched,
)

COLUMNS = ("prediction", "truth")
LISTED = 20
"""Classes whose own figures stand in metrics.json; a report has all."""


@cache
def _matches_of(size: str, most: int) -> Any:
    """What `Columns.of_rows` makes once: the matches of every class that occurs, class -> Matches."""

    def of(columns: Columns) -> dict[int, Matches]:
        truth, said = boxes_of(columns["truth"]), boxes_of(columns["prediction"])
        there = sorted({int(kind) for one in truth for kind in one[:, 4].tolist()})
        found = {one: matched(truth, said, one, size, most) for one in there}
        return {one: match for one, match in found.items() if match is not None}

    return of


@cache
def _sums(size: str, most: int) -> Any:
    """What `Columns.of_sums` makes of a set of weights: class -> (thresholds, resamples) precision and recall."""

    def of(columns: Columns, weights: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        found = columns.of_rows(_matches_of(size, most))
        return {one: average_precision(match, weights, range(len(THRESHOLDS))) for one, match in found.items()}

    return of


def _mean(columns: Columns, weights: np.ndarray, *, size: str, most: int, at: int | None, part: int = 0) -> Any:
    """The mean over the classes that occur, and over thresholds or of one of them."""
    found = [one[part] for one in columns.of_sums(_sums(size, most), weights).values()]
    if not found:
        return np.full(len(weights), np.nan)
    values = np.stack(found)[:, slice(None) if at is None else slice(at, at + 1)].mean(1)
    there = np.isfinite(values)
    return np.where(there, values, 0).sum(0) / there.sum(0)


def _of_class(columns: Columns, weights: np.ndarray, *, most: int, one: int) -> Any:
    found = columns.of_sums(_sums("all", most), weights).get(one)
    return np.full(len(weights), np.nan) if found is None else found[0].mean(0)


@cache
def _metrics(most: int, names: tuple[str, ...]) -> tuple[Metric, ...]:
    def figure(name: str, title: str, of: Any, **more: Any) -> Metric:
        return Metric(name, title, COLUMNS, of, given=("truth",), **more)

    every = partial(_mean, most=most, at=None)
    overlaps = {"map_50": ("overlap 0.5", 0), "map_75": ("overlap 0.75", 5)}
    return (
        figure("map", "mAP, mean over overlaps and classes", partial(every, size="all"), hub="map"),
        *(figure(name, f"mAP at {what}", partial(_mean, size="all", most=most, at=at))
          for name, (what, at) in overlaps.items()),
        figure("average_recall", "recall, mean over overlaps and classes", partial(every, size="all", part=1)),
        *(figure(f"map_{size}", f"mAP of {size} boxes", partial(every, size=size), compared=False)
          for size in SIZES if size != "all"),
        *(figure(f"ap_{name}", f"AP of {name}", partial(_of_class, most=most, one=one), compared=False)
          for one, name in enumerate(names)),
    )  # fmt: skip


METRICS = _metrics(100, ())


def metrics_of(settings: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The figures above, and where there are few classes the average precision of each that occurs. COCO looks at 100
    answers of a class and picture; where a run gives more, so does its figure."""
    names = tuple(map(str, settings["labels"]))
    return _metrics(max(100, int(settings.get("max_boxes") or 0)), names if len(names) <= LISTED else ())
