"""The batch plan: every row once, the same rows however they are cut, and order from the seed alone."""

import numpy as np
import pytest

from hfkit.base.errors import HfkitError
from hfkit.data.batching import BatchPlan, Update, evaluation_batches, token_batches

LENGTHS = np.random.default_rng(0).integers(5, 200, size=1003)


@pytest.mark.parametrize("strategy", ["random", "sequential", "group_by_length"])
@pytest.mark.parametrize("tokens_per_batch", [None, 800])
def test_an_epoch_holds_every_row_once(strategy: str, tokens_per_batch: int | None) -> None:
    plan = BatchPlan(LENGTHS, 16, 2, strategy, tokens_per_batch)
    for epoch in (0, 1):
        rows = [row for update in plan.epoch(epoch) for row in update.rows]
        assert sorted(rows) == list(range(len(LENGTHS)))


@pytest.mark.parametrize("strategy", ["random", "sequential", "group_by_length"])
def test_an_update_is_the_same_rows_however_it_is_cut(strategy: str) -> None:
    """32 rows at once, accumulated as 2 x 16, or 4 x 8: the same 32 rows in the same order, from the first epoch on."""
    for seed in range(5):
        plans = [BatchPlan(LENGTHS, 32 // cut, cut, strategy, seed=seed) for cut in (1, 2, 4)]
        updates = [[update.rows for update in plan.updates(0, 40)] for plan in plans]
        assert updates[0] == updates[1] == updates[2]


def test_the_order_follows_from_the_seed_and_changes_with_the_epoch() -> None:
    first, again, other = (BatchPlan(LENGTHS, 16, seed=seed) for seed in (1, 1, 2))
    assert first.epoch(0) == again.epoch(0)
    assert first.epoch(0) != other.epoch(0)
    assert first.epoch(0) != first.epoch(1)


def test_resuming_is_an_index() -> None:
    plan = BatchPlan(LENGTHS, 16, 2)
    whole = list(plan.updates(0, 100))
    assert list(plan.updates(37, 100)) == whole[37:]
    assert [update.epoch for update in whole if update.last_of_epoch] == [0, 1, 2]


def test_two_processes_are_dealt_every_batch_once_and_equally_many() -> None:
    update = Update(0, True, True, [[1, 2], [3, 4], [5]])
    shares = [update.share(process, 2) for process in (0, 1)]
    assert shares == [[[1, 2], [5]], [[3, 4], []]]


def test_grouping_by_length_pads_little() -> None:
    grouped, mixed = (BatchPlan(LENGTHS, 16, strategy=strategy) for strategy in ("group_by_length", "random"))

    def padding(plan: BatchPlan) -> float:
        return float(np.mean([plan.padding(update.batches) for update in plan.epoch(1)]))

    assert padding(grouped) < 0.06
    assert padding(mixed) > 0.4


def test_no_batch_is_above_the_token_budget() -> None:
    plan = BatchPlan(LENGTHS, 16, 2, tokens_per_batch=1000)
    batches = [batch for update in plan.epoch(0) for batch in update.batches]
    assert max(len(batch) * LENGTHS[batch].max() for batch in batches) <= 1000
    assert len(token_batches([0, 1], np.array([3, 900]), 500)) == 2


def test_a_row_longer_than_the_budget_is_an_error_that_names_it() -> None:
    with pytest.raises(HfkitError, match=f"longest row, {LENGTHS.max()} tokens"):
        BatchPlan(LENGTHS, 16, tokens_per_batch=100)


def test_halving_keeps_the_updates() -> None:
    plan = BatchPlan(LENGTHS, 15, 2)
    before = [update.rows for update in plan.epoch(0)]
    assert plan.halve()
    assert [update.rows for update in plan.epoch(0)] == before
    assert max(len(batch) for update in plan.epoch(0) for batch in update.batches) == 8
    assert not BatchPlan(LENGTHS, 1).halve()


@pytest.mark.parametrize(("epochs", "expected"), [(1, 63), (2, 126), (0.5, 32), (1.25, 79)])
def test_count(epochs: float, expected: int) -> None:
    assert BatchPlan(LENGTHS, 16).count(epochs) == expected


def test_the_largest_update_comes_first() -> None:
    first = BatchPlan(LENGTHS, 16).epoch(0)[0]
    assert LENGTHS[first.rows].max() == LENGTHS.max()


def test_evaluation_batches_keep_within_a_budget_of_tokens() -> None:
    lengths = np.array([10, 100, 40, 40, 7, 300])
    batches = evaluation_batches(lengths, rows_per_batch=3, tokens_per_batch=120)
    assert batches == [[5], [1], [2, 3, 0], [4]]
    assert sorted(row for batch in batches for row in batch) == list(range(6))


def test_evaluation_batches_hold_every_row_once() -> None:
    batches = evaluation_batches(LENGTHS, 32)
    assert sorted(row for batch in batches for row in batch) == list(range(len(LENGTHS)))
    assert LENGTHS[batches[0][0]] == LENGTHS.max()


@pytest.mark.pain("batch-of-one")
@pytest.mark.parametrize("strategy", ["random", "sequential", "group_by_length"])
@pytest.mark.parametrize("rows", [1, 2, 3, 31, 32, 33, 49, 65, 97])
@pytest.mark.parametrize(("rows_per_batch", "batches_per_update"), [(16, 1), (16, 2), (4, 4), (3, 1), (2, 1), (2, 8)])
def test_no_batch_is_below_the_fewest(strategy: str, rows: int, rows_per_batch: int, batches_per_update: int) -> None:
    """Nor after memory ran out, nor dealt to processes, which get whole batches; and `count` knows of it."""
    plan = BatchPlan(np.full(rows, 5), rows_per_batch, batches_per_update, strategy, fewest=2)
    while True:
        updates = plan.epoch(0)
        assert sorted(row for update in updates for row in update.rows) == list(range(rows))
        sizes = [len(batch) for update in updates for batch in update.batches]
        assert min(sizes) >= min(2, rows)
        assert max(sizes) <= max(3, plan.rows_per_batch)
        assert plan.count(3) == 3 * len(updates)
        if not plan.halve():
            break
    assert plan.rows_per_batch == 2


def test_where_one_row_is_enough_or_all_that_is_asked_for_the_plan_is_what_it_was() -> None:
    for rows in (33, 97, 1003):
        assert BatchPlan(LENGTHS[:rows], 16, 2).epoch(0) == BatchPlan(LENGTHS[:rows], 16, 2, fewest=1).epoch(0)
        assert BatchPlan(LENGTHS[:rows], 1, 4).epoch(0) == BatchPlan(LENGTHS[:rows], 1, 4, fewest=2).epoch(0)
    assert BatchPlan(LENGTHS[:96], 16).epoch(1) == BatchPlan(LENGTHS[:96], 16, fewest=2).epoch(1)
