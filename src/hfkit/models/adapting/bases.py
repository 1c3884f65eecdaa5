"""The base of an adapter, also where the folder holds the adapter alone, as PEFT and TRL write it."""

import warnings
from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import PreTrainedConfig, PreTrainedModel

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json_file
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.lora import read_adapter
from hfkit.models.loading import read_config, task_of, ways
from hfkit.models.names import locate


def load_base(folder: Path, path: str | Path, whole: bool = False) -> tuple[PreTrainedModel, Any]:
    """The base of the adapter in `folder`, which `path` was said for, and the adapter's tokenizer or image processor.

    An adapter that was trained on a base of four bits a weight gets such a one, or with `whole` one in float32. The
    config, and the tokenizer or processor, are the base's where the folder has none.

    Raises:
        HfkitError: As `load_model`.
    """
    name, revision = read_adapter(folder)
    base = locate(name, revision)
    bare, spec = not (folder / "config.json").is_file(), task_of(folder)
    if spec is None:
        raise HfkitError(f"{path} does not say what its adapter is for", where=str(folder / "adapter_config.json"))
    check, weights, read_processor = ways(spec)
    check(base, name)
    config = _config_of_base(folder, base, path, spec.labelled) if bare else read_config(folder, path)
    if whole:
        four_bit.mark(config, False)
    model, _ = weights(base, config)
    own = any((folder / file).is_file() for file in ("tokenizer_config.json", "preprocessor_config.json"))
    return model, read_processor(folder if own else base, config)


def _config_of_base(folder: Path, base: Path, path: str | Path, labelled: bool) -> PreTrainedConfig:
    """The base's config, with as many labels as the head has that the adapter brings."""
    config = read_config(base, path)
    heads = set(read_json_file(folder / "adapter_config.json").get("modules_to_save") or [])
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys() if heads & set(name.split("."))]  # noqa: SIM118
    labels = min((shape[0] for shape in shapes if len(shape) == 2), default=None)
    if labelled and labels not in (None, config.num_labels):
        config.num_labels = labels
        names = ", ".join((config.id2label or {}).values())
        warnings.warn(f"{path} does not say what its labels are called: {names[:80]}", stacklevel=4)
    return config
