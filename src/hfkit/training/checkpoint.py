"""Checkpoints: everything that decides the rest of a run, in safetensors and JSON, whole or not there.

One is staged beside its place, each file hashed into `manifest.json` and synced to the disk, and renamed once; what a
kill leaves begins with a dot. Randomness needs no saving: the engine derives each update's seed from (seed, update).
"""

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hfkit.base import atomic
from hfkit.base.errors import HfkitError

if TYPE_CHECKING:
    import torch  # only where tensors are touched: `hfkit runs` looks at files alone

Tensors: TypeAlias = "dict[str, torch.Tensor]"


def save(folder: Path, step: int, tensors: dict[str, Tensors], state: dict[str, Any]) -> Path:
    """Write `folder/step-<step>` atomically: `tensors` (`model`, `optimizer`, `callbacks`) as a safetensors file each,
    `state` as JSON. Raises HfkitError: no space or no right to write. The checkpoints that were there are untouched."""
    from safetensors.torch import save_file

    place = folder / f"step-{step:06d}"
    check_space(place, tensors)
    with atomic.writing(place), atomic.whole_folder(place) as staged:
        for name, content in tensors.items():
            save_file(_separate(content), staged / f"{name}.safetensors")
        # Schedules and parameter groups hold numbers that are tensors, or NumPy's.
        (staged / "state.json").write_text(json.dumps(state, default=lambda one: one.item()), encoding="utf-8")
        (staged / "manifest.json").write_text(json.dumps(atomic.digests(staged), indent=2), encoding="utf-8")
    return place


def check_space(place: Path, tensors: dict[str, Tensors]) -> None:
    """Refuse a disk with less left than the tensors and a MB of JSON take. (A quota is not told.)"""
    needed = sum(tensor.nbytes for content in tensors.values() for tensor in content.values())
    there = next(folder for folder in place.parents if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed + 2**20:
        what = f"{place} needs {needed / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB left"
        raise HfkitError(what, fix="free space, then give the same command again; or set --output_dir to another disk")


def load(place: Path) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """Read a checkpoint back: the tensors by file, and the state."""
    from safetensors.torch import load_file

    tensors = {path.stem: load_file(path) for path in sorted(place.glob("*.safetensors"))}
    return tensors, json.loads((place / "state.json").read_text(encoding="utf-8"))


def newest(folder: Path, hashes: bool = True) -> tuple[Path | None, list[tuple[Path, str]]]:
    """The newest checkpoint that is whole, and each newer one that is not, with what is wrong with it by `damage`."""
    skipped: list[tuple[Path, str]] = []
    for place in reversed(by_step(folder)):
        found = damage(place, hashes)
        if found is None:
            return place, skipped
        skipped.append((place, found))
    return None, skipped


def damage(place: Path, hashes: bool = True) -> str | None:
    """What is wrong with a checkpoint, or None when its files are those of the manifest: to the byte, or without
    `hashes` in their length."""
    try:
        manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        found = atomic.damage(place, manifest, hashes)
        unknown = {path.name for path in place.iterdir()} - manifest.keys() - {"manifest.json"}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        return f"manifest.json cannot be read: {error}"
    if unknown or "state.json" not in manifest:
        return f"manifest.json does not name {', '.join(sorted(unknown)) or 'state.json'}"
    return found[0] if found else None


def prune(folder: Path, limit: int, newest: Path) -> None:
    """Delete the oldest checkpoints beyond `limit`, but for `newest`, the one just written. One of a later step is
    damaged, or the run would have gone on from it: it must not push out a whole one. One that cannot be deleted stays.
    """
    older = [place for place in by_step(folder) if step_of(place) <= step_of(newest)]
    for place in older[: -max(limit, 1)]:
        with suppress(OSError):
            atomic.remove(place)


def sweep(folder: Path) -> None:
    """Delete what a kill left half-written or half-deleted: it takes space, and is never read."""
    for left in folder.glob(".step-*"):
        shutil.rmtree(left, ignore_errors=True)


def by_step(folder: Path) -> list[Path]:
    """All checkpoints, the oldest first; by number, since the millionth update has seven digits."""
    return sorted((place for place in folder.glob("step-*") if place.name[5:].isdigit()), key=step_of)


def step_of(place: Path) -> int:
    """Updates done when the checkpoint was written."""
    return int(place.name.removeprefix("step-"))


def model_state(model: "torch.nn.Module") -> Tensors:
    """The parameters that learn, and the buffers. Frozen parameters are what `build_model` makes them again."""
    frozen = {name for name, parameter in model.named_parameters(remove_duplicate=False) if not parameter.requires_grad}
    # A matrix of four bits keeps its scales beside it, as weight.absmax and the like.
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if not frozen & {name, re.sub(r"(.*\.weight)\..*", r"\1", name)}
    }


def restore_model(model: "torch.nn.Module", tensors: Tensors) -> None:
    """Put saved weights into `model`; an HfkitError where one that learns is not there, or has another shape."""
    from hfkit.models import sharding

    current = model.state_dict()
    placed = {name: sharding.cut(tensor, current.get(name, tensor)) for name, tensor in tensors.items()}
    try:
        missing, unexpected = model.load_state_dict(placed, strict=False)
    except RuntimeError as error:
        raise HfkitError(f"the checkpoint does not fit the model: {error}") from error
    lost = sorted(set(missing) & set(model_state(model))) + sorted(unexpected)
    if lost:
        raise HfkitError(f"the checkpoint and the model do not have the same weights: {', '.join(lost[:5])}")


def optimizer_state(optimizer: "torch.optim.Optimizer") -> tuple[Tensors, dict[str, Any]]:
    """An optimizer's state as tensors named `<parameter>.<entry>`, and the rest as JSON."""
    import torch

    state = optimizer.state_dict()
    entries = {f"{index}.{name}": value for index, own in state["state"].items() for name, value in own.items()}
    tensors = {name: value for name, value in entries.items() if isinstance(value, torch.Tensor)}
    numbers = {name: value for name, value in entries.items() if name not in tensors}
    return tensors, {"numbers": numbers, "param_groups": state["param_groups"]}


def restore_optimizer(optimizer: "torch.optim.Optimizer", tensors: Tensors, rest: dict[str, Any]) -> None:
    """The reverse of `optimizer_state`."""
    from hfkit.models import sharding

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**rest["numbers"], **tensors}.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = sharding.cut(value, parameters[int(index)])
    groups = [
        {name: tuple(value) if isinstance(here.get(name), tuple) else value for name, value in kept.items()}
        for here, kept in zip(optimizer.param_groups, plain(rest["param_groups"]), strict=True)  # JSON has no tuples
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def plain(value: Any) -> Any:
    """What JSON holds, also in older checkpoints, which mark a dict by `__items__` and a tuple by `__tuple__`."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, dict) and "__items__" in value:
        return {key: plain(entry) for key, entry in value["__items__"]}
    return plain(value["__tuple__"]) if isinstance(value, dict) and "__tuple__" in value else value


def _separate(tensors: Tensors) -> Tensors:
    """Contiguous copies where tensors share memory (tied weights), which safetensors refuses to write."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        shared = tensor.untyped_storage().data_ptr() in seen
        seen.add(tensor.untyped_storage().data_ptr())
        separate[name] = tensor.detach().clone() if shared else tensor.detach().contiguous()
    return separate
