"""The same seed gives another result, because something drew a number before the seed was set, or on the way.

Threads: transformers#14647 #31818
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from upstream import trainer

pytestmark = pytest.mark.pain("seed-not-enough")


def draw(numbers: int) -> None:
    """What a process did before: nothing, or a library's own random numbers."""
    torch.manual_seed(1)
    torch.rand(numbers)


def test_upstream_seeds_after_the_head_was_made(tiny_bert: Path, few: Dataset, tmp_path: Path) -> None:
    def trained(drawn: int) -> torch.Tensor:
        draw(drawn)
        run = trainer(tmp_path, tiny_bert, few, max_steps=1, seed=42)
        run.train()
        return run.model.classifier.weight

    one = trained(0)
    assert torch.equal(one, trained(0))
    assert not torch.equal(one, trained(1))


def test_hfkit_depends_on_the_seed_alone(job: Any) -> None:
    """Other draws before, and more looks at validation on the way: the same weights."""
    knobs: dict[str, Any] = {"max_steps": 6, "load_best_model_at_end": False, "dropout": 0.1}
    draw(0)
    one = job("one", **knobs)
    draw(1)
    other = job("other", eval_strategy="steps", eval_steps=2, **knobs)
    weights = [(run.model_path / "model.safetensors").read_bytes() for run in (one, other)]
    assert weights[0] == weights[1]
