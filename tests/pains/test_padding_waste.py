"""Reviews differ in length by a factor of twenty; a random batch is padded to its longest."""

import numpy as np
import pytest

from hfkit.batching import BatchPlan
from hfkit.run import Run

pytestmark = pytest.mark.pain("padding-waste")

LENGTHS = np.clip(np.random.default_rng(0).lognormal(5, 0.7, size=5000), 10, 512).astype(int)


def waste(strategy: str, **settings: int) -> float:
    plan = BatchPlan(LENGTHS, rows_per_batch=16, strategy=strategy, **settings)
    return plan.padding([batch for update in plan.epoch(0) for batch in update.batches])


def test_random_batches_are_half_padding() -> None:
    assert waste("random") > 0.4


def test_hfkit_groups_rows_of_like_length() -> None:
    assert waste("group_by_length") < 0.05
    assert waste("group_by_length", batches_per_update=4) < 0.05
    assert waste("group_by_length", tokens_per_batch=4096) < 0.05


def test_grouping_is_the_default_and_the_log_shows_the_share(finished: Run) -> None:
    assert finished.config["train_sampling_strategy"] == "group_by_length"
    assert all(0 <= line["padding"] < 1 for line in finished.log() if "padding" in line)
