"""Encoded rows are kept, and an earlier run's are taken again where nothing that makes them has changed.

`datasets.map` goes by a fingerprint of the function, and has answered with another tokenizer's tokens. Here the name
of a file is a hash of everything that tokens come from: each row's content, the tokenizer's whole definition, the
task's settings, the versions of the libraries and the source of hfkit's tasks. What is read is checked three times:
the file against its own hash, the number of its rows, and some rows against what the tokenizer says now.
"""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from datasets import Dataset, DatasetDict

from hfkit import hardware
from hfkit import tasks as tasks_package

if TYPE_CHECKING:
    from accelerate import Accelerator

    from hfkit.tasks import Task

FEWEST = 1000
"""Rows below which a tokenizer is as fast as a disk: they are not kept."""

LIMIT = 4 * 2**30
"""Bytes that are kept in all; what was not used for the longest time goes first. No split may take a quarter."""

PROBES = 8
"""Rows that are encoded anew to check what was kept."""


def folder() -> Path:
    """Where encoded rows are kept: hfkit/encoded in the Hub's home (HF_HOME), which is the user's own."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "hfkit" / "encoded"


def encode_splits(
    task: "Task", data: DatasetDict, processor: Any, accelerator: "Accelerator", reuse: bool = True
) -> DatasetDict:
    """Every split as the model reads it; on the screen, which of them an earlier run has encoded."""
    if not reuse:
        return DatasetDict({name: task.encode(split, processor) for name, split in data.items()})
    found = {name: encode(task, split, processor, accelerator.is_main_process) for name, split in data.items()}
    if again := [name for name, (_, kept) in found.items() if kept]:
        accelerator.print(f"tokens of {', '.join(again)}: an earlier run's, from {folder()}")
    return DatasetDict({name: rows for name, (rows, _) in found.items()})


def encode(task: "Task", split: Dataset, processor: Any, write: bool = True) -> tuple[Dataset, bool]:
    """`task.encode(split, processor)`, from an earlier run where that is certain to be the same.

    Args:
        task: For the model.
        split: Not encoded.
        processor: A tokenizer. Others, and slow tokenizers, whose definition cannot be hashed, keep nothing.
        write: Keep what had to be made. A disk that refuses costs the next run its time, and this one nothing.

    Returns:
        The encoded rows, and whether an earlier run made them.
    """
    if len(split) < FEWEST or not hasattr(processor, "backend_tokenizer"):
        return task.encode(split, processor), False
    name = key(task, split, processor)
    kept = _read(name)
    if kept is not None and len(kept) and _same(task, split, processor, kept):
        return kept, True
    made = task.encode(split, processor)
    if write:
        _write(name, made)
    return made, False


def key(task: "Task", split: Dataset, processor: Any) -> str:
    """The hash of everything that decides what `task.encode` answers."""
    definition = json.loads(processor.backend_tokenizer.to_str())
    for state in ("truncation", "padding"):  # what the last call left, and the next one sets
        definition.pop(state, None)
    facts = {
        "task": task.settings(),
        "tokenizer": [type(processor).__qualname__, definition, processor.model_input_names],
        "special": {name: str(value) for name, value in processor.special_tokens_map.items()},
        "reading": [str(getattr(processor, name, None)) for name in ("chat_template", "padding_side")],
        "features": str(split.features),
        "versions": {name: hardware.versions().get(name) for name in ("transformers", "tokenizers", "datasets")},
    }
    found = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for source in sorted(Path(tasks_package.__file__).parent.glob("*.py")):
        found.update(source.read_bytes())
    for batch in split.with_format("arrow")[:].to_batches(max_chunksize=10_000):
        found.update(batch.serialize())
    return found.hexdigest()[:40]


def _read(name: str) -> Dataset | None:
    """The rows kept under `name`, in a file whose name ends with its own hash; None where there are none, or damaged
    ones."""
    for path in folder().glob(f"{name}-*.arrow"):
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if path.stem.endswith(f"-{digest[:40]}"):
                os.utime(path)
                # Mapped, not read. As a data set "in memory" it has no cache of its own beside the file.
                table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
                return Dataset(table, fingerprint=name)
            path.unlink()
        except (OSError, pa.ArrowException, ValueError):
            continue
    return None


def _same(task: "Task", split: Dataset, processor: Any, kept: Dataset) -> bool:
    """Whether some rows, encoded now, are those that were kept.

    It also leaves the tokenizer as encoding all rows would: a call sets its truncation, which is saved with the model.
    """
    places = sorted({round(at * (len(split) - 1) / (PROBES - 1)) for at in range(PROBES)})
    now = task.encode(split.select(places), processor)
    if len(now) != len(places) or len(kept) != len(split):
        return False  # packed or cut into others: nothing says which rows belong together
    return bool(kept.features == now.features and kept.select(places).to_dict() == now.to_dict())


def _write(name: str, made: Dataset) -> None:
    """Keep the rows, in one rename, if the disk lets us."""
    place = folder()
    staged = place / f"{name}.{os.getpid()}.tmp"
    try:
        table = made.with_format("arrow")[:]
        if table.nbytes > LIMIT // 4:
            return
        place.mkdir(parents=True, exist_ok=True)
        _make_room(place, table.nbytes)
        table = table.replace_schema_metadata(made.features.arrow_schema.metadata)
        with pa.OSFile(str(staged), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        with staged.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        staged.replace(place / f"{name}-{digest[:40]}.arrow")
    except (OSError, pa.ArrowException):
        with contextlib.suppress(OSError):
            staged.unlink()


def _make_room(place: Path, size: int) -> None:
    """Delete what was used longest ago until `size` bytes fit below the limit; and what a kill left a day ago."""
    for staged in place.glob("*.tmp"):
        if time.time() - staged.stat().st_mtime > 86_400:
            staged.unlink(missing_ok=True)
    files = sorted(((path.stat(), path) for path in place.glob("*.arrow")), key=lambda found: found[0].st_mtime)
    total = size + sum(status.st_size for status, _ in files)
    for status, path in files:
        if total <= LIMIT:
            break
        path.unlink(missing_ok=True)
        total -= status.st_size
