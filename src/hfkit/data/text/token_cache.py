"""Encoded rows are kept, and an earlier run's are taken again where nothing that makes them has changed.

`datasets.map` goes by a fingerprint of the function, and has answered with another tokenizer's tokens. Here the name is
a hash of all that tokens come from: rows, tokenizer, settings, versions and hfkit's source. What is read is checked by
the file's own hash, the number of its rows, and some rows against what the tokenizer says now. What texts lose in their
tokens is counted here too.
"""

import hashlib
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset, DatasetDict
from pyarrow.compute import list_flatten
from transformers import PreTrainedTokenizerBase

from hfkit.base import hardware, table_cache
from hfkit.data.tables.table import counted

if TYPE_CHECKING:
    from accelerate import Accelerator

    from hfkit.tasks import Task

FEWEST = 300  # rows below which a tokenizer is as fast as a disk: they are not kept
PROBES = 8  # rows that are encoded anew to check what was kept
MUCH = 0.1  # share from which the tokenizer does not know the texts' script


def encode_splits(
    task: "Task", data: DatasetDict, processor: Any, accelerator: "Accelerator", reuse: bool = True
) -> DatasetDict:
    """Every split as the model reads it; on the screen, which of them an earlier run has encoded."""
    if not reuse:
        return DatasetDict({name: task.encode(split, processor) for name, split in data.items()})
    reader, write = reader_digest(task, processor), accelerator.is_main_process
    found = {name: encode(task, split, processor, write, reader) for name, split in data.items()}
    if again := [name for name, (_, kept) in found.items() if kept]:
        accelerator.print(f"tokens of {', '.join(again)}: an earlier run's, from {table_cache.folder()}")
    return DatasetDict({name: rows for name, (rows, _) in found.items()})


def encode(
    task: "Task", split: Dataset, processor: Any, write: bool = True, reader: str | None = None
) -> tuple[Dataset, bool]:
    """`task.encode(split, processor)`, from an earlier run where that is certain to be the same, and whether it was.
    What had to be made is kept if this process may `write`; `reader` is `reader_digest(task, processor)`, where it is
    known already. Slow tokenizers, whose definition cannot be hashed, and what is no tokenizer keep nothing."""
    reader = reader or reader_digest(task, processor)
    if len(split) < FEWEST or reader is None:
        return task.encode(split, processor), False
    name = key(split, reader)
    table = table_cache.read(name)
    # As a data set "in memory" it has no cache of its own beside the file.
    kept = None if table is None else Dataset(table, fingerprint=name)
    if kept is not None and len(kept) and _same(task, split, processor, kept):
        return kept, True
    made = task.encode(split, processor)
    if write and len(made) == len(split):  # what is cut into other rows could not be checked, and so not be taken
        features = made.features.arrow_schema.metadata
        table_cache.write(name, made.with_format("arrow")[:].replace_schema_metadata(features))
    return made, False


def lost(
    accelerator: "Accelerator", task: "Task", data: DatasetDict, encoded: DatasetDict, processor: Any
) -> dict[str, dict[str, Any]]:
    """What the model will not see of each split's texts, on the screen and for run.json: `task.truncation`, and of a
    tokenizer `lost_in_tokens`; and whatever else is to be said of how they are read."""
    found = {}
    for name, split in encoded.items():
        cut = found[name] = task.truncation(split) | lost_in_tokens(processor, data[name], split)
        for note in cut.get("notes", []):
            accelerator.print(f"{name}: {note}")
        if cut["rows"]:
            texts = f"{counted(cut['rows'], 'text')} ({cut['share']:.1%})"
            way = f" (--long_text {cut['long_text']})" if "long_text" in cut else ""
            accelerator.print(f"{name}: {texts} cut to {cut['max_length']} tokens{way}")
        if cut.get("unknown") or cut.get("equal"):
            equal = f"{counted(cut['equal'], 'different text')} ({cut['equal_share']:.1%})"
            unknown = f"{cut['unknown']:.2%} of the tokens are unknown to the tokenizer"
            accelerator.print(f"{name}: {unknown}; {equal} became the tokens of another one")
    if any(max(cut.get("unknown", 0), cut.get("equal_share", 0)) > MUCH for cut in found.values()):
        accelerator.print(
            "warning: the tokenizer does not know what these texts are written in. Choose a model that does, such as"
            " --model FacebookAI/xlm-roberta-base, or --model google/mt5-small where texts are to be written"
        )
    return found


def reader_digest(task: "Task", processor: Any) -> str | None:
    """The hash of everything but the rows that decides what `task.encode` answers; None for what cannot be hashed."""
    if not hasattr(processor, "backend_tokenizer"):
        return None
    definition = json.loads(processor.backend_tokenizer.to_str())
    for state in ("truncation", "padding"):  # what the last call left, and the next one sets
        definition.pop(state, None)
    reading = ("chat_template", "padding_side", "split_special_tokens")
    facts = {
        "task": task.settings(),
        "tokenizer": [type(processor).__qualname__, definition, processor.model_input_names],
        "special": {name: str(value) for name, value in processor.special_tokens_map.items()},
        "reading": [str(getattr(processor, name, None)) for name in reading],
        "versions": {name: hardware.versions().get(name) for name in ("transformers", "tokenizers", "datasets")},
        "source": table_cache.source_digest(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def key(split: Dataset, reader: str) -> str:
    """The hash of a split's rows and of what reads them."""
    found = hashlib.sha256(f"{reader} {split.features}".encode())
    for batch in split.with_format("arrow")[:].to_batches(max_chunksize=10_000):
        found.update(batch.serialize())
    return found.hexdigest()[:40]


def _same(task: "Task", split: Dataset, processor: Any, kept: Dataset) -> bool:
    """Whether some rows, encoded now, are those that were kept. It also leaves the tokenizer as encoding all rows
    would: a call sets its truncation, which is saved with the model."""
    places = sorted({round(at * (len(split) - 1) / (PROBES - 1)) for at in range(PROBES)})
    now = task.encode(split.select(places), processor)
    if len(now) != len(places) or len(kept) != len(split):
        return False  # packed or cut into others: nothing says which rows belong together
    return bool(kept.features == now.features and kept.select(places).to_dict() == now.to_dict())


def lost_in_tokens(processor: PreTrainedTokenizerBase, split: Dataset, encoded: Dataset) -> dict[str, Any]:
    """What is lost of a split's texts, whatever their length, by the same rows as the task has `encoded` them.

    `unknown` is the share of the texts' tokens that are the unknown token; `equal` and `equal_share` tell of different
    texts that became the tokens of another one. Texts that differ in case or spaces alone, which many tokenizers mean
    to lose, count as one; those that were cut are left out. Nothing is told of what has no tokens."""
    if "input_ids" not in encoded.column_names:
        return {}
    ids = flat(encoded, "input_ids")
    roles = {getattr(processor, f"{role}_token_id") for role in ("bos", "eos", "pad", "cls", "sep", "mask")}
    unknown = None if processor.unk_token_id in roles else processor.unk_token_id  # GPT-2's is its end token
    special = sorted(set(processor.all_special_ids) - {unknown})
    written = ids.size - np.isin(ids, special).sum()
    share = 0.0 if unknown is None else float((ids == unknown).sum() / max(written, 1))
    equal, texts = _equal(split, encoded, ids) if "text" in split.column_names else (0, 0)
    return {"unknown": share, "equal": equal, "equal_share": equal / max(texts, 1)}


def flat(encoded: Dataset, name: str) -> np.ndarray:
    """The numbers in a column of all rows, one after the other, such as token ids."""
    column = encoded.with_format("arrow")[:][name]
    while column.type.num_fields:  # lists of numbers; of lists, for windows
        column = list_flatten(column)
    return np.asarray(column)


def _equal(split: Dataset, encoded: Dataset, ids: np.ndarray) -> tuple[int, int]:
    """Different texts that share their tokens with another one, and all different texts."""
    lengths = np.asarray(encoded["length"][:], dtype=np.int64)
    if len(split) != len(encoded) or lengths.sum() != ids.size:
        return 0, 0  # a language model's rows, which keep every text apart
    ends = np.cumsum(lengths)
    texts = [split[name][:] for name in ("text", "text_pair") if name in split.column_names]
    found: dict[int, set[int]] = defaultdict(set)
    for row, cut in enumerate(encoded["truncated"][:]):
        if not cut:
            words = [" ".join((column[row] or "").casefold().split()) for column in texts]
            found[hash(ids[ends[row] - lengths[row] : ends[row]].tobytes())].add(hash(tuple(words)))
    sizes = [len(same) for same in found.values()]
    return sum(size for size in sizes if size > 1), sum(sizes)
