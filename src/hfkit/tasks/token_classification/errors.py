"""Errors of a tagger: what is wrong with each name, and whether training had shown it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pyarrow as pa
from datasets import Dataset

from hfkit.tasks.token_classification.words.schemes import Entity, judged

Kind = Literal["boundary", "type", "both", "missed", "spurious"]
KINDS: dict[Kind, str] = {
    "boundary": "begins or ends elsewhere",
    "type": "another type",
    "both": "elsewhere, and another type",
    "missed": "not seen",
    "spurious": "where there is none",
}

MISSES = 20  # names that training never showed and the model misses, which a run keeps


def errors(gold: Sequence[Entity], said: Sequence[Entity]) -> list[tuple[Kind, Entity | None, Entity | None]]:
    """The names of a text that are not right: the kind, the name that there is, and the one that the model says. A
    wrong answer belongs to the name that it overlaps most, one of its own type first; each of both counts once."""
    right = set(gold) & set(said)
    left = [one for one in gold if one not in right]
    found: list[tuple[Kind, Entity | None, Entity | None]] = []
    for answer in (one for one in said if one not in right):
        touching = [one for one in left if one[0] < answer[1] and answer[0] < one[1]]
        if not touching:
            found.append(("spurious", None, answer))
            continue
        best = max(touching, key=lambda one: (one[2] == answer[2], min(one[1], answer[1]) - max(one[0], answer[0])))
        left.remove(best)
        elsewhere, other = best[:2] != answer[:2], best[2] != answer[2]
        found.append(("both" if elsewhere and other else "boundary" if elsewhere else "type", best, answer))
    return found + [("missed", one, None) for one in left]


def surfaces(tokens: Iterable[Sequence[str]], names: Iterable[Sequence[Entity]]) -> set[str]:
    """The names of texts as they are written, without case."""
    return {_surface(words, name) for words, row in zip(tokens, names, strict=True) for name in row}


def _surface(words: Sequence[str], name: Entity) -> str:
    return " ".join(words[name[0] : name[1]]).casefold()


def by_training(train: Dataset, table: pa.Table, labels: list[str]) -> dict[str, Any]:
    """See `seen_and_unseen`, of a run's training rows and its test predictions, whose tags are ids of `labels`."""

    def names(rows: list[list[int]], known: list[str]) -> list[list[Entity]]:
        return [judged([known[tag] for tag in tags], known) for tags in rows]

    learnt = surfaces(train["tokens"][:], names(train["label"][:], train.features["label"].feature.names))
    gold, said = (names(table[name].to_pylist(), labels) for name in ("label", "prediction"))
    return seen_and_unseen(learnt, table["tokens"].to_pylist(), gold, said)


def seen_and_unseen(
    learnt: set[str], tokens: Iterable[Sequence[str]], gold: Iterable[list[Entity]], said: Iterable[list[Entity]]
) -> dict[str, Any]:
    """How many names are found of those that training showed, in whatever text and as whatever type, and of the others:
    `seen` and `unseen`, each {"right", "names"}; `missed`, the most frequent unseen names that are not found, each
    {"name", "type", "times"}."""
    counts: Counter[tuple[bool, bool]] = Counter()
    missed: Counter[tuple[str, str]] = Counter()
    for words, truth, answer in zip(tokens, gold, said, strict=True):
        found = set(answer)
        for name in truth:
            known = _surface(words, name) in learnt
            counts[known, name in found] += 1
            if not known and name not in found:
                missed[" ".join(words[name[0] : name[1]]), name[2]] += 1
    parts = {
        which: {"right": counts[known, True], "names": counts[known, True] + counts[known, False]}
        for which, known in (("seen", True), ("unseen", False))
    }
    shown = [{"name": name, "type": kind, "times": times} for (name, kind), times in missed.most_common(MISSES)]
    return {**parts, "missed": shown}
