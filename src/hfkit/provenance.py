"""Provenance: what a run is made of, for run.json: versions, hardware, commit, data, model."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit import __version__, hardware
from hfkit.config import TrainConfig
from hfkit.data.summary import summary_of
from hfkit.errors import HfkitError

if TYPE_CHECKING:
    from accelerate import Accelerator
    from datasets import DatasetDict
    from torch import nn

    from hfkit.run import Run
    from hfkit.tasks import Task


def facts(
    config: TrainConfig,
    task: "Task",
    model: "nn.Module",
    data: "DatasetDict",
    accelerator: "Accelerator",
    truncation: dict[str, Any],
) -> dict[str, Any]:
    """The entries of run.json that are known before the first update."""
    total = sum(parameter.numel() for parameter in model.parameters())
    learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return {
        "hfkit": __version__,
        "state": "running",
        "task": task.name,
        "command": sys.argv,
        "versions": hardware.versions(),
        "hardware": hardware.describe(config.use_cpu) | {"num_processes": accelerator.num_processes},
        "git": git_commit(),
        "seed": config.seed,
        "data": summary_of(data).to_json(),
        "model": {
            "name": config.model,
            "revision": config.model_revision,
            "class": type(model).__name__,
            "parameters": total,
            "trainable_parameters": learning,
            "plain_transformers": opens_in_plain_transformers(config, model),
        },
        "task_settings": task.settings(),
        "truncation": truncation,
        "precision": accelerator.mixed_precision,
    }


def check_same(run: "Run", now: dict[str, Any]) -> None:
    """Refuse to go on from a checkpoint on other ground than it was written on: the flags say nothing of these.

    Raises:
        HfkitError: The rows, the number of processes or the precision are not those of the run so far.
    """

    def ground(facts: dict[str, Any]) -> dict[str, Any]:
        splits = facts.get("data", {}).get("splits", {})
        found = {f"rows of {name}": split.get("fingerprint") for name, split in splits.items()}
        return found | {
            "number of processes": facts.get("hardware", {}).get("num_processes"),
            "precision": facts.get("precision"),
        }

    before, here = ground(run.info), ground(now)
    changed = [name for name in here if name in before and before[name] != here[name]]
    if changed:
        raise HfkitError(
            f"{run.path} was begun with another {' and '.join(changed)}, and cannot go on as the same run",
            fix="restore what changed, or begin again with --overwrite",
        )


def opens_in_plain_transformers(config: TrainConfig, model: "nn.Module") -> bool:
    """Whether `transformers.pipeline` alone gives this run's answers: a library model that reads a text's head."""
    own = any(base.__module__.startswith("hfkit.") for base in type(model).__mro__)
    return not own and config.long_text == "head" and not config.lora and not config.model.startswith("baseline:")


def git_commit() -> dict[str, Any] | None:
    """The commit of the working folder and whether files differ from it; None outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
