"""What a tagger is judged by: whole names, right from their first word to their last, or tags word by word."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from hfkit.evaluation.metric import Columns, Metric, Of, ratio, total
from hfkit.tasks.token_classification.words.schemes import Entity, entities, has_scheme, lenient_entities

ANSWERS = ("label", "prediction")


def counts(pairs: Iterable[Iterable[Iterable[Entity]]]) -> np.ndarray:
    """(rows, 3): names that are right, that the model says, and that there are; of the latter two in each text."""
    rows = [(len(there & said), len(said), len(there)) for there, said in (map(set, pair) for pair in pairs)]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _counts(columns: Columns, names: tuple[str, ...], found: Callable[[Sequence[str]], list[Entity]]) -> np.ndarray:
    pairs = zip(columns["label"], columns["prediction"], strict=True)
    return counts([found([names[int(tag)] for tag in tags]) for tags in pair] for pair in pairs)


def _summed(counted: Callable[[Columns], np.ndarray], figure: Callable[..., Any]) -> Of:
    """The figure of the sums of what is counted in each row."""
    return lambda columns, weights: figure(*total(weights, columns.of_rows(counted)).T)


def f1(right: np.ndarray, said: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Of sums of `counts`."""
    return ratio(2 * right, said + there)


def _words(columns: Columns) -> np.ndarray:
    """(rows, 2): words with the right tag, and words."""
    pairs = zip(columns["label"], columns["prediction"], strict=True)
    return np.array([(np.sum(np.asarray(truth) == np.asarray(answer)), len(truth)) for truth, answer in pairs], float)


def _per_tag(columns: Columns, tags: int) -> np.ndarray:
    """(rows, 3 * tags): of each tag the words that are right, that are said to have it, and that have it."""
    found = np.zeros((len(columns["label"]), 3, tags))
    for row, (truth, answer) in enumerate(zip(columns["label"], columns["prediction"], strict=True)):
        there, said = np.asarray(truth, dtype=int), np.asarray(answer, dtype=int)
        for place, ids in enumerate((there[there == said], said, there)):
            found[row, place] = np.bincount(ids, minlength=tags)
    return found.reshape(len(found), -1)


def _macro(counted: Callable[[Columns], np.ndarray]) -> Of:
    def of(columns: Columns, weights: np.ndarray) -> Any:
        right, said, there = np.split(total(weights, columns.of_rows(counted)), 3, axis=1)
        return f1(right, said, there).sum(axis=1) / ((said + there) > 0).sum(axis=1)

    return of


ACCURACY = Metric("tag_accuracy", "accuracy of tags", ANSWERS, _summed(_words, ratio), hub="accuracy")


@cache
def _of_labels(names: tuple[str, ...]) -> tuple[Metric, ...]:
    if not has_scheme(names):
        macro = _macro(partial(_per_tag, tags=len(names)))
        return ACCURACY, Metric("f1_macro", "F1 (macro)", ANSWERS, macro, hub="f1", hub_arguments={"average": "macro"})
    strict, lenient = (partial(_counts, names=names, found=found) for found in (entities, lenient_entities))
    precision = _summed(strict, lambda right, said, there: ratio(right, said))
    recall = _summed(strict, lambda right, said, there: ratio(right, there))
    seqeval: dict[str, Any] = {"hub": "seqeval", "hub_arguments": {"mode": "strict", "scheme": "IOB2"}}
    own: dict[str, Any] = {"compared": False, "hub": "seqeval"}
    return (
        Metric("f1", "F1", ANSWERS, _summed(strict, f1), **seqeval),
        Metric("precision", "precision of names", ANSWERS, precision, **seqeval),
        Metric("recall", "recall of names", ANSWERS, recall, **seqeval),
        Metric("f1_lenient", "F1 of names, lenient", ANSWERS, _summed(lenient, f1), **own),
        ACCURACY,
    )


def metrics_of(settings: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a tagger by its labels: of names, where tags say where one begins; else of tags."""
    return _of_labels(tuple(map(str, settings["labels"])))


METRICS = tuple({one.name: one for one in (*_of_labels(("B-X", "I-X", "O")), *_of_labels(("X", "Y")))}.values())
