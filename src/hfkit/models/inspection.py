"""What a model's folder claims and asks for, looked at before any library acts on it."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.base.processes import is_first
from hfkit.base.sanitize import flat, line
from hfkit.base.untrusted import read_json_file

LARGEST_TEXT = 200_000_000  # bytes of a JSON or vocabulary file; the largest tokenizers have 40 MB

# A model of no width, layers or words is none; the names are those of transformers' families.
_AT_LEAST_ONE = re.compile(
    "(num|n|encoder)(_hidden|_encoder|_decoder)?_(layers?|blocks)|(num|n)(_attention)?_heads?|(hidden|intermediate|vocab)_size"
    "|d_model|n_embd|dim|n_positions|max_position_embeddings|num_labels"
)
# Each costs time, not only memory: a billion layers are built one by one.
_AT_MOST = {"layers?$|blocks$|experts$|depth": 1000, "num_labels": 1_000_000}


def check_config(config: Any, place: str) -> None:
    """Refuse a config that no model has, or that decides what is the user's to decide. Raises HfkitError: no object, a
    size below 1 or beyond any model; consent to run code, a kernel or weights to fetch from elsewhere."""
    if not isinstance(config, dict):
        raise HfkitError(f"config.json holds {type(config).__name__}, not an object", where=place)
    for key, kind in {"architectures": list, "id2label": dict, "model_type": str}.items():
        if not isinstance(config.get(key, kind()), kind | None):
            raise HfkitError(f"{key} is {config[key]!r}, which is no {kind.__name__}", where=place)
    for key, value in _entries(config):
        check_size(key, value, place)
        own_code = key == "trust_remote_code" and value
        # A value such as sdpa is a name of transformers' own; one with a slash is fetched from the Hub, and run.
        kernel = "_implementation" in key and "/" in str(value)
        elsewhere = key == "transformers_weights" and not re.fullmatch(r"[\w.-]+\.safetensors", str(value))
        # timm would unpickle the one, and fetch the other.
        timms = key == "checkpoint_path" or (key == "architecture" and not re.fullmatch(r"[\w.]*", str(value)))
        if own_code or kernel or elsewhere or timms:
            what = f"config.json sets {key} to {value!r}, which is not for a model to decide"
            raise HfkitError(what, where=place, fix="take the line out, and read what else the folder asks for")


def _entries(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values, those of the configs inside too."""
    waiting = [config]
    while waiting:
        for key, value in waiting.pop().items():
            yield key, value
            if isinstance(value, dict):
                waiting.append(value)


def check_size(key: str, value: Any, place: str) -> None:
    """Refuse a whole number that no model has in the field `key`."""
    if not isinstance(value, int) or isinstance(value, bool):
        return
    most = next((most for name, most in _AT_MOST.items() if re.search(name, key)), 2**31 - 1)
    if value > most or (value < 1 and _AT_LEAST_ONE.fullmatch(key)):
        raise HfkitError(f"{key} is {value}, and no model has that", where=place)


def check_shards(folder: Path) -> None:
    """Refuse an index that leads out of the folder, or to files that are not safetensors: those would be unpickled."""
    for path in folder.glob("*.safetensors.index.json"):
        index = read_json_file(path, LARGEST_TEXT)
        shards = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(shards, dict) or not isinstance(index.get("metadata"), dict):
            raise HfkitError("The index of the weights has no weight_map and metadata", where=str(path))
        for shard in set(map(str, shards.values())):
            if not re.fullmatch(r"[\w.-]+\.safetensors", shard):
                fix = "hfkit reads safetensors of the model's own folder; others can run code"
                raise HfkitError(f"The weights are said to be in {shard!r}", where=str(path), fix=fix)
            if not (folder / shard).is_file():
                raise HfkitError(f"The weights lack {shard}", where=str(path), fix="fetch or copy the folder again")


def check_texts(folder: Path) -> None:
    """Refuse tokenizer and config files that are larger than any, before a parser takes them into memory."""
    for path in folder.glob("*"):
        if path.suffix in (".json", ".txt", ".model", ".jinja") and path.stat().st_size > LARGEST_TEXT:
            size = path.stat().st_size
            raise HfkitError(f"The file has {size:,} bytes; none of its kind has {LARGEST_TEXT:,}", where=str(path))


def check_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Try a tokenizer on a word that it cannot know, and refuse chat templates that are saved outside their folder."""
    tokenizer("a word, \ue000", verbose=False)
    templates = getattr(tokenizer, "chat_template", None)
    bad = [name for name in templates if not re.fullmatch(r"\w+", str(name))] if isinstance(templates, dict) else []
    if bad:
        raise ValueError(f"a chat template is called {bad[0]!r}")


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, folder: Path) -> None:
    """Refuse a tokenizer with ids that the model has no vector for: an index error here, garbage on some devices."""
    size = getattr(getattr(config, "backbone_config", None) or config, "vocab_size", None)
    largest = max(tokenizer.get_vocab().values(), default=0) if tokenizer.is_fast else 0
    if size is not None and largest >= size:
        what = f"The tokenizer has ids up to {largest:,}, and the model knows {size:,} words"
        fix = "save the tokenizer that belongs to the model, or the model with its embeddings resized"
        raise HfkitError(what, where=str(folder), fix=fix)


def check_memory(auto_model: Any, config: PreTrainedConfig, **options: Any) -> None:
    """Refuse a model that this machine cannot hold in float32; counted on the meta device, where nothing has bytes."""
    with torch.device("meta"):
        model = auto_model.from_config(config, **options)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if 4 * parameters > memory:
        asked = f"{parameters:,} parameters, {4 * parameters >> 30:,} GB in float32"
        what = f"the config asks for {asked}; this machine has {memory >> 30:,} GB"
        raise HfkitError(what, fix="choose a smaller model, or a larger machine")


def say(told: str) -> None:
    """Print once, however many processes build the model."""
    if is_first():
        print(flat(told), flush=True)


def first_line(error: BaseException) -> str:
    """The first line of what a library says, or the error's name."""
    return line(next(iter(str(error).strip().splitlines()), "") or type(error).__name__, 400)


@contextmanager
def refusing(what: str, where: str | None = None, fix: str | None = None, of: Any = Exception) -> Iterator[None]:
    """Around what a library or an architecture does, where each fails in its own way: an HfkitError says `what`, and
    what the library says."""
    try:
        yield
    except of as error:
        raise HfkitError(f"{what}: {first_line(error)}", where=where, fix=fix) from error


@contextmanager
def trial(model: Any) -> Iterator[Any]:
    """The model ready to answer; afterwards it is in the mode in which it was."""
    training = model.training
    try:
        yield model.eval()
    finally:
        model.train(training)


@contextmanager
def readable(described: Callable[[], Iterable[Any]], unit: str = "rows") -> Iterator[None]:
    """A batch on its way through a model: what it refuses is told with the rows that are in it, as `described`. Raises
    HfkitError: the model's forward refused the batch with a ValueError or an IndexError."""
    try:
        yield
    except (ValueError, IndexError) as error:
        what = f"The model cannot read a batch: {first_line(error)}"
        fix = "leave these rows out, or run them one by one to find the one at fault"
        raise HfkitError(what, where=f"{unit} {', '.join(map(str, described()))}", fix=fix) from error


def token_ends(model: Any) -> tuple[Any, Any]:
    """The layer where tokens come in, and the one where they go out; None for what a model of pictures has not."""
    try:
        return model.get_input_embeddings(), model.get_output_embeddings()
    except (NotImplementedError, AttributeError):  # the latter before transformers 5.20
        return None, None
