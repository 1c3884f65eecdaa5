"""What does the engine cost? Its loop, with every callback of a run, beside a bare loop of the same operations.

Both train the same small BERT on the same batches in bf16 autocast, with clipping, fused AdamW and a schedule. The bare
loop is what a person would write by hand: it logs nothing, guards nothing, and cannot be resumed. The two take turns
step by step, so that whatever else the machine does falls on both alike.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import ClassLabel, Dataset, DatasetDict
from torch.utils.data import DataLoader
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.pairing import summary, write
from hfkit.base import hardware
from hfkit.config import TrainConfig
from hfkit.data.batching import BatchPlan
from hfkit.runs.run import claim
from hfkit.tasks.text_classification.task import TextClassification
from hfkit.training.callbacks import Callback
from hfkit.training.job import Job, build_engine
from hfkit.training.optim import build_optimizer, build_scheduler

LIMIT = 0.03
STEPS, WARM_UP, ROWS, LONGEST = 240, 20, 16, 128
TASK = TextClassification(labels=["neg", "pos"], max_length=LONGEST)


class Rival(Callback):
    """The bare loop, taken two steps at a time between the engine's: engine, bare, bare, engine, and so on.

    So each goes first in every second pair: whoever goes second finds the batch's memory and kernels warm.

    Attributes:
        engine, bare: Seconds of each step.
    """

    def __init__(self, steps: Iterator[None]) -> None:
        self.steps = steps
        self.engine: list[float] = []
        self.bare: list[float] = []

    def on_train_begin(self, engine: Any) -> None:
        self.mark = time.perf_counter()

    def on_update_end(self, engine: Any, update: Any) -> None:
        self.engine.append(time.perf_counter() - self.mark)
        for _ in range(2 if engine.state.step % 2 else 0):
            began = time.perf_counter()
            next(self.steps)
            self.bare.append(time.perf_counter() - began)
        self.mark = time.perf_counter()


def rows() -> Dataset:
    """Random token ids: what a text says does not change what a step costs. Few lengths, so that no kernel is new."""
    rng = np.random.default_rng(0)
    lengths = rng.choice([LONGEST // 2, LONGEST], size=STEPS * ROWS)
    ids = [rng.integers(5, 8000, size=length).tolist() for length in lengths]
    labels = rng.integers(0, 2, size=len(ids)).tolist()
    table = {"id": list(map(str, range(len(ids)))), "input_ids": ids, "length": lengths.tolist(), "labels": labels}
    return Dataset.from_dict(table).cast_column("labels", ClassLabel(names=TASK.labels))


def model() -> BertForSequenceClassification:
    """A BERT of 4 layers and 256 dimensions: small, so that what a step costs beside the model shows."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4}
    config = BertConfig(vocab_size=8000, intermediate_size=1024, attention_probs_dropout_prob=0.0, **sizes)
    return BertForSequenceClassification(config).train()


def bare_loop(dataset: Dataset, config: TrainConfig) -> Iterator[None]:
    """The rival: yields after each step."""
    bert = model()
    optimizer = build_optimizer(bert, config)
    scheduler = build_scheduler(optimizer, config, STEPS)
    plan = BatchPlan(np.asarray(dataset["length"][:]), ROWS, seed=config.seed)
    batches = [update.rows for update in plan.updates(0, STEPS)]
    for batch in DataLoader(dataset, batch_sampler=batches, collate_fn=TASK.collate):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        torch.nn.functional.cross_entropy(logits.float(), batch["labels"]).backward()
        torch.nn.utils.clip_grad_norm_(bert.parameters(), config.max_grad_norm)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        yield


def main() -> bool:
    """Print the engine's share on top of the bare loop; within the limit at 3 % or less."""
    hardware.keep_memory(use_cpu=True)
    # No checkpoints and no evaluation: that is work which the bare loop does not do.
    knobs: dict[str, Any] = {"max_steps": STEPS, "eval_strategy": "no", "save_strategy": "no"}
    config = TrainConfig(use_cpu=True, per_device_train_batch_size=ROWS, **knobs)
    dataset = rows()
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    rival = Rival(bare_loop(dataset, config))
    with tempfile.TemporaryDirectory() as folder:
        run = claim(config, Path(folder) / "run", recipe="engine_overhead")
        splits = DatasetDict(train=dataset)
        engine = build_engine(Job(config, TASK, model(), _Nothing(), splits, splits, run, accelerator), splits)
        engine.callbacks.append(rival)
        engine.train(dataset)
    found = summary(list(zip(rival.engine, rival.bare, strict=True))[WARM_UP:])
    low, high = found["ratio_interval"]
    print(
        f"engine / bare loop: {found['first_seconds'] * 1e3:.1f} ms / {found['second_seconds'] * 1e3:.1f} ms a step"
        f" = {found['ratio']:.3f} ({low:.3f} to {high:.3f}), limit {1 + LIMIT}"
    )
    write("engine_overhead", "What does the engine cost beside a bare loop?", found)
    return bool(found["ratio"] <= 1 + LIMIT)


class _Nothing:
    """Stands where a tokenizer stands; it has nothing to save."""

    def save_pretrained(self, folder: Path) -> None: ...
