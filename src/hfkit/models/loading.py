"""Reading models: a folder's config, weights and tokenizer, with every failure in plain words."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json_file
from hfkit.models import inspection
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.freezing import in_head
from hfkit.models.adapting.lora import put_adapter, read_adapter
from hfkit.models.inspection import first_line
from hfkit.models.names import check_folder, locate
from hfkit.tasks import discover
from hfkit.tasks.spec import TaskSpec

Built = tuple[PreTrainedModel, Any, list[str]]
"""A model, its tokenizer or image processor, and the parameters that no checkpoint has filled."""


def load_model(path: str | Path, revision: str | None = None, trust_remote_code: bool = False) -> tuple[Any, Any]:
    """A finished model and its tokenizer or image processor, in float32 and ready to answer (`eval()`).

    `path` is a folder, a run directory, an adapter's folder, which comes as a PeftModel on its base, `demo:minilm` or a
    Hub id, of which `revision` is a commit, tag or branch. What it is a model for, its folder says
    (`hfkit.tasks.discover`). Only safetensors are read; with `trust_remote_code` Python code that the folder ships is
    run. Raises HfkitError: there is no model, no weights, no tokenizer or no base, or the head was never trained."""
    folder = locate(path, revision, code=trust_remote_code)
    if (folder / "adapter_config.json").is_file():
        from hfkit.models.adapting.adapters import load_base

        base, processor = load_base(folder, path)
        model, spec = put_adapter(base, folder), task_of(folder)
    else:
        spec = task_of(folder)
        check, weights, read_processor = ways(spec)
        check(folder, path)
        config = read_config(folder, path, trust_remote_code)
        if spec is None:
            built_as = (config.architectures or [config.model_type])[0]
            what = f"{path} is a {built_as}, not fine-tuned for any task ({', '.join(discover.names())})"
            raise HfkitError(what, where=str(folder), fix=f"fine-tune it first: hfkit train --model {path}")
        model, new = weights(folder, config, trust_remote_code)
        if new:
            what = f"{path} is not fine-tuned: it has no weights for {', '.join(new[:3])}"
            raise HfkitError(what, where=str(folder), fix=f"train it first: hfkit train --model {path}")
        processor = read_processor(folder, config, trust_remote_code)
    if opened := spec and spec.offers("models", "opened"):
        opened(model, processor, path)
    return model.eval(), processor


def task_of(folder: Path) -> TaskSpec | None:
    """The task that what the folder holds is for; of an adapter that does not say, its base's."""
    found = discover.of_folder(folder)
    if found is None and (folder / "adapter_config.json").is_file():
        found = discover.of_folder(locate(*read_adapter(folder)))
    return found


def ways(spec: TaskSpec | None) -> tuple[Callable[..., None], Callable[..., Any], Callable[..., Any]]:
    """How a task's folder is checked, its weights are read and its processor: its own ways, else those of texts."""

    def read_texts(folder: Path, config: PreTrainedConfig, trust_remote_code: bool = False) -> Any:
        tokenizer = read_tokenizer(folder, config.name_or_path or folder, trust_remote_code)
        inspection.check_vocabulary(tokenizer, config, folder)
        return tokenizer

    if spec is None:
        return check_folder, read_weights, read_texts
    weights = partial(read_weights, auto_model=getattr(transformers, spec.auto_model), unread=spec.unread)
    check, read_processor = spec.offers("models", "check_folder"), spec.offers("models", "read_processor")
    return check or check_folder, weights, read_processor or read_texts


def write_beside(folder: Path, model: Any) -> None:
    """Write what a model's task has beside the weights, for libraries that open the folder by it."""
    spec = discover.of_model(model)
    if beside := spec and spec.offers("models", "save_beside"):
        beside(folder, model.config)


def read_config(folder: Path, name: str | Path, trust_remote_code: bool = False) -> PreTrainedConfig:
    """The folder's config. Raises HfkitError: it asks for Python code of its own or for what no model has
    (`check_config`), or transformers does not know the architecture."""
    inspection.check_config(read_json_file(folder / "config.json"), f"{folder}/config.json")
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
        if config.model_type == "timm_wrapper" and config.model_args:
            config.model_args.pop("num_classes", None)  # timm's own save has it twice, and transformers refuses that
        return config
    except Exception as error:  # each architecture checks its fields in its own way
        if "trust_remote_code" in str(error):
            fix = "read the code, and if you trust it add --trust_remote_code"
            raise HfkitError(f"{name} runs Python code of its own", where=str(folder), fix=fix) from error
        raise HfkitError(f"the config of {name} cannot be read: {first_line(error)}", where=str(folder)) from error


def read_tokenizer(folder: Path, name: str | Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The folder's tokenizer. Raises HfkitError: there is none, it asks for Python code of its own, or its library is
    not installed."""
    inspection.check_texts(folder)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
        inspection.check_tokenizer(tokenizer)
    except Exception as error:  # each tokenizer library fails in its own way
        if any(folder.glob("tokenizer*")):
            what = f"the tokenizer of {name} cannot be read: {first_line(error)}"
            raise HfkitError(what, where=str(folder)) from error
        raise _no_tokenizer(folder, name) from error
    # Without its files a class may open as an empty tokenizer; those of bytes and characters have none.
    files = {"tokenizer.json", *type(tokenizer).vocab_files_names.values()}
    if type(tokenizer).vocab_files_names and not any((folder / file).is_file() for file in files):
        raise _no_tokenizer(folder, name)
    return tokenizer


def _no_tokenizer(folder: Path, name: str | Path) -> HfkitError:
    fix = "save the tokenizer beside the model: tokenizer.save_pretrained(folder)"
    return HfkitError(f"{name} has no tokenizer that transformers opens", where=str(folder), fix=fix)


def read_weights(
    folder: Path,
    config: PreTrainedConfig,
    trust_remote_code: bool = False,
    fewer_layers: bool = False,
    auto_model: Any = transformers.AutoModelForSequenceClassification,
    unread: tuple[str, ...] = (),
) -> tuple[PreTrainedModel, list[str]]:
    """A model of the shape that `config` says, filled with the folder's weights, in float32; or, where the config is
    marked so (`hfkit.models.adapting.four_bit`), with its matrices in four bits.

    The weights are those of a model of this kind, or of its backbone alone; a `PooledConfig` on a folder that holds the
    bare backbone makes a new head. With `fewer_layers` the user asks for fewer than the folder has weights for. Returns
    the model, and the names of the parameters that the folder lacked and that start at random, but for those whose
    names begin with one of `unread`, which nothing reads. Raises HfkitError: the weights are damaged, of other sizes,
    for other layers, of another architecture, or more than this machine can hold."""
    inspection.check_shards(folder)
    model, info = _opened(folder, config, auto_model, trust_remote_code)
    unused = _unused_layers(model, info)
    if unused and not fewer_layers:
        what = f"config.json asks for fewer layers than there are weights: {unused[0]} has no place"
        fix = "restore config.json; to leave layers out, say so with --model_args"
        raise HfkitError(what, where=str(folder), fix=fix)
    new = _new_parameters(model, info, folder)
    if four_bit.is_four_bit(config) and (lacked := [name for name in new if not in_head(model, name)]):
        what = f"the weights lack {lacked[0]}, and four bits cannot start at random"
        fix = "leave it out; or choose a model whose weights are all there"
        raise HfkitError(what, where="--load_in_4bit", fix=fix)
    return model, [name for name in new if not name.startswith(unread)]


def _opened(
    folder: Path, config: PreTrainedConfig, auto_model: Any, code: bool
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """What `from_pretrained` makes of the folder, and what it tells of the weights."""
    options: dict[str, Any] = {
        "use_safetensors": True,
        "dtype": "float32",
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # read later: a head of another size is new, anything else is an error
        "trust_remote_code": code,
    }
    try:
        with quiet():
            inspection.check_memory(auto_model, config, trust_remote_code=code)
            if four_bit.is_four_bit(config):
                options |= four_bit.options(auto_model, config, trust_remote_code=code)
            model, info = auto_model.from_pretrained(folder, config=config, **options)
            if four_bit.is_four_bit(config):
                four_bit.settle(model)
            _say_untied(model)
            return model, info
    except HfkitError:
        raise
    except Exception as error:  # each architecture, and safetensors, fails in its own way
        damaged = type(error).__name__ == "SafetensorError"
        what = f"the weights {'are damaged' if damaged else 'cannot be read'}: {first_line(error)}"
        raise HfkitError(what, where=str(folder), fix="fetch or copy the file again" if damaged else None) from error


def _say_untied(model: PreTrainedModel) -> None:
    """Have the config say that an output layer of its own is no copy of the token vectors, where the weights hold both:
    transformers 5 reads every T5 as tied, and would tie them at the next occasion."""
    first, second = (getattr(end, "weight", None) for end in inspection.token_ends(model))
    if not getattr(model.config, "tie_word_embeddings", False) or first is None or second is None or first is second:
        return
    if first.shape != second.shape or not torch.equal(first, second):
        model.config.tie_word_embeddings = False


def _unused_layers(model: PreTrainedModel, info: dict[str, Any]) -> list[str]:
    """Weights that were left out although the model has others of the kind: layer.7.x where it has layer.0.x."""
    numbered = re.compile(r"(?<=\.)\d+(?=\.)")
    known = {name.removeprefix(f"{model.base_model_prefix}.") for name, _ in model.named_parameters()}
    left = sorted(name for name in info["unexpected_keys"] if numbered.search(name))
    return [name for name in left if numbered.sub("0", name, 1).removeprefix(f"{model.base_model_prefix}.") in known]


def _new_parameters(model: PreTrainedModel, info: dict[str, Any], folder: Path) -> list[str]:
    """Names of the parameters that the folder lacked. Refuses a backbone of other sizes, or of another model."""
    mismatched = {entry[0] if isinstance(entry, tuple) else entry for entry in info["mismatched_keys"]}
    wrong = sorted(name for name in mismatched if not in_head(model, name))
    if wrong:
        what = f"{len(wrong)} weights have another size than the config says, {wrong[0]} the first"
        raise HfkitError(what, where=str(folder), fix="take the sizes in --model_args back: they belong to the weights")
    names = dict(model.named_parameters())
    new = sorted(name for name in set(info["missing_keys"]) | mismatched if name in names)
    backbone = [name for name in names if not in_head(model, name)]
    if backbone and set(backbone) <= set(new):
        what = f"none of the weights belongs to a {model.config.model_type}: config.json and weights do not fit"
        raise HfkitError(what, where=str(folder))
    return new


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own table of missing weights and its progress bars: hfkit says it in one line."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
