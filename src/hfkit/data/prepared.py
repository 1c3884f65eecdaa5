"""Prepared splits are kept, and an earlier run's are taken again where nothing that makes them has changed.

Their name is a hash of all that splits come from: each byte of the source and of its card, every option, the versions
of the libraries and the source of hfkit. What comes from the Hub is not ours to hash; pictures are read where they lie.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Dataset

from hfkit.base import atomic, hardware, table_cache
from hfkit.base.processes import is_first
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard, known_cards
from hfkit.data.readers import SUFFIXES
from hfkit.data.sources.embedded import embedded_file
from hfkit.data.summary import DataSummary, LoadedData
from hfkit.data.vision.pictures import reads_images

FEWEST = 1000  # rows below which reading is as fast as looking: they are not kept
SUMMARY = b"hfkit_summary"


def key(arguments: DataArguments, problem_type: str, task: str | None) -> str | None:
    """The hash of everything that decides what `load_data` answers; None for what is not kept."""
    files = _files(arguments.dataset.strip()) if task is not None and not reads_images(task) else []
    if not files:
        return None
    options = {entry.name: getattr(arguments, entry.name) for entry in dataclasses.fields(DataArguments)}
    facts = {"options": options, "problem_type": problem_type, "versions": hardware.versions()}
    facts["source"] = table_cache.source_digest()
    found = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    try:
        for path in files:
            found.update(f"{path.name} {atomic.digest(path)['sha256']}\n".encode())
    except OSError:
        return None  # reading it says what is wrong with it
    return found.hexdigest()[:40]


def read(name: str | None) -> LoadedData | None:
    """The splits kept under `name`, with their summary; None where there are none."""
    table = table_cache.read(name) if name else None
    if table is None:
        return None
    summary = DataSummary(**json.loads(table.schema.metadata[SUMMARY]))
    data, begin = LoadedData(), 0
    for split, found in summary.splits.items():
        data[split] = Dataset(table.slice(begin, found["rows"]), fingerprint=f"{name}-{split}")
        begin += found["rows"]
    data.summary = summary
    return data


def write(name: str | None, data: LoadedData, unchanged: bool) -> None:
    """Keep splits under `name`. `unchanged`: the source is still what it was when the name was made of it."""
    rows = sum(len(split) for split in data.values())
    if name is None or not unchanged or rows < FEWEST or not is_first():
        return
    table = pa.concat_tables([split.with_format("arrow")[:] for split in data.values()])
    features = data["train"].features.arrow_schema.metadata
    summary: dict[Any, Any] = {SUMMARY: json.dumps(dataclasses.asdict(data.summary)).encode()}
    table_cache.write(name, table.replace_schema_metadata(features | summary))


def _files(dataset: str) -> list[Path]:
    """The files that `open_source` reads for this name, and its card; none for other sources."""
    cards = known_cards()
    if dataset.startswith("demo:"):
        card = cards.get(dataset.removeprefix("demo:"))
        described = DataCard.read(card) if card else None
        return [card, embedded_file(described)] if card and described and described.embedded else []
    if not dataset or dataset in cards:
        return []
    path = Path(dataset).expanduser()
    try:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [file for file in inside if file.suffix.lower() in SUFFIXES and file.is_file()]
    except OSError:
        return []
