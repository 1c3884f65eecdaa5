"""Speed: what a run's updates were made of, what share of the machine they used, and what holds them back."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import nn
from transformers import PreTrainedModel

from hfkit.base import hardware
from hfkit.data.batching import Update
from hfkit.models import sharding
from hfkit.models.settings import ATTENTION_DROPOUT
from hfkit.runs.run import Run
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine, Share

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

FEWEST = 3  # timed updates: below, nothing is said of speed
WORTH = 0.05  # share of the time from which something is worth a word
FILLED = 0.2  # utilisation of a GPU below which its batches are small

# Shares of an update that the slow way costs, roughly: a CPU's matrix products in fp32 and in bf16, its attention with
# and without dropout (benchmarks/NOTES.md), one forward pass of the four passes that an update comes to.
FULL_PRECISION, DROPOUT, RECOMPUTED = 0.5, 0.33, 0.25


class Speed(Callback):
    """`--explain_speed`: told at the end of training, and kept in run.json as `speed`. Comes last of the callbacks.

    The session's first update warms up. Updates 2, 4, 8, ... are counted, operation by operation, and not timed; all
    others are timed and not counted, and their operations follow from their padded tokens."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.updates = self.timed = self.rows = self.tokens = 0
        self.seconds = self.waited = self.padded = self.operations = self.counted_tokens = 0.0
        self.counter: FlopCounterMode | None = None

    def on_train_begin(self, engine: Engine) -> None:
        self._begin(engine)

    def on_backward(self, engine: Engine, update: Update, share: Share, loss: float) -> None:
        if self.counter is not None:
            self.counter.__exit__(None, None, None)
            self.operations += self.counter.get_total_flops()
            self.counted_tokens += self._padded(engine, update)

    def on_update_end(self, engine: Engine, update: Update) -> None:
        self.updates += 1
        if self.counter is None and self.updates > 1:
            self.timed += 1
            self.seconds += time.perf_counter() - self.began
            self.waited += engine.waited - self.waited_before
            self.rows += len(update.rows)
            self.tokens += int(engine.plan.lengths[update.rows].sum())
            self.padded += self._padded(engine, update)
        self.counter = None
        self._begin(engine)

    def on_save(self, engine: Engine) -> None:
        self.began = time.perf_counter()

    @contextlib.contextmanager
    def evaluating(self, engine: Engine) -> Iterator[None]:
        """Validation is neither timed nor counted."""
        self.close()
        yield
        self._begin(engine)

    def on_train_end(self, engine: Engine) -> None:
        self.close()
        if engine.accelerator.is_main_process:
            found = self.figures(engine)
            self.run.update(speed=found)
            for line in lines(found):
                engine.accelerator.print(f"speed: {line}")

    def close(self) -> None:
        if self.counter is not None:
            self.counter.__exit__(None, None, None)
            self.counter = None

    def figures(self, engine: Engine) -> dict[str, Any]:
        """What was chosen, what was measured, and `advice`. Shares are of 1; None where nothing could be measured."""
        config, device = engine.config, engine.accelerator.device.type
        precision, why = hardware.mixed_precision(config.mixed_precision, config.use_cpu)
        settings = [part.config for part in engine.module.modules() if isinstance(part, PreTrainedModel)]
        heads = [own for own in settings if hasattr(own, "num_attention_heads")]
        kernels = [getattr(own, "_attn_implementation", None) for own in heads]
        dropouts = [getattr(own, name, None) or 0.0 for own in settings for name in ATTENTION_DROPOUT]
        optimizer = getattr(engine.optimizer, "optimizer", engine.optimizer)
        found: dict[str, Any] = {
            "precision": precision,
            "why": why,
            "device": device,
            "has_bf16": hardware.has_bf16(device),
            "attention": next((kernel for kernel in kernels if kernel), None),
            "attention_dropout": max(dropouts, default=0.0),
            "optimizer": type(optimizer).__name__ + (", fused" if optimizer.defaults.get("fused") else ""),
            "strategy": "tokens_per_batch" if engine.plan.tokens_per_batch else engine.plan.strategy,
            "gradient_checkpointing": config.gradient_checkpointing,
            "workers": config.dataloader_num_workers,
            "threads": hardware.describe(config.use_cpu)["threads"],
            "updates": self.timed,
        }
        if self.timed >= FEWEST:
            batches = self.timed * engine.plan.batches_per_update
            found |= {
                "rows_per_second": self.rows / self.seconds,
                "rows_per_batch": self.rows / batches,
                "tokens_per_batch": self.padded / batches,
                "padding": 1 - self.tokens / self.padded,
                "input_wait": self.waited / self.seconds,
                **self._utilisation(engine, precision),
            }
        return found | {"advice": advice(found)}

    def _utilisation(self, engine: Engine, precision: str) -> dict[str, float | None]:
        """Counted operations a second, over those of a large matrix product, in the run's number format, here."""
        # What torch's RNN kernels compute is not counted.
        if not self.operations or any(isinstance(part, nn.RNNBase) for part in engine.module.modules()):
            return dict.fromkeys(("operations_per_second", "matrix_product", "utilisation"))
        done = self.operations / self.counted_tokens * self.padded / self.seconds
        most = hardware.matrix_product_rate(engine.accelerator.device, precision)
        return {"operations_per_second": done, "matrix_product": most, "utilisation": done / most}

    def _begin(self, engine: Engine) -> None:
        """Another update: counted where its number is a power of two. Sharded weights are left alone."""
        # Not the first: a loader's workers are forked in it, and would go on counting.
        if self.updates and (self.updates + 1) & self.updates == 0 and not sharding.is_sharded(engine.model):
            from torch.utils.flop_counter import FlopCounterMode

            self.counter = FlopCounterMode(display=False)
            self.counter.__enter__()
        self.began, self.waited_before = time.perf_counter(), engine.waited

    def _padded(self, engine: Engine, update: Update) -> float:
        """Tokens of an update, padding included."""
        return float(engine.plan.lengths[update.rows].sum()) / (1 - engine.plan.padding(update.batches))


def advice(found: dict[str, Any]) -> str:
    """One sentence: what costs the largest share of the time, where it can be had back."""
    if "rows_per_second" not in found:
        return f"too few updates to tell; after {FEWEST} timed ones there is more to say"
    padding, wait = found["padding"], found["input_wait"]
    other = "--tokens_per_batch" if found["strategy"] == "group_by_length" else "--train_sampling_strategy"
    workers = max((os.cpu_count() or 1) // 2, 2)
    costs = [
        (padding, f"{padding:.0%} of the tokens are padding: try {other}"),
        (wait, f"{wait:.0%} of the time goes into waiting for input: try --dataloader_num_workers {workers}"),
    ]
    if found["precision"] == "no" and found["has_bf16"]:
        costs.append((FULL_PRECISION, "fp32, where bf16 is computed in hardware: try --mixed_precision auto"))
    if found["attention_dropout"] and found["device"] == "cpu":
        costs.append((DROPOUT, "attention dropout leaves the fast kernel: try --attention_dropout 0"))
    if found["gradient_checkpointing"]:
        costs.append((RECOMPUTED, "activations are computed twice: drop --gradient_checkpointing if memory allows"))
    used = found["utilisation"]
    if used is not None and used < FILLED and found["device"] != "cpu":
        costs.append((FILLED - used, "small batches do not fill the device: try --per_device_train_batch_size"))
    share, sentence = max(costs)
    if share < WORTH:
        return "nothing stands out: the model's own operations take the time (a shorter --max_length has fewer of them)"
    return sentence


def lines(found: dict[str, Any]) -> list[str]:
    """The figures for the screen; the advice last."""
    dropout = f" with dropout {found['attention_dropout']:g}" if found["attention_dropout"] else ""
    attention = f"{found['attention']}{dropout}" if found["attention"] else "none"
    if found["device"] == "cpu" and found["precision"] == "bf16" and attention == "sdpa":
        attention += ", by plain products where they are faster"
    told = [found["why"], f"attention: {attention}; optimizer: {found['optimizer']}; threads: {found['threads']}"]
    if "rows_per_second" in found:
        shape = f"{found['rows_per_batch']:.1f} rows"
        if found["tokens_per_batch"] > found["rows_per_batch"]:
            shape += f" of {found['tokens_per_batch']:.0f} tokens, {found['padding']:.1%} of them padding"
        told.append(f"batches of {shape}, by {found['strategy']}; {found['rows_per_second']:.1f} rows/s")
        used = "its operations were not counted"
        if found["utilisation"] is not None:
            done, most = found["operations_per_second"] / 1e9, found["matrix_product"] / 1e9
            used = f"{done:.0f} GFLOP/s, {found['utilisation']:.0%} of a large matrix product's {most:.0f} here"
        told.append(f"waiting for input: {found['input_wait']:.1%} of the time; {used}")
    return [*told, f"what holds it back: {found['advice']}"]
