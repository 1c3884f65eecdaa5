"""A third or more of the compute goes into padding, since a random batch is as long as its longest text.

Reviews differ in length by a factor of twenty.

Threads: transformers#15418 ms-swift#10111
"""

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, RandomSampler

from hfkit.data.batching import BatchPlan
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("padding-waste")

LENGTHS = np.clip(np.random.default_rng(0).lognormal(5, 0.7, size=5000), 10, 512).astype(int)


def waste(strategy: str, **settings: int) -> float:
    plan = BatchPlan(LENGTHS, rows_per_batch=16, strategy=strategy, **settings)
    return plan.padding([batch for update in plan.epoch(0) for batch in update.batches])


def test_upstream_pads_random_batches_to_their_longest() -> None:
    """The sampler and batches that a DataLoader with shuffle=True makes."""
    torch.manual_seed(0)
    batches = [LENGTHS[rows] for rows in BatchSampler(RandomSampler(range(len(LENGTHS))), 16, drop_last=False)]
    padded = sum(len(lengths) * lengths.max() for lengths in batches)
    assert 1 - LENGTHS.sum() / padded > 0.4


def test_hfkit_groups_rows_of_like_length() -> None:
    assert waste("group_by_length") < 0.05
    assert waste("group_by_length", batches_per_update=4) < 0.05
    assert waste("group_by_length", tokens_per_batch=4096) < 0.05


def test_hfkit_groups_by_default_and_logs_the_share(finished: Run) -> None:
    assert finished.config["train_sampling_strategy"] == "group_by_length"
    assert all(0 <= line["padding"] < 1 for line in finished.log() if "padding" in line)
