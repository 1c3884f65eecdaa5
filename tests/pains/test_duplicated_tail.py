"""With several processes the last rows are counted twice in a metric.

Accelerate's loader gives every process equally many batches by repeating rows.

Threads: accelerate#350 #575 trl#7010
"""

import numpy as np
import pytest
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, SequentialSampler

from hfkit.data.batching import evaluation_batches

pytestmark = pytest.mark.pain("duplicated-tail")

ROWS = 9


def test_upstream_repeats_rows() -> None:
    batches = BatchSampler(SequentialSampler(range(ROWS)), batch_size=2, drop_last=False)
    seen = [row for process in range(2) for batch in BatchSamplerShard(batches, 2, process) for row in batch]
    assert len(seen) > ROWS and set(seen) == set(range(ROWS))


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_hfkit_deals_out_each_row_once(processes: int) -> None:
    """See tests/test_launch.py for two real processes."""
    batches = evaluation_batches(np.arange(ROWS), rows_per_batch=2)
    shares = [batches[process::processes] for process in range(processes)]
    assert sorted(row for share in shares for batch in share for row in batch) == list(range(ROWS))
