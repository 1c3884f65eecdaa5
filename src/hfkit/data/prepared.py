"""Prepared splits are kept, and an earlier run's are taken again where nothing that makes them has changed.

Reading, comparing and splitting 25,000 reviews takes two seconds, and a second run would do it all again. Here the name
of what is kept is a hash of everything that splits come from: each byte of the source and of its card, every option,
the versions of the libraries and the source of hfkit. Only texts of a file, a folder of files or an embedded data set
are kept; what comes from the Hub is not ours to hash, and pictures are read where they lie.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base import hardware
from hfkit.base.processes import is_first
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard, known_cards
from hfkit.data.readers import SUFFIXES
from hfkit.data.sources.embedded import embedded_file
from hfkit.data.vision.pictures import reads_images

if TYPE_CHECKING:
    from hfkit.data.summary import LoadedData

FEWEST = 1000
"""Rows below which reading is as fast as looking: they are not kept."""

SUMMARY = b"hfkit_summary"


def key(arguments: DataArguments, problem_type: str, task: str | None) -> str | None:
    """The hash of everything that decides what `load_data` answers; None for what is not kept."""
    files = _files(arguments.dataset.strip()) if task is not None and not reads_images(task) else []
    if not files:
        return None
    from hfkit.base import table_cache

    options = {entry.name: getattr(arguments, entry.name) for entry in dataclasses.fields(DataArguments)}
    facts = {"options": options, "problem_type": problem_type, "versions": hardware.versions()}
    facts["source"] = table_cache.source_digest()
    found = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    try:
        for path in files:
            with path.open("rb") as file:
                found.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    except OSError:
        return None  # reading it says what is wrong with it
    return found.hexdigest()[:40]


def read(name: str | None) -> "LoadedData | None":
    """The splits kept under `name`, with their summary; None where there are none."""
    from datasets import Dataset

    from hfkit.base import table_cache
    from hfkit.data.summary import DataSummary, LoadedData

    table = table_cache.read(name) if name else None
    if table is None:
        return None
    summary = DataSummary.from_json(json.loads(table.schema.metadata[SUMMARY]))
    data, begin = LoadedData(), 0
    for split, found in summary.splits.items():
        data[split] = Dataset(table.slice(begin, found["rows"]), fingerprint=f"{name}-{split}")
        begin += found["rows"]
    data.summary = summary
    return data


def write(name: str | None, data: "LoadedData", unchanged: bool) -> None:
    """Keep splits under `name`. `unchanged`: the source is still what it was when the name was made of it."""
    import pyarrow as pa

    from hfkit.base import table_cache

    rows = sum(len(split) for split in data.values())
    if name is None or not unchanged or rows < FEWEST or not is_first():
        return
    table = pa.concat_tables([split.with_format("arrow")[:] for split in data.values()])
    features = data["train"].features.arrow_schema.metadata
    summary: dict[Any, Any] = {SUMMARY: json.dumps(data.summary.to_json()).encode()}
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
