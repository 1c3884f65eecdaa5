"""The published model card says "More Information Needed" where it should say what was trained and how good it is.

Threads: transformers#13245
"""

import pytest
from huggingface_hub import ModelCard, ModelCardData

from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("empty-card")

EMPTY = "more information needed"


def test_upstream_leaves_it_empty() -> None:
    card = ModelCard.from_template(ModelCardData(license="apache-2.0"), model_id="me/reviews")
    assert str(card).lower().count(EMPTY) > 10


def test_hfkit_writes_a_complete_one(finished: Run) -> None:
    card = ModelCard.load(finished.path / "README.md")
    assert EMPTY not in str(card).lower() and "todo" not in str(card).lower()
    (result,) = card.data.eval_results[:1]
    assert result.metric_value == pytest.approx(finished.metrics[result.metric_type]["value"], abs=1e-4)
    assert f"{finished.metrics['accuracy']['value']:.3f}"[:4] in card.text or "%" in card.text
