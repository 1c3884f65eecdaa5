"""What does packing save? The same reviews learnt in full rows and in padded ones.

Two layers of GPT-2's width make forward and backward passes over the same IMDB reviews, in rows of at most 1,024
tokens, eight a batch: packed, padded in random order as most training loops do, and padded with rows of like length
together, hfkit's own way without packing. No token is lost in any of them, and the loss is the same. On a CPU the
attention of a packed row is computed whole and masked: the narrower the model, the more of the gain that costs.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset

import hfkit
from benchmarks.pairing import in_turns, summary, write
from hfkit.base import hardware
from hfkit.config import TrainConfig
from hfkit.data.batching import BatchPlan

LIMIT = 1.5
SIZES = {"hidden_size": 768, "num_hidden_layers": 2, "num_attention_heads": 12, "intermediate_size": 3072}
REVIEWS, ROWS, LENGTH = 48, 8, 1024


def passes(task: Any, model: Any, rows: Dataset, strategy: str, losses: list[float]) -> Callable[[], float]:
    """A function that goes over `rows` once, without a step, and returns its seconds; it notes the loss per token."""
    plan = BatchPlan(np.asarray(rows["length"][:]), ROWS, strategy=strategy)
    batches = [task.collate(rows.select(update.rows).to_list()) for update in plan.epoch(0)]
    padding = float(np.mean([plan.padding(update.batches) for update in plan.epoch(0)]))
    print(f"{strategy}: {len(rows)} rows, {padding:.0%} padding")

    def run() -> float:
        began, total = time.perf_counter(), 0.0
        for batch in batches:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss, _ = task.loss_and_predictions(model, batch)
            loss.backward()
            model.zero_grad()
            total += loss.item()
        losses.append(total / sum(map(task.weight, batches)))
        return time.perf_counter() - began

    return run


def main() -> bool:
    """Print useful tokens a second and ratios; within the limit where packing is 1.5 times as fast as random rows."""
    hardware.keep_memory(use_cpu=True)
    config = TrainConfig(
        task="text-generation",
        dataset="demo:imdb",
        max_train_samples=REVIEWS,
        max_eval_samples=2,
        max_test_samples=2,
        model="baseline:transformer_lm",
        model_args=json.dumps(SIZES),
        vocab_size=4000,
        max_length=LENGTH,
        dropout=0.0,
    )
    data = hfkit.load_data(config)
    task: Any = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    task = task.for_model(model.config, processor)
    encoded = task.encode(data["train"], processor)
    packed, padded = task.to_train(encoded), replace(task, packing=False).to_train(encoded)
    tokens = sum(padded["length"][:])
    losses: list[float] = []
    model.train()
    ways = {
        "packed": passes(task, model, packed, "random", losses),
        "padded": passes(task, model, padded, "random", losses),
        "grouped": passes(task, model, padded, "group_by_length", losses),
    }
    found = {name: summary(in_turns(ways[name], ways["packed"], pairs=5)) for name in ("padded", "grouped")}
    for name, one in found.items():
        low, high = one["ratio_interval"]
        speeds = tokens / one["second_seconds"], tokens / one["first_seconds"]
        print(
            f"packed / {name}: {speeds[0]:,.0f} / {speeds[1]:,.0f} useful tokens a second"
            f" = {one['ratio']:.2f} ({low:.2f} to {high:.2f})"
        )
    spread = max(losses) - min(losses)
    print(f"loss per token {losses[0]:.4f}, within {spread:.1e}; limit {LIMIT}")
    results = found | {"useful_tokens": tokens, "loss": losses[0], "loss_spread": spread}
    write("lm_packing", "What does packing save?", results)
    return bool(found["padded"]["ratio"] >= LIMIT and spread < 1e-3)
