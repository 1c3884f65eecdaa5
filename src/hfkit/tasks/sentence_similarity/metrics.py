"""The figures of a model of sentences: those of a search; of pairs with a score how well the cosines follow it."""

from collections.abc import Mapping
from typing import Any

from hfkit.evaluation.metric import Metric
from hfkit.evaluation.ranking import CUT, METRICS, metric_of_places, ndcg


def metrics_of(settings: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The figures of a search, and of its first dimensions alone; of pairs with a score how well the cosines follow."""
    if settings.get("loss") == "cosine":
        from hfkit.evaluation.classification import metrics_of as of_numbers  # scikit-learn comes along

        named = {metric.name: metric for metric in of_numbers({"problem_type": "regression"})}
        return named["spearman"], named["pearson"]
    return METRICS + tuple(
        metric_of_places(f"ndcg_at_{CUT}_of_{one}_dimensions", f"nDCG@{CUT} of {one} dimensions", ndcg, one)
        for one in settings.get("matryoshka_dims", ())
    )
