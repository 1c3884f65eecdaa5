"""What does the engine cost? Its loop, with every callback of a run, beside a bare loop of the same operations.

Both train the same small BERT on the same batches in bf16 autocast, with clipping, fused AdamW and a schedule. The bare
loop is what a person would write by hand: it logs nothing, guards nothing, and cannot be resumed. Times are a step's,
without the first one, which waits for the loader to start.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import ClassLabel, Dataset, DatasetDict
from torch.utils.data import DataLoader
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.pairing import in_turns, summary, write
from hfkit import hardware
from hfkit.batching import BatchPlan
from hfkit.callbacks import Callback
from hfkit.config import TrainConfig
from hfkit.job import build_engine
from hfkit.optim import build_optimizer, build_scheduler
from hfkit.run import claim
from hfkit.tasks.text_classification import TextClassification

LIMIT = 0.03
STEPS, ROWS, LONGEST = 40, 16, 128
TASK = TextClassification(labels=["neg", "pos"], max_length=LONGEST)


class Stopwatch(Callback):
    """The moment at which each update was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_update_end(self, engine: Any, update: Any) -> None:
        self.times.append(time.perf_counter())


def rows() -> Dataset:
    """Random token ids, 32 to 128 of them: what a text says does not change what a step costs."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(32, LONGEST + 1, size=STEPS * ROWS)
    ids = [rng.integers(5, 8000, size=length).tolist() for length in lengths]
    labels = rng.integers(0, 2, size=len(ids)).tolist()
    table = {"id": list(map(str, range(len(ids)))), "input_ids": ids, "length": lengths.tolist(), "labels": labels}
    return Dataset.from_dict(table).cast_column("labels", ClassLabel(names=TASK.labels))


def model() -> BertForSequenceClassification:
    """A BERT of 4 layers and 256 dimensions: small, so that what a step costs beside the model shows."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
    return BertForSequenceClassification(
        BertConfig(vocab_size=8000, attention_probs_dropout_prob=0.0, num_labels=2, **sizes)
    ).train()


def engine_seconds(dataset: Dataset, config: TrainConfig, accelerator: Accelerator) -> float:
    """A step of the engine."""
    with tempfile.TemporaryDirectory() as folder:
        run = claim(config, Path(folder) / "run", recipe="engine_overhead")
        engine = build_engine(config, TASK, model(), _Nothing(), DatasetDict(train=dataset), run, accelerator)
        watch = Stopwatch()
        engine.callbacks.append(watch)
        engine.train(dataset)
    accelerator.free_memory()
    return (watch.times[-1] - watch.times[0]) / (len(watch.times) - 1)


def bare_seconds(dataset: Dataset, config: TrainConfig) -> float:
    """A step of the bare loop."""
    bert = model()
    optimizer = build_optimizer(bert, config)
    scheduler = build_scheduler(optimizer, config, STEPS)
    plan = BatchPlan(np.asarray(dataset["length"][:]), ROWS, seed=config.seed)
    batches = [update.rows for update in plan.updates(0, STEPS)]
    times = []
    for batch in DataLoader(dataset, batch_sampler=batches, collate_fn=TASK.collate):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        torch.nn.functional.cross_entropy(logits.float(), batch["labels"]).backward()
        torch.nn.utils.clip_grad_norm_(bert.parameters(), config.max_grad_norm)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter())
    return (times[-1] - times[0]) / (len(times) - 1)


def main() -> bool:
    """Print the engine's share on top of the bare loop; within the limit at 3 % or less."""
    hardware.keep_memory(use_cpu=True)
    config = TrainConfig(use_cpu=True, per_device_train_batch_size=ROWS, max_steps=STEPS, eval_strategy="no")
    config.save_strategy = "no"  # a checkpoint is work that the bare loop does not do
    dataset = rows()
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    measured = in_turns(lambda: engine_seconds(dataset, config, accelerator), lambda: bare_seconds(dataset, config))
    found = summary(measured)
    low, high = found["ratio_spread"]
    print(
        f"engine / bare loop: {found['first_seconds'] * 1e3:.1f} ms / {found['second_seconds'] * 1e3:.1f} ms a step"
        f" = {found['ratio']:.3f} ({low:.3f} to {high:.3f}), limit {1 + LIMIT}"
    )
    write("engine_overhead", "What does the engine cost beside a bare loop?", found)
    return bool(found["ratio"] <= 1 + LIMIT)


class _Nothing:
    """Stands where a tokenizer stands; it has nothing to save."""

    def save_pretrained(self, folder: Path) -> None: ...
