"""Reranker: a classifier of pairs that reads a query and a candidate together, where a search compared two vectors."""

from collections.abc import Sequence
from typing import Any

import torch

from hfkit.base.errors import HfkitError, nearest
from hfkit.inference.pipelines import pipeline


class Reranker:
    """Puts the candidates of a search into a new order (Nogueira and Cho 2019, arXiv:1901.04085).

    The model is a text classifier of pairs with one number (ms-marco's cross-encoders, a regression), which is the
    score, or with labels, of which `label` says that the document is right, by default the second of two: then the
    score is the log odds of that label. `wanted` says which it is. Raises HfkitError: another model, no such label.
    """

    def __init__(self, model: str, options: dict[str, Any], label: str | None = None) -> None:
        self.pairs = pipeline(model, **options)
        labels: list[str] = getattr(self.pairs.reading, "labels", [])
        if not hasattr(self.pairs.reading, "pair") or not labels:
            what = f"{model} does not say of two texts how well the second answers the first"
            raise HfkitError(what, where="--reranker", fix="a text classifier of pairs with one number, or with labels")
        if label is not None and (label not in labels or len(labels) == 1):
            what = f"{model} has no label {label!r}" if len(labels) > 1 else f"{model} gives a number, no labels"
            fix = nearest(label, labels) if len(labels) > 1 else "drop the flag"
            raise HfkitError(what, where="--reranker_label", fix=fix)
        if label is None and len(labels) > 2:
            what = f"Which label of {model} says that a text is right? It has {', '.join(labels[:6])}"
            raise HfkitError(what, where="--reranker", fix="name it: --reranker_label LABEL")
        self.right = None if len(labels) == 1 else labels.index(label or labels[1])
        self.wanted = f"the number that {model} gives"
        if self.right is not None:
            guessed = "" if label else f" and not of {labels[0]!r}, which --reranker_label would choose"
            self.wanted = f"how sure {model} is of {labels[self.right]!r}{guessed}"

    def ordered(self, queries: Sequence[str], found: Sequence[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
        """The candidates of each query, each with a `text`, in the order of their new `score`; of equal ones the one
        that was found first."""
        rows = [
            {"text": query, "text_pair": one["text"]} for query, own in zip(queries, found, strict=True) for one in own
        ]
        logits = self.pairs.logits(rows).double()
        values = logits[:, self.right or 0]
        if self.right is not None:
            others = [place for place in range(logits.shape[1]) if place != self.right]
            values = values - torch.logsumexp(logits[:, others], dim=1)
        scores = iter(values.tolist())
        scored = [[one | {"score": next(scores)} for one in own] for own in found]
        return [sorted(own, key=lambda one: -one["score"]) for own in scored]
