"""Reading models: a folder's config, weights and tokenizer, with every failure in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from hfkit.errors import HfkitError
from hfkit.models.freezing import in_head
from hfkit.models.lora import put_adapter
from hfkit.models.names import check_folder, locate


def load_model(
    path: str | Path, revision: str | None = None, trust_remote_code: bool = False
) -> tuple[Any, PreTrainedTokenizerBase]:
    """A finished model and its tokenizer, in float32 and ready to answer (`eval()`).

    An adapter's folder (`adapter_config.json`, with the config of its base beside it) comes as a PeftModel on its
    base, which may be an embedded one (`demo:minilm`). Weights are read from safetensors only, and no code of a
    repository is run.

    Args:
        path: A folder, a run directory, an adapter's folder, `demo:minilm` or a Hub id.
        revision: Commit, tag or branch of a Hub id.
        trust_remote_code: Run Python code that the folder ships.

    Raises:
        HfkitError: There is no model, no weights, no tokenizer or no base, or the head was never trained.
    """
    folder = locate(path, revision)
    if not (folder / "adapter_config.json").is_file():
        check_folder(folder, path)
        config = read_config(folder, path, trust_remote_code)
        model, new = read_weights(folder, config, trust_remote_code)
        if new:
            raise HfkitError(
                f"{path} is not fine-tuned: it has no weights for {', '.join(new[:3])}",
                where=str(folder),
                fix=f"train it first: hfkit train --model {path}",
            )
        return model.eval(), read_tokenizer(folder, path, trust_remote_code)
    from peft import PeftConfig

    adapter = PeftConfig.from_pretrained(str(folder))
    base = locate(adapter.base_model_name_or_path, adapter.revision)
    check_folder(base, adapter.base_model_name_or_path)
    if not (folder / "config.json").is_file():
        raise HfkitError(
            f"{path} holds an adapter without the config of its base, which has the labels",
            where=str(folder),
            fix="save it there: model.config.save_pretrained(folder)",
        )
    model, _ = read_weights(base, read_config(folder, path))
    return put_adapter(model, folder).eval(), read_tokenizer(folder, path)


def read_config(folder: Path, name: str | Path, trust_remote_code: bool = False) -> PreTrainedConfig:
    """The folder's config.

    Raises:
        HfkitError: It asks for Python code of its own, or transformers does not know the architecture.
    """
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except (ValueError, OSError, KeyError, ImportError) as error:
        if "trust_remote_code" in str(error):
            raise HfkitError(
                f"{name} runs Python code of its own",
                where=str(folder),
                fix="read the code, and if you trust it add --trust_remote_code",
            ) from error
        raise HfkitError(f"the config of {name} cannot be read: {first_line(error)}", where=str(folder)) from error


def read_tokenizer(folder: Path, name: str | Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The folder's tokenizer.

    Raises:
        HfkitError: There is none, or its library is not installed.
    """
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # each tokenizer library fails in its own way
        raise HfkitError(f"the tokenizer of {name} cannot be read: {first_line(error)}", where=str(folder)) from error


def read_weights(
    folder: Path, config: PreTrainedConfig, trust_remote_code: bool = False
) -> tuple[PreTrainedModel, list[str]]:
    """A classifier of the shape that `config` says, filled with the folder's weights, in float32.

    Args:
        folder: Weights of a classifier of this kind, or of its backbone alone.
        config: The classifier's config. A `PooledConfig` on a folder that holds the bare backbone makes a new head.
        trust_remote_code: Run the folder's Python code.

    Returns:
        The model, and the names of the parameters that the folder lacked and that start at random.

    Raises:
        HfkitError: The weights are damaged, of other sizes, or of another architecture.
    """
    options: dict[str, Any] = {
        "use_safetensors": True,
        "dtype": "float32",
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # read below: a head of another size is new, anything else is an error
        "trust_remote_code": trust_remote_code,
    }
    try:
        with quiet():
            model, info = AutoModelForSequenceClassification.from_pretrained(folder, config=config, **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise HfkitError(f"the weights cannot be read: {first_line(error)}", where=str(folder)) from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":  # derives from Exception alone
            raise
        raise HfkitError(
            f"the weights are damaged: {error}", where=str(folder), fix="fetch or copy the file again"
        ) from error
    return model, _new_parameters(model, info, folder)


def _new_parameters(model: PreTrainedModel, info: dict[str, Any], folder: Path) -> list[str]:
    mismatched = {entry[0] if isinstance(entry, tuple) else entry for entry in info["mismatched_keys"]}
    wrong = sorted(name for name in mismatched if not in_head(model, name))
    if wrong:
        raise HfkitError(
            f"{len(wrong)} weights have another size than the config says, {wrong[0]} the first",
            where=str(folder),
            fix="take the sizes in --model_args back: they belong to the weights",
        )
    names = dict(model.named_parameters())
    new = sorted(name for name in set(info["missing_keys"]) | mismatched if name in names)
    backbone = [name for name in names if not in_head(model, name)]
    if backbone and set(backbone) <= set(new):
        raise HfkitError(
            f"none of the weights belongs to a {model.config.model_type}: config.json and weights do not fit",
            where=str(folder),
        )
    return new


def first_line(error: BaseException) -> str:
    """The first line of what a library says, or the error's name."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


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
