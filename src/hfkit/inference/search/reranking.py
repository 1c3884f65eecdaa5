"""Reranker: a classifier of pairs that reads a query and a candidate together, where a search compared two vectors."""

from collections.abc import Sequence
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.inference.pipelines import pipeline


class Reranker:
    """Puts the candidates of a search into a new order (Nogueira and Cho 2019, arXiv:1901.04085).

    The model is a text classifier of pairs with one number (ms-marco's cross-encoders, a regression) or two labels, of
    which the second says that the document is right: the score is that number, or how far its logit is above the
    first's. `wanted` says which it is. Raises HfkitError: another model.
    """

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        self.pairs = pipeline(model, **options)
        labels: list[str] = getattr(self.pairs.reading, "labels", [])
        if not hasattr(self.pairs.reading, "pair") or not 1 <= len(labels) <= 2:
            what = f"{model} does not say of two texts how well the second answers the first"
            raise HfkitError(what, where="--reranker", fix="a text classifier of pairs with one number, or two labels")
        self.wanted = f"how sure {model} is of {labels[1]!r}" if len(labels) == 2 else f"the number that {model} gives"

    def ordered(self, queries: Sequence[str], found: Sequence[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
        """The candidates of each query, each with a `text`, in the order of their new `score`; of equal ones the one
        that was found first."""
        rows = [
            {"text": query, "text_pair": one["text"]} for query, own in zip(queries, found, strict=True) for one in own
        ]
        logits = self.pairs.logits(rows).double()
        scores = iter((logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)).tolist())
        scored = [[one | {"score": next(scores)} for one in own] for own in found]
        return [sorted(own, key=lambda one: -one["score"]) for own in scored]
