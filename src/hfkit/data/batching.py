"""BatchPlan: which rows share a batch, for the whole run, as a function of seed, lengths and batch settings alone.

An *update* is the set of rows behind one optimizer step, cut into the *batches* that fit on a device. The plan knows
nothing of processes or workers: 32 rows are the same 32 as one batch, as two accumulated batches of 16, or as 16 on
each of two processes. So resuming is an index, and two processes agree with one.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

import numpy as np

from hfkit.base.errors import HfkitError

# Rows are sorted by length inside chunks of so many updates, as transformers' LengthGroupedSampler does: large enough
# that neighbours have like lengths, small enough that the order of an epoch stays random.
UPDATES_PER_CHUNK = 50
Batch = list[int]


@dataclass(frozen=True)
class Update:
    """The rows of one optimizer step."""

    epoch: int  # the epoch it belongs to, from 0
    first_of_epoch: bool
    last_of_epoch: bool  # evaluation and saving by epoch are due after it
    batches: list[Batch]  # row numbers, batch by batch, the longest first

    @property
    def rows(self) -> list[int]:
        """Row numbers of the whole update."""
        return [row for batch in self.batches for row in batch]

    def share(self, process: int, num_processes: int) -> list[Batch]:
        """This process's batches, whole ones, dealt in turn. All processes get equally many; an empty one is `[]`."""
        rounds = -(-len(self.batches) // num_processes)
        places = (process + turn * num_processes for turn in range(rounds))
        return [self.batches[place] if place < len(self.batches) else [] for place in places]


@dataclass
class BatchPlan:
    """Every update of a run. Raises HfkitError: a row is longer than `tokens_per_batch`."""

    lengths: np.ndarray  # tokens of each row, `(rows,)`
    rows_per_batch: int  # on one device at a time (`per_device_train_batch_size`)
    batches_per_update: int = 1  # accumulation steps times processes
    strategy: str = "group_by_length"  # `random`, `sequential` or `group_by_length`
    tokens_per_batch: int | None = None  # padded tokens of a batch; takes the place of `rows_per_batch`
    seed: int = 0  # the order of an epoch is a function of (seed, epoch)
    # Rows that an update and a batch of it have at least, where there are so many: 2 for a batch norm, which can learn
    # nothing from a single row. Of the rows before, the last ones go along.
    fewest: int = 1

    def __post_init__(self) -> None:
        self.lengths = np.asarray(self.lengths, dtype=np.int64)
        self._rows_per_update = self.rows_per_batch * self.batches_per_update  # what halve() leaves alone
        self.fewest = min(self.fewest, self.rows_per_batch)
        self.check_lengths()

    def check_lengths(self) -> None:
        """Refuse a row that no batch may hold."""
        longest = int(self.lengths.max(initial=0))
        if self.tokens_per_batch and longest > self.tokens_per_batch:
            what = f"--tokens_per_batch {self.tokens_per_batch} is less than the longest row, {longest} tokens"
            fix = f"set --tokens_per_batch to at least {longest}, or a smaller --max_length"
            raise HfkitError(what, where=f"training row {int(self.lengths.argmax())}", fix=fix)

    def epoch(self, epoch: int) -> list[Update]:
        """All updates of one epoch: each row exactly once."""
        rng = np.random.default_rng([self.seed, epoch])
        groups = self._token_groups(rng) if self.tokens_per_batch else self._row_groups(rng)
        if self.strategy != "sequential":
            order = rng.permutation(len(groups))
            if epoch == 0:  # The largest update comes first, so that memory runs out in the first second or never.
                # Measured as one batch: the order must not depend on how an update is cut.
                rows = [[row for batch in group for row in batch] for group in groups]
                largest = int(np.argmax([len(update) * self.lengths[update].max() for update in rows]))
                order = np.concatenate([[largest], order[order != largest]])
            groups = [groups[place] for place in order]
        return [Update(epoch, place == 0, place == len(groups) - 1, group) for place, group in enumerate(groups)]

    def updates(self, start: int, total: int) -> Iterator[Update]:
        """The updates from number `start` up to `total`, over as many epochs as that takes."""
        return islice(chain.from_iterable(map(self.epoch, itertools.count())), start, total)

    def count(self, epochs: float) -> int:
        """How many updates `epochs` passes over the rows take; a part of an epoch is rounded up."""
        whole = int(epochs)
        rounds = len(self._ends(len(self.lengths), self._rows_per_update))
        total = sum(len(self.epoch(epoch)) for epoch in range(whole)) if self.tokens_per_batch else whole * rounds
        return total + int(np.ceil(round((epochs - whole) * len(self.epoch(whole)), 6)))

    def epochs(self, examples: int) -> float:
        """Passes over the rows that so many of them make, with the fraction."""
        return examples / len(self.lengths)

    def tokens(self, updates: int) -> float:
        """Real tokens of so many updates; of a part of an epoch, what they come to on average."""
        return float(self.lengths.sum()) * updates / max(self.count(1), 1)

    def halve(self) -> bool:
        """Half the rows in a batch, more batches in an update: the same updates in less memory."""
        smaller = -(-self.rows_per_batch // 2)
        if self.tokens_per_batch or not self.fewest <= smaller < self.rows_per_batch:
            return False
        self.rows_per_batch = smaller
        return True

    def split(self, rows: Sequence[int]) -> list[Batch]:
        """Cut the rows of an update into batches as the plan now stands."""
        ends = self._ends(len(rows), self.rows_per_batch)
        return [list(map(int, rows[start:end])) for start, end in pairwise([0, *ends])]

    def _ends(self, rows: int, size: int) -> list[int]:
        """Where so many rows are cut into pieces of `size`, the last one smaller, but none below `fewest`."""
        ends = [*range(size, rows, size), rows] if rows else []
        lacks = self.fewest - (rows - ends[-2]) if len(ends) > 1 else 0
        if lacks > 0 and size - lacks >= self.fewest:
            ends[-2] -= lacks
        elif lacks > 0:
            del ends[-2]
        return ends

    def padding(self, batches: list[Batch]) -> float:
        """Share of the tokens in `batches` that are padding."""
        padded = sum(len(batch) * int(self.lengths[batch].max()) for batch in batches if batch)
        return 1.0 - sum(int(self.lengths[batch].sum()) for batch in batches if batch) / max(padded, 1)

    def _order(self, rng: np.random.Generator) -> np.ndarray:
        rows = len(self.lengths)
        return np.arange(rows) if self.strategy == "sequential" else rng.permutation(rows)

    def _sorted(self, rows: np.ndarray) -> np.ndarray:
        """Longest first; equal lengths keep their random order."""
        return rows[np.argsort(-self.lengths[rows], kind="stable")]

    def _row_groups(self, rng: np.random.Generator) -> list[list[Batch]]:
        """Updates of a fixed number of rows. The incomplete one is drawn at random, not from the shortest rows."""
        order, size = self._order(rng), self._rows_per_update
        ends = self._ends(len(order), size)
        whole = [0, *ends][-2] if len(order) % size else len(order)
        body, rest = order[:whole], order[whole:]
        if self.strategy == "group_by_length":
            chunk = size * UPDATES_PER_CHUNK
            body = np.concatenate([self._sorted(body[at : at + chunk]) for at in range(0, whole, chunk)] or [body])
        order = np.concatenate([body, rest])
        pieces = [order[start:end] for start, end in pairwise([0, *ends])]
        if self.strategy != "sequential":
            pieces = [self._sorted(piece) for piece in pieces]
        return [self.split(piece.tolist()) for piece in pieces]

    def _token_groups(self, rng: np.random.Generator) -> list[list[Batch]]:
        """Updates of batches that each hold at most `tokens_per_batch` padded tokens."""
        order = self._order(rng)
        chunk = max(1, (self.tokens_per_batch or 1) // max(1, int(self.lengths.mean()))) * UPDATES_PER_CHUNK
        if self.strategy == "group_by_length":
            order = np.concatenate([self._sorted(order[at : at + chunk]) for at in range(0, len(order), chunk)])
        batches = token_batches(order.tolist(), self.lengths, self.tokens_per_batch or 1)
        size = self.batches_per_update
        return [batches[at : at + size] for at in range(0, len(batches), size)]


def token_batches(
    order: Sequence[int], lengths: np.ndarray, tokens_per_batch: float, rows_per_batch: float = np.inf
) -> list[Batch]:
    """Cut `order` greedily into batches of at most so many padded tokens (a longer row stands alone) and rows."""
    batches: list[Batch] = []
    longest = held = 0
    for row in order:
        longest = max(longest, int(lengths[row]))
        if 0 < held < rows_per_batch and longest * (held + 1) <= tokens_per_batch:
            batches[-1].append(int(row))
        else:
            batches.append([int(row)])
            longest = int(lengths[row])
        held = len(batches[-1])
    return batches


def evaluation_batches(lengths: np.ndarray, rows_per_batch: int, tokens_per_batch: int | None = None) -> list[Batch]:
    """Every row once, longest first, so that a batch pads little and memory runs out at once or never. A batch has at
    most `rows_per_batch` rows and `tokens_per_batch` padded tokens (a longer row stands alone)."""
    order = np.argsort(-np.asarray(lengths), kind="stable").tolist()
    return token_batches(order, lengths, tokens_per_batch or np.inf, rows_per_batch)
