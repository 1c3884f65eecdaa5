"""The training loop. There is no other in hfkit.

It knows models, batches, losses and steps; it never asks which task it runs. A task owns "batch in, summed loss and
predictions out"; callbacks own what hangs on the loop's events. Three rules make runs exact:

- An update's loss is the sum over its rows divided by their weight, over all its batches and processes, so that
  accumulation and processes give the loss of the large batch (Trainer's averaging of averages does not).
- The generators are seeded for every batch from (seed, update, batch), so that nothing that ran before, evaluation or
  a resume among it, and no other process can change the dropout that a batch sees.
- Evaluation deals out whole batches that one process would make too, so that the figures do not depend on processes.
"""

import contextlib
import gc
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch.optim.lr_scheduler import LRScheduler

from hfkit.base import hardware
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.data.batching import BatchPlan, Update
from hfkit.evaluation.metric import looked_at
from hfkit.evaluation.predict import Plan, Tensors, evaluate, load_batches, named, try_largest
from hfkit.models import sharding
from hfkit.models.inspection import readable
from hfkit.tasks import Task
from hfkit.training import gradient_cache
from hfkit.training.optim import ON_METRIC, make_step

if TYPE_CHECKING:
    from hfkit.training.callbacks import Callback

Share = list[tuple[Tensors, bool]]  # a process's batches of an update, each with whether it counts


@dataclass
class State:
    """What the training loop counts. All of it is in a checkpoint."""

    step: int = 0  # updates done
    epoch: float = 0.0  # epochs done, with the fraction
    examples: int = 0  # rows seen
    tokens: int = 0  # real ones, seen
    loss_sum: float = 0.0  # since the last line of the log
    loss_weight: float = 0.0  # what it is divided by
    rows_per_batch: int = 0  # in force: `auto_find_batch_size` may have halved it
    best_value: float | None = None  # the best figure on validation
    best_step: int | None = None  # where it was
    stopped: str | None = None  # why training ended before its last update
    due: list[str] = field(default_factory=list)  # after the last update: `eval`, `save`


@dataclass(eq=False)
class Engine:
    """One model being trained."""

    accelerator: Accelerator  # made without gradient accumulation: the engine divides the loss itself
    task: Task
    model: torch.nn.Module  # prepared by `accelerator`
    optimizer: Any  # prepared by `accelerator`
    scheduler: LRScheduler  # not prepared: Accelerate would step it once for every process
    plan: BatchPlan  # which rows share a batch
    total_steps: int  # updates of the whole run
    config: TrainConfig
    callbacks: "list[Callback]"  # in the order in which they hear of an event
    grad_norm: float = 0.0
    waited: float = 0.0  # seconds spent on waiting for input
    look_seconds: float = 0.0  # what a look at validation will take, as its largest batch lets expect
    interrupted: bool = False  # set by a signal handler, looked at between updates

    def __post_init__(self) -> None:
        self.state = State(rows_per_batch=self.plan.rows_per_batch)

    @property
    def module(self) -> torch.nn.Module:
        """The model itself, without DDP around it; its forward still runs in mixed precision."""
        return self.accelerator.unwrap_model(self.model)

    def train(self, dataset: Dataset, validation: Dataset | None = None, test: Dataset | None = None) -> State:
        """Run updates `state.step` to `total_steps`; all of `callbacks` see what happens on the way. Of `test`, which
        is judged after them, the largest batch is tried before."""
        if not gc.isenabled():  # hfkit.launch held it back; what is here by now stays, and is not looked through again
            gc.freeze()
            gc.enable()
        for split in (test, validation if self.config.eval_strategy != "no" else None):
            if split is not None:
                self.look_seconds = try_largest(self.accelerator, self.task, self.module, split, self.config)
        self._emit("on_train_begin")
        self.model.train()
        self._settle(validation)
        for update, share in self._updates(dataset):
            if update.first_of_epoch:
                self._emit("on_epoch_begin", update.epoch)
            weight, interrupted = self._weigh(share)
            if interrupted:
                self.state.stopped = "interrupted"
                break
            self._update(dataset, update, share, weight)
            self._emit("on_update_end", update)
            self.state.due = [event for event in ("eval", "save") if self._due(event, update)]
            self._settle(validation)
            if self.state.stopped:
                break
        if not self.state.stopped and self.sum([float(self.interrupted)])[0]:  # after the last look at validation
            self.state.stopped = "interrupted"
        self._emit("on_train_end")
        return self.state

    @property
    def quiet(self) -> bool:
        """Whether this process shows no progress bars."""
        return not self.accelerator.is_main_process or self.config.disable_tqdm

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """The weights that count: inside, the model is the averaged one where a callback keeps an average."""
        with contextlib.ExitStack() as stack:
            for callback in self.callbacks:
                stack.enter_context(callback.evaluating(self))
            yield

    def rewrap(self) -> None:
        """Wrap the model in DDP anew: it only reduces gradients of what learnt when it was made."""
        if isinstance(self.model, torch.nn.parallel.DistributedDataParallel):
            device = self.accelerator.device
            ids = [device.index] if device.type == "cuda" else None
            same = self.accelerator.ddp_handler.to_kwargs() if self.accelerator.ddp_handler else {}
            self.model = torch.nn.parallel.DistributedDataParallel(self.module, device_ids=ids, **same)

    def state_dict(self) -> dict[str, Any]:
        """The counters, in JSON; the summed loss is that of all processes, held by the first."""
        total = self.sum([self.state.loss_sum])[0]
        self.state.loss_sum = total if self.accelerator.is_main_process else 0.0
        return asdict(self.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the counters of a checkpoint."""
        self.state = State(**state)
        if self.state.stopped == "interrupted":
            self.state.stopped = None
        self.plan.rows_per_batch = self.state.rows_per_batch
        if not self.accelerator.is_main_process:
            self.state.loss_sum = 0.0

    def seed(self, step: int, batch: int) -> None:
        """Seed all generators for one batch of one update."""
        value = int(np.random.SeedSequence([self.config.seed, step, batch]).generate_state(1)[0])
        random.seed(value)
        np.random.seed(value)  # noqa: NPY002 - augmentation libraries draw from the global generator
        torch.manual_seed(value)

    def _updates(self, dataset: Dataset) -> Iterator[tuple[Update, Share]]:
        """Each update with this process's batches, prepared ahead by the loader."""
        while self.state.step < self.total_steps and not self.state.stopped:
            rows_per_batch = self.plan.rows_per_batch
            began = time.perf_counter()
            updates = list(self.plan.updates(self.state.step, self.total_steps))
            self.waited += time.perf_counter() - began  # a stream's plan reads
            # Where the last, partial window leaves this process no batch, one that counts for nothing stands in: every
            # process has to take part in the all-reduce of the gradients.
            who = self.accelerator.process_index, self.accelerator.num_processes
            shares = [[(rows or update.batches[0], bool(rows)) for rows in update.share(*who)] for update in updates]
            plan = [(update.epoch, rows) for update, share in zip(updates, shares, strict=True) for rows, _ in share]
            loader = self._load(dataset, plan)
            for update, share in zip(updates, shares, strict=True):
                began = time.perf_counter()
                batches = [(next(loader), real) for _, real in share]
                self.waited += time.perf_counter() - began
                yield update, batches
                if self.plan.rows_per_batch != rows_per_batch:
                    break  # Memory ran out and batches were halved: what the loader has prepared is too large.

    def _load(self, dataset: Dataset, batches: Sequence[Plan]) -> Iterator[Tensors]:
        return load_batches(self.accelerator, self.task, dataset, batches, self.config.dataloader_num_workers)

    def _weigh(self, share: Share) -> tuple[float, bool]:
        """The weight of the whole update, over processes, and whether any process was told to stop."""
        mine = sum(self.task.weight(batch) for batch, real in share if real)
        weight, interrupted = self.sum([mine, float(self.interrupted)])
        return weight, interrupted > 0

    def sum(self, values: list[float]) -> list[float]:
        """Sums over the processes."""
        if self.accelerator.num_processes == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.accelerator.device)
        return list(self.accelerator.reduce(tensor, reduction="sum").tolist())

    def _update(self, dataset: Dataset, update: Update, share: Share, weight: float) -> None:
        """One optimizer step, counted."""
        loss: float | None = None
        try:
            with readable(lambda: named(dataset, update.rows)):
                loss = self._backward(share, weight)
        except (RuntimeError, MemoryError) as error:
            self._halve_or_raise(error)
        if loss is None:  # Out here the error is gone, and with it the activations that its frames held on to.
            if self.accelerator.device.type == "cuda":
                torch.cuda.empty_cache()
            update.batches[:] = self.plan.split(update.rows)
            plan = [(update.epoch, rows) for rows in update.batches]
            smaller = [(batch, True) for batch in self._load(dataset, plan)]
            return self._update(dataset, update, smaller, weight)
        self._emit("on_backward", update, share, loss)
        if self.config.max_grad_norm:  # now that the guard has looked: a NaN norm would make all NaN
            norm = torch.tensor(self.grad_norm, device=self.accelerator.device)
            torch.nn.utils.clip_grads_with_norm_(self.model.parameters(), self.config.max_grad_norm, norm)
        made = make_step(self.optimizer, self.accelerator.scaler)
        if made and not isinstance(self.scheduler, ON_METRIC):
            self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        return self._count(update, loss, weight)

    def _backward(self, share: Share, weight: float) -> float:
        """Gradients of the update's mean loss, and their norm. Returns this process's part of the summed loss."""
        processes = self.accelerator.num_processes
        summed = torch.zeros((), device=self.accelerator.device)
        losses = gradient_cache.losses(self, share) if self.task.joint else self._loss
        for place, (batch, real) in enumerate(share):
            self.seed(self.state.step, place * processes + self.accelerator.process_index)
            last = place == len(share) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.model):
                loss = losses(place, batch)
                # DDP averages gradients over processes, where the sum is wanted.
                self.accelerator.backward(loss * (real * processes / weight))
            summed += loss.detach() * real
        self.accelerator.unscale_gradients()
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self.grad_norm = sharding.total_norm(gradients)
        return float(summed)  # A CPU-GPU sync, once an update: a NaN has to be seen before the step is made.

    def _loss(self, place: int, batch: Tensors) -> torch.Tensor:
        return self.task.loss_and_predictions(self.model, batch)[0]

    def _halve_or_raise(self, error: Exception) -> None:
        """Make batches smaller when memory ran out and the user asked for it; every other error goes on its way."""
        if not hardware.out_of_memory(error):
            raise error
        if not self.config.auto_find_batch_size or self.accelerator.num_processes > 1 or not self.plan.halve():
            what = f"out of memory at update {self.state.step} with {self.plan.rows_per_batch} rows in a batch"
            fix = "set a smaller --per_device_train_batch_size with more --gradient_accumulation_steps"
            raise HfkitError(what, fix=f"{fix}, or --auto_find_batch_size (one process)") from error
        self.optimizer.zero_grad(set_to_none=True)
        self.state.rows_per_batch = self.plan.rows_per_batch
        self.accelerator.print(f"Out of memory: batches of {self.plan.rows_per_batch} rows from here, same updates.")

    def _count(self, update: Update, loss: float, weight: float) -> None:
        self.state.step += 1
        self.state.examples += len(update.rows)
        self.state.tokens += int(self.plan.lengths[update.rows].sum())
        self.state.loss_sum += loss
        self.state.loss_weight += weight
        self.state.epoch = self.plan.epochs(self.state.examples)

    def _settle(self, validation: Dataset | None) -> None:
        """Save, then look at validation, where they are due: what goes wrong in a look costs no update. Its checkpoint
        says that the look is still to come, so a session that takes it up begins with that, as it does with one that a
        signal cut short."""
        if "save" in self.state.due:
            self.state.due.remove("save")
            self._emit("on_save")
        if "eval" in self.state.due and validation is not None:
            self._validate(validation)
        if self.state.stopped != "interrupted":
            self.state.due = []

    def _due(self, event: str, update: Update) -> bool:
        strategy, every = getattr(self.config, f"{event}_strategy"), getattr(self.config, f"{event}_steps")
        if strategy == "no" or self.state.step == self.total_steps:
            return bool(strategy != "no")
        return bool(update.last_of_epoch if strategy == "epoch" else self.state.step % (every or 1) == 0)

    def _validate(self, validation: Dataset) -> None:
        """Figures on the validation split, with the averaged weights where there are any."""
        with self.averaged():
            asked = (self.accelerator, self.task, self.module, validation, self.config)
            predictions = evaluate(*asked, "validate", lambda: self.interrupted)
            if not predictions:
                self.state.stopped = "interrupted"
                return
            figures = {f"eval_{name}": value for name, value in looked_at(self.task, predictions).items()}
            if isinstance(self.scheduler, ON_METRIC):
                self.scheduler.step(figures["eval_loss"])
            self._emit("on_evaluate", figures)

    def _emit(self, event: str, *details: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *details)
