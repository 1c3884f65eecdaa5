"""Log: what a run writes down as it goes."""

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hfkit.base.atomic import write_text, writing
from hfkit.models import sharding
from hfkit.training.callbacks import Callback

if TYPE_CHECKING:
    from hfkit.data.batching import Update
    from hfkit.training.engine import Engine, Share

SAMPLE = 1024  # numbers of each parameter, about, by which an update is measured


class Log(Callback):
    """log.jsonl (nothing in it depends on a clock), timing.jsonl (all of it does), the trackers, and a line on screen.
    A checkpoint holds the log so far and a resume writes it anew, as if nothing had happened."""

    def __init__(self, run: Path) -> None:
        self.log, self.timing = run / "log.jsonl", run / "timing.jsonl"
        self.padding: list[float] = []
        self.clipped: list[bool] = []
        self.before: list[torch.Tensor] = []

    def on_train_begin(self, engine: "Engine") -> None:
        self.began, self.rows, self.tokens = time.perf_counter(), engine.state.examples, engine.state.tokens
        if engine.accelerator.is_main_process:
            with writing(self.log):
                self.log.touch()

    def on_backward(self, engine: "Engine", update: "Update", share: "Share", loss: float) -> None:
        self.clipped.append(0 < engine.config.max_grad_norm < engine.grad_norm)
        self.before = sampled(engine.module) if self._due(engine, engine.state.step + 1) else []

    def on_update_end(self, engine: "Engine", update: "Update") -> None:
        state = engine.state
        self.padding.append(engine.plan.padding(update.batches))
        if not self._due(engine, state.step):
            return
        (loss,) = engine.sum([state.loss_sum])
        entry = {
            "step": state.step,
            "epoch": round(state.epoch, 6),
            "tokens": state.tokens,
            "loss": round(loss / state.loss_weight, 6),
            "learning_rate": max(group["lr"] for group in engine.optimizer.param_groups),
            # fp16 overflows now and then, and JSON has no Infinity.
            "grad_norm": round(engine.grad_norm, 5) if math.isfinite(engine.grad_norm) else None,
            "clipped": round(sum(self.clipped) / max(len(self.clipped), 1), 4),
            "update_ratio": _ratio(self.before, sampled(engine.module)),
            "padding": round(sum(self.padding) / len(self.padding), 4),
        }
        entry |= engine.task.logged(engine.model)
        state.loss_sum, state.loss_weight, self.padding, self.clipped, self.before = 0.0, 0.0, [], [], []
        self._write(engine, entry)
        seconds = time.perf_counter() - self.began
        if engine.accelerator.is_main_process:
            speed = {"step": state.step, "seconds": round(seconds, 3)}
            speed["samples_per_second"] = round((state.examples - self.rows) / seconds, 2)
            speed["tokens_per_second"] = round((state.tokens - self.tokens) / seconds, 1)
            append(self.timing, speed)
        self.began, self.rows, self.tokens = self.began + seconds, state.examples, state.tokens

    def on_evaluate(self, engine: "Engine", figures: dict[str, float]) -> None:
        state = engine.state
        entry = {"step": state.step, "epoch": round(state.epoch, 6), "tokens": state.tokens}
        self._write(engine, entry | {name: round(value, 6) for name, value in figures.items()})
        name = f"eval_{engine.task.primary_metric}"
        told = [f"{name} {figures[name]:.4f}"] if name in figures else []  # a look may not take it
        told.append(f"loss {figures['eval_loss']:.4f}")
        engine.accelerator.print(f"update {state.step}, epoch {state.epoch:.2f}: {', '.join(told)}")

    @contextlib.contextmanager
    def evaluating(self, engine: "Engine") -> Iterator[None]:
        """Validation is no training time; the updates before it still count in the next line's speed."""
        stopped = time.perf_counter()
        yield
        self.began += time.perf_counter() - stopped

    def state_dict(self) -> dict[str, Any]:
        return {
            "lines": self.log.read_text(encoding="utf-8") if self.log.exists() else "",
            "padding": self.padding,
            "clipped": self.clipped,
        }

    def load_state_dict(self, engine: "Engine", state: dict[str, Any]) -> None:
        self.padding, self.clipped = list(state["padding"]), list(state.get("clipped", []))
        if engine.accelerator.is_main_process:
            with writing(self.log):
                write_text(self.log, state["lines"])

    def _due(self, engine: "Engine", step: int) -> bool:
        return step % engine.config.logging_steps == 0 or step == engine.total_steps

    def _write(self, engine: "Engine", entry: dict[str, Any]) -> None:
        if engine.accelerator.is_main_process:
            append(self.log, entry)
        if engine.config.report_to:
            engine.accelerator.log({k: v for k, v in entry.items() if k != "step"}, step=entry["step"])


def sampled(model: torch.nn.Module) -> list[torch.Tensor]:
    """Rows all over each parameter that learns, about `SAMPLE` numbers: a copy that costs a thousandth of an update.
    Nothing of weights that are sharded: a process knows its own part of them alone."""
    kept: list[torch.Tensor] = []
    if sharding.is_sharded(model):
        return kept
    for parameter in model.parameters():
        if parameter.requires_grad and (own := parameter.detach()).numel():
            own = own if own.ndim else own[None]
            step = max(1, own.numel() // SAMPLE)
            kept.append(own[:: min(step, own.shape[0])][:SAMPLE].clone())
    return kept


def _ratio(before: list[torch.Tensor], after: list[torch.Tensor]) -> float | None:
    """How far an update moved the weights, by their norm, as seen on a sample; one wait for the device."""
    if len(before) != len(after) or not before:
        return None
    moved = torch.nn.utils.get_total_norm([new - old for new, old in zip(after, before, strict=True)])
    ratio = float(moved / torch.nn.utils.get_total_norm(before).clamp(min=1e-12))
    return float(f"{ratio:.4g}") if math.isfinite(ratio) else None


def append(path: Path, entry: dict[str, Any]) -> None:
    """Add one line of JSON. Half a line at the end, left by a kill or a full disk, goes first."""
    with writing(path), path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.truncate(path.read_bytes().rfind(b"\n") + 1)
        file.write((json.dumps(entry) + "\n").encode())
