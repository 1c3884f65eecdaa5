"""The base of an adapter, also where the folder holds the adapter alone, as PEFT and TRL write it."""

import warnings
from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel

from hfkit.base.untrusted import read_json_file
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.lora import read_adapter
from hfkit.models.inspection import check_vocabulary
from hfkit.models.loading import is_language_model, read_config, read_tokenizer, read_weights
from hfkit.models.names import check_folder, locate


def load_base(folder: Path, path: str | Path, whole: bool = False) -> tuple[PreTrainedModel, Any]:
    """The base of the adapter in `folder`, which `path` was said for, and the adapter's tokenizer or image processor.

    An adapter that was trained on a base of four bits a weight gets such a one, or with `whole` one in float32. The
    config, and the tokenizer or processor, are the base's where the folder has none.

    Raises:
        HfkitError: As `load_model`.
    """
    from hfkit.models import image_models

    name, revision = read_adapter(folder)
    base = locate(name, revision)
    bare = not (folder / "config.json").is_file()
    images = image_models.is_image_model(base if bare else folder)
    (image_models.check_image_folder if images else check_folder)(base, name)
    config = _config_of_base(folder, base, path) if bare else read_config(folder, path)
    if images:
        place = folder if not bare or (folder / image_models.PROCESSOR).is_file() else base
        return image_models.read_image_weights(base, config)[0], image_models.read_processor(place, config)
    if whole:
        four_bit.mark(config, False)
    auto_model = AutoModelForCausalLM if is_language_model(folder) else AutoModelForSequenceClassification
    model, _ = read_weights(base, config, auto_model=auto_model)
    tokenizer = read_tokenizer(folder if (folder / "tokenizer_config.json").is_file() else base, path)
    check_vocabulary(tokenizer, config, folder)
    return model, tokenizer


def _config_of_base(folder: Path, base: Path, path: str | Path) -> PreTrainedConfig:
    """The base's config, with as many labels as the head has that the adapter brings."""
    config = read_config(base, path)
    heads = set(read_json_file(folder / "adapter_config.json").get("modules_to_save") or [])
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys() if heads & set(name.split("."))]  # noqa: SIM118
    labels = min((shape[0] for shape in shapes if len(shape) == 2), default=None)
    if not is_language_model(folder) and labels not in (None, config.num_labels):
        config.num_labels = labels
        names = ", ".join((config.id2label or {}).values())
        warnings.warn(f"{path} does not say what its labels are called: {names[:80]}", stacklevel=4)
    return config
