"""Provenance: what a run is made of, for run.json: versions, hardware, commit, data, model."""

import dataclasses
import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset, DatasetDict
from torch import nn

from hfkit import __version__
from hfkit.base import hardware
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.data.summary import summary_of
from hfkit.data.text.token_cache import flat
from hfkit.models.adapting import four_bit
from hfkit.runs.run import Run

if TYPE_CHECKING:
    from hfkit.training.job import Job


def facts(job: "Job", truncation: dict[str, Any]) -> dict[str, Any]:
    """The entries of run.json that are known before the first update."""
    config, model, accelerator = job.config, job.model, job.accelerator
    return {
        "hfkit": __version__,
        "state": "running",
        "task": job.task.name,
        "command": sys.argv,
        "versions": hardware.versions(),
        "hardware": hardware.describe(config.use_cpu) | {"num_processes": accelerator.num_processes},
        "git": git_commit(),
        "seed": config.seed,
        "data": dataclasses.asdict(summary_of(job.data)),
        "model": {
            "name": config.model,
            "revision": config.model_revision,
            "class": type(model).__name__,
            "parameters": sum(map(four_bit.size, model.parameters())),
            "trainable_parameters": sum(one.numel() for one in model.parameters() if one.requires_grad),
            "plain_transformers": opens_in_plain_transformers(config, model),
            "frozen_weights": frozen_digest(model),
            **({"word_vectors": told} if (told := getattr(model.config, "word_vectors", None)) else {}),
        },
        "encoded": {name: encoded_digest(split) for name, split in job.encoded.items()},
        "batches_per_update": config.gradient_accumulation_steps * accelerator.num_processes,
        "task_settings": job.task.settings(),
        "truncation": truncation,
        "precision": accelerator.mixed_precision,
    }


def check_same(run: Run, now: dict[str, Any]) -> str | None:
    """Whether a checkpoint can be gone on from here: the flags say nothing of rows, weights and machines.

    Returns a sentence where what differs leaves the updates what they were, and only their last bits in doubt. Raises
    HfkitError: the rows, the tokenizer, the frozen weights or the precision are not those of the run so far."""
    before, here = _ground(run.info), _ground(now)
    changed = [name for name in here if name in before and before[name] != here[name]]
    if changed:
        what = f"{run.path} was begun with another {' and '.join(changed)}, and cannot go on as the same run"
        raise HfkitError(what, fix="restore what changed, or begin again with --overwrite")
    before, here = _machine(run.info), _machine(now)
    moved = [f"{name} {before[name]} -> {here[name]}" for name in here if before.get(name, here[name]) != here[name]]
    told = (
        f"{run.path} goes on elsewhere ({', '.join(moved)}): the same rows in the same updates, and the same dropout;"
        " sums are rounded in another order, so the weights are not bit-identical to those of one machine"
    )
    return told if moved else None


def check_rows(run: Run, data: DatasetDict) -> None:
    """Refuse, as an HfkitError, rows that a finished run was not made from: a program may give any. Those that a stream
    has learnt are known only once it is read."""
    splits = summary_of(data).splits
    known = {name: split for name, split in splits.items() if name != "train" or getattr(data, "stream", None) is None}
    check_same(run, {"data": {"splits": known}, "precision": run.info.get("precision")})


def _ground(facts: dict[str, Any]) -> dict[str, Any]:
    """What decides the updates."""
    splits = facts.get("data", {}).get("splits", {})
    found = {f"rows of {name}": split.get("fingerprint") for name, split in splits.items()}
    found |= {f"tokens of {name}": digest for name, digest in facts.get("encoded", {}).items()}
    if "frozen_weights" in facts.get("model", {}):
        found["set of frozen weights"] = facts["model"]["frozen_weights"]
    return found | {"precision": facts.get("precision")}


def _machine(facts: dict[str, Any]) -> dict[str, Any]:
    """What decides in which order, and by which kernels, the sums of an update are made."""
    hardware = facts.get("hardware", {})
    found = {"processes": hardware.get("num_processes"), "device": hardware.get("name")}
    found |= {"threads": hardware.get("threads")} if hardware.get("device") == "cpu" else {}
    found |= {name: facts.get("versions", {}).get(name) for name in ("torch", "transformers", "peft")}
    return {name: value for name, value in found.items() if value is not None}


def encoded_digest(split: Dataset) -> str:
    """sha256 over the token ids and lengths of a split: another tokenizer makes other batches of the same rows."""
    found = hashlib.sha256()
    for name in sorted({"length", "input_ids"} & set(split.column_names)):
        found.update(flat(split, name).tobytes())
    return found.hexdigest()


def frozen_digest(model: nn.Module) -> str:
    """A fingerprint of the weights that no checkpoint holds, because `build_model` makes them again: of each tensor the
    exclusive or of its numbers, which one pass over the memory gives."""
    found = hashlib.sha256()
    for name, weight in model.named_parameters():
        if not weight.requires_grad and weight.numel():
            bits = torch.hash_tensor(weight.detach().flatten(), dim=0).view(torch.int64).item()
            found.update(f"{name} {tuple(weight.shape)} {bits}\n".encode())
    return found.hexdigest()


def opens_in_plain_transformers(config: TrainConfig, model: nn.Module) -> bool:
    """Whether `transformers.pipeline` alone gives this run's answers: a library model that reads a text's head
    or an image once."""
    own = any(base.__module__.startswith("hfkit.") for base in type(model).__mro__)
    long_text, augmented = getattr(config, "long_text", "head"), getattr(config, "test_time_augmentation", "none")
    once = long_text == "head" and augmented == "none"
    return not own and once and not config.lora and not config.model.startswith("baseline:")


def git_commit() -> dict[str, Any] | None:
    """The commit of the working folder and whether files differ from it; None outside a repository."""

    def git(*arguments: str) -> str:
        return subprocess.check_output(["git", *arguments], stderr=subprocess.DEVNULL, text=True, timeout=10).strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None
