"""A model's folder as `save_pretrained` leaves it, made of weights and a tokenizer that came in another form."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def save_model(
    folder: Path, auto_model: str, settings: dict[str, Any], weights: "dict[str, np.ndarray]", **options: Any
) -> Any:
    """Writes config.json and model.safetensors, and gives the configuration. `auto_model` is the Auto class that gives
    the architecture, `options` are for that, such as `add_pooling_layer`, and `settings` fields of the configuration,
    `model_type` among them; `weights` are all parameters by their names, float32, but for those tied to others. Raises
    RuntimeError: a parameter is missing, unknown, or has another shape."""
    import torch
    import transformers
    from safetensors.numpy import save_file

    config = transformers.AutoConfig.for_model(**settings)
    with torch.device("meta"):
        model = getattr(transformers, auto_model).from_config(config, **options)
    given = {name: torch.from_numpy(array) for name, array in weights.items()}
    tied = model._tied_weights_keys or {}
    given = {name: given[source] for name, source in tied.items() if source in given} | given
    model.load_state_dict(given, assign=True)  # strictly
    config.architectures, config.dtype = [type(model).__name__], "float32"
    # As given: transformers 5.24 writes tie_word_embeddings true for every T5, and reads it as "scale what comes out".
    told = config.to_diff_dict() | settings
    (folder / "config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return config


def save_tokenizer(folder: Path, file: Path, longest: int, **settings: Any) -> None:
    """Writes the tokenizer of a `tokenizer.json` beside a config.json: without how it cut and padded for its own
    model's use, for a model that reads the `longest` number of tokens. `settings` are of the tokenizer's configuration:
    `tokenizer_class` where it is not that of the model's type."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    AutoTokenizer.from_pretrained(folder, model_max_length=longest).save_pretrained(folder)
