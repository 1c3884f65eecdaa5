"""Checkpoints: everything that decides the rest of a run, in safetensors and JSON, whole or not there.

A checkpoint is staged beside its place, each file hashed into `manifest.json` and synced to the disk, and renamed once.
So a folder named `step-000120` is a whole checkpoint; what a kill leaves behind begins with a dot and is never read.
Randomness needs no saving: the engine derives each update's seed from (seed, update).
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hfkit import sharding
from hfkit.errors import HfkitError
from hfkit.run import unwritable

Tensors = dict[str, torch.Tensor]


def save(folder: Path, step: int, tensors: dict[str, Tensors], state: dict[str, Any]) -> Path:
    """Write `folder/step-<step>` atomically.

    Args:
        folder: The run's `checkpoints/`.
        step: Updates done.
        tensors: A safetensors file each, by name: `model`, `optimizer`, `callbacks`.
        state: Everything else, JSON.

    Raises:
        HfkitError: No space or no right to write. The checkpoints that were there are untouched.
    """
    place = folder / f"step-{step:06d}"
    staged = folder / f".{place.name}.tmp"
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        for name, content in tensors.items():
            save_file(_separate(content), staged / f"{name}.safetensors")
        (staged / "state.json").write_text(json.dumps(state), encoding="utf-8")
        manifest = {path.name: digest(path) for path in sorted(staged.iterdir())}
        (staged / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        for path in [*staged.iterdir(), staged]:
            _sync(path)
        shutil.rmtree(place, ignore_errors=True)
        staged.rename(place)
        _sync(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise unwritable(place, error if isinstance(error, OSError) else OSError(str(error))) from error
    return place


def load(place: Path) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """Read a checkpoint back: the tensors by file, and the state."""
    tensors = {path.stem: load_file(path) for path in sorted(place.glob("*.safetensors"))}
    return tensors, json.loads((place / "state.json").read_text(encoding="utf-8"))


def newest(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole, and a sentence for each newer one that is not."""
    skipped: list[str] = []
    for place in reversed(_by_step(folder)):
        damage = damaged(place)
        if damage is None:
            return place, skipped
        skipped.append(f"{place} is damaged ({damage}) and was skipped")
    return None, skipped


def damaged(place: Path) -> str | None:
    """What is wrong with a checkpoint, or None when every file has the hash that the manifest gives."""
    try:
        manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        for name, expected in manifest.items():
            if digest(place / name) != expected:
                return f"{name} does not have the sha256 that manifest.json gives"
    except (OSError, ValueError, AttributeError) as error:
        return str(error)
    return None if "state.json" in manifest else "manifest.json does not name state.json"


def prune(folder: Path, limit: int, newest: Path) -> None:
    """Delete the oldest checkpoints beyond `limit`; the best model is in `model/`.

    `newest`, the one just written, stays at any limit. One of a later step is damaged, or the run would have gone on
    from it: it must not push out a whole one.
    """
    older = [place for place in _by_step(folder) if _step(place) <= _step(newest)]
    for place in older[: -max(limit, 1)]:
        shutil.rmtree(place, ignore_errors=True)


def _by_step(folder: Path) -> list[Path]:
    """All checkpoints, the oldest first; by number, since the millionth update has seven digits."""
    return sorted((place for place in folder.glob("step-*") if place.name[5:].isdigit()), key=_step)


def _step(place: Path) -> int:
    return int(place.name.removeprefix("step-"))


def digest(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_state(model: torch.nn.Module) -> Tensors:
    """The parameters that learn, and the buffers. Frozen parameters are what `build_model` makes them again."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


def restore_model(model: torch.nn.Module, tensors: Tensors) -> None:
    """Put saved weights into `model`.

    Raises:
        HfkitError: A weight that learns is not in the checkpoint, or has another shape.
    """
    current = model.state_dict()
    placed = {name: sharding.cut(tensor, current.get(name, tensor)) for name, tensor in tensors.items()}
    try:
        missing, unexpected = model.load_state_dict(placed, strict=False)
    except RuntimeError as error:
        raise HfkitError(f"the checkpoint does not fit the model: {error}") from error
    lost = sorted(set(missing) & set(model_state(model))) + sorted(unexpected)
    if lost:
        raise HfkitError(f"the checkpoint and the model do not have the same weights: {', '.join(lost[:5])}")


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[Tensors, dict[str, Any]]:
    """An optimizer's state as tensors named `<parameter>.<entry>`, and the rest as JSON."""
    state = optimizer.state_dict()
    tensors: Tensors = {}
    numbers: dict[str, Any] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                numbers[f"{index}.{name}"] = value
    return tensors, {"numbers": numbers, "param_groups": to_json(state["param_groups"])}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, rest: dict[str, Any]) -> None:
    """The reverse of `optimizer_state`."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**rest["numbers"], **tensors}.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = sharding.cut(value, parameters[int(index)])
    optimizer.load_state_dict({"state": state, "param_groups": from_json(rest["param_groups"])})


def to_json(value: Any) -> Any:
    """Make tuples, counters and integer keys survive JSON; schedules and parameter groups hold them."""
    if isinstance(value, tuple):
        return {"__tuple__": [to_json(entry) for entry in value]}
    if isinstance(value, Counter):
        return {"__counter__": [[key, count] for key, count in value.items()]}
    if isinstance(value, dict):
        return {"__items__": [[key, to_json(entry)] for key, entry in value.items()]}
    if isinstance(value, list):
        return [to_json(entry) for entry in value]
    if isinstance(value, torch.Tensor):
        return to_json(value.item())
    return value


def from_json(value: Any) -> Any:
    """The reverse of `to_json`."""
    if isinstance(value, list):
        return [from_json(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "__tuple__" in value:
        return tuple(from_json(entry) for entry in value["__tuple__"])
    if "__counter__" in value:
        return Counter(dict(value["__counter__"]))
    return {key: from_json(entry) for key, entry in value["__items__"]}


def _separate(tensors: Tensors) -> Tensors:
    """Contiguous copies where tensors share memory (tied weights), which safetensors refuses to write."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        shared = tensor.untyped_storage().data_ptr() in seen
        seen.add(tensor.untyped_storage().data_ptr())
        separate[name] = tensor.detach().clone() if shared else tensor.detach().contiguous()
    return separate


def _sync(path: Path) -> None:
    """fsync a file or a folder: without it a rename can reach the disk before the bytes it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
