"""Evaluation: every row once, whole batches dealt to the processes, only predictions kept."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from datasets import Dataset
from torch.utils.data import DataLoader

from hfkit.base import hardware
from hfkit.base.errors import HfkitError
from hfkit.base.progress import Bar
from hfkit.config import LoopArguments
from hfkit.data.batching import evaluation_batches
from hfkit.evaluation.metric import as_rows
from hfkit.models import sharding
from hfkit.models.inspection import readable
from hfkit.models.kernels.cpu_attention import products
from hfkit.tasks import Task

Tensors = dict[str, torch.Tensor]
Plan = tuple[int | None, list[int]]  # the epoch and the rows of a batch

LOGITS = 2**29
"""Numbers that a batch's logits over a vocabulary may have: 2 GiB in float32, of which a look holds some copies."""


def evaluate(
    accelerator: Accelerator,
    task: Task,
    model: torch.nn.Module,
    dataset: Dataset,
    config: LoopArguments,
    description: str = "evaluate",
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, np.ndarray]:
    """The task's predictions for every row once, in the data set's order, on every process. Only they are kept, never
    logits over tokens: some bytes a row. The batches are those that one process would make.

    `model` is not wrapped in DDP; where its weights are sharded, all processes take part in each forward pass.
    `dataset` is encoded by the task. An empty `description` shows no progress bar. `stop` is asked before each batch,
    but of sharded weights, where a process that left would leave the others waiting.

    Returns `label`, where there are any, and what the task gives (`prediction`, `loss`, ...), `(rows, ...)` each;
    nothing, on every process, where `stop` said so on one of them. Raises HfkitError: memory ran out, or the task
    cannot read a row."""
    model.eval()
    batches, work = planned(model, dataset, config)
    processes, sharded = accelerator.num_processes, sharding.is_sharded(model)
    mine = batches[accelerator.process_index :: processes]
    rounds = -(-len(batches) // processes)
    plan = [(None, rows) for rows in mine + batches[:1] * (rounds - len(mine))]
    quiet = not accelerator.is_main_process or bool(getattr(config, "disable_tqdm", False)) or not description
    bar = Bar(description, "row", len(dataset), planned=sum(work), hidden=quiet, leave=False)
    # Weights that were gathered in inference mode could not be trained with.
    no_gradients = torch.no_grad if sharded else torch.inference_mode
    fast = products(accelerator.device, accelerator.mixed_precision)
    kept: list[dict[str, np.ndarray]] = []
    with _memory_for(batches[0], work[0]), no_gradients(), accelerator.autocast(), fast, bar:
        batches_read = load_batches(accelerator, task, dataset, plan, config.dataloader_num_workers)
        for (_, rows), batch in zip(plan, batches_read, strict=False):
            if stop() and not sharded:
                break
            with readable(lambda rows=rows: named(dataset, rows)):  # type: ignore[misc]
                _, predictions = task.loss_and_predictions(model, batch)
            if len(kept) < len(mine):  # else it stood in, in a last round that has no batch for this process
                turn = slice(len(kept) * processes, (len(kept) + 1) * processes)
                kept.append({name: rows_of(value) for name, value in predictions.items()})
                bar.update(sum(map(len, batches[turn])), sum(work[turn]))
    sharding.let_go(model)
    model.train()
    columns = _gathered(mine, kept, stop() and not sharded)
    columns = task.together(dataset, columns) if columns else columns
    labelled = columns and "labels" in dataset.column_names
    return {"label": as_rows(dataset["labels"][:]), **columns} if labelled else columns


@contextmanager
def _memory_for(rows: list[int], tokens: int) -> Iterator[None]:
    """Around batches of which the largest has these rows: where memory runs out, what to set is told."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not hardware.out_of_memory(error):
            raise
        what = f"out of memory in an evaluation batch of {len(rows)} rows, {tokens:,} padded tokens"
        raise HfkitError(what, fix="set a smaller --per_device_eval_batch_size or --eval_tokens_per_batch") from error


def _gathered(mine: list[list[int]], kept: list[dict[str, np.ndarray]], stopped: bool) -> dict[str, np.ndarray]:
    """The predictions of all processes in the data set's order; nothing where one of them was stopped."""
    gathered = gather_object([(mine, kept, stopped)])
    if any(stopped for *_, stopped in gathered):
        return {}
    order = np.argsort([row for rows, *_ in gathered for batch in rows for row in batch])
    chunks = [chunk for _, chunks, _ in gathered for chunk in chunks]
    return {name: np.concatenate([chunk[name] for chunk in chunks])[order] for name in chunks[0]}


def rows_of(values: torch.Tensor | list[Any]) -> np.ndarray:
    """A task's predictions, an entry a row; those of a list differ in length or are texts, and are objects."""
    if isinstance(values, torch.Tensor):
        return values.cpu().numpy()
    plain = (value.cpu().numpy() if isinstance(value, torch.Tensor) else value for value in values)
    return np.fromiter(plain, dtype=object, count=len(values))


def named(dataset: Dataset, rows: list[int], most: int = 8) -> list[Any]:
    """The ids of the first of some rows, else their numbers."""
    shown = rows[:most]
    return list(dataset[shown]["id"]) if "id" in dataset.column_names else shown


def planned(model: torch.nn.Module, dataset: Dataset, config: LoopArguments) -> tuple[list[list[int]], list[int]]:
    """The batches of an evaluation, the largest first, and the padded tokens of each.

    A language model's are cut to `LOGITS`: 32 rows of 1,024 tokens over 128,000 words would be 16.8 GB."""
    lengths = np.asarray(dataset["length"][:])
    head: Any = getattr(model, "get_output_embeddings", lambda: None)()
    words = head.weight.shape[0] if hasattr(head, "weight") else 0
    asked = getattr(config, "eval_tokens_per_batch", None)
    limits = [limit for limit in (asked, words and LOGITS // words) if limit]
    batches = evaluation_batches(lengths, config.per_device_eval_batch_size, min(limits, default=None))
    return batches, [len(batch) * int(lengths[batch[0]]) for batch in batches]


def try_largest(
    accelerator: Accelerator, task: Task, model: torch.nn.Module, dataset: Dataset, config: LoopArguments
) -> float:
    """Evaluate the largest batch of a split: memory runs out here, before anything is learnt, and not after an epoch.
    Returns the seconds that the whole split will take, roughly."""
    batches, work = planned(model, dataset, config)
    began = time.perf_counter()
    evaluate(accelerator, task, model, dataset.select(batches[0]), config, description="")
    return (time.perf_counter() - began) * sum(work) / max(work[0], 1) / accelerator.num_processes


@dataclass(frozen=True)
class Reader:
    """A data set as torch's loader takes it: asked for a batch, it lets the task read the rows for that epoch."""

    task: Task
    dataset: Dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, batch: Plan) -> list[dict[str, Any]] | HfkitError:
        epoch, rows = batch
        try:
            return self.task.read(self.dataset, rows, epoch)
        except HfkitError as error:  # raised in a worker it would reach the user in a traceback of torch's
            return error

    def collate(self, features: list[dict[str, Any]] | HfkitError) -> Tensors | HfkitError:
        """The batch, or the reason why there is none."""
        return features if isinstance(features, HfkitError) else self.task.collate(features)


def load_batches(
    accelerator: Accelerator, task: Task, dataset: Dataset, batches: Sequence[Plan], num_workers: int
) -> Iterator[Tensors]:
    """Collated batches on the device, in the order given: of each the epoch (None in evaluation) and the rows. The
    loader gets a generator of its own, or a look at the validation split would change the dropout of the next update.
    Raises HfkitError: what the task cannot read, such as a picture that has gone since it was loaded."""
    if not batches:
        return
    reader = Reader(task, dataset)
    loader: DataLoader[Any] = DataLoader(
        reader,  # type: ignore[arg-type]
        batch_sampler=batches,  # type: ignore[arg-type]
        collate_fn=reader.collate,
        num_workers=num_workers,
        pin_memory=accelerator.device.type == "cuda",
        generator=torch.Generator().manual_seed(0),
    )
    for batch in loader:
        if isinstance(batch, HfkitError):
            raise batch
        yield send_to_device(batch, accelerator.device, non_blocking=True)
