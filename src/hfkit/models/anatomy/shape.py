"""A model by its config alone, without weights, and an example that it can read."""

import inspect
from functools import partial
from typing import Any

import torch
import transformers
from torch import Tensor

from hfkit.base.errors import HfkitError, check_known
from hfkit.models.adapting.lora import read_adapter
from hfkit.models.anatomy.layers import Summary, summarise
from hfkit.models.inspection import first_line
from hfkit.models.loading import read_config
from hfkit.models.names import fetch, here
from hfkit.tasks import discover

FILES = ("config.json", "adapter_config.json", "adapter_model.safetensors")
"""What is fetched of a Hub model: its config, or an adapter, which is small and names its base."""

PIXELS = 224
"""A side of the picture where the config says none."""


def summary_of(
    name: str,
    tokens: int = 128,
    image_size: int | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Summary:
    """The layers of a run's model, a folder's, `baseline:NAME`'s or a Hub model's, of which only the config is fetched.

    It is shown one text of `tokens` tokens, or one picture of `image_size` pixels a side, by default what its config
    says, or both. Where it can, it runs on torch's meta device, which computes nothing: a model of any size takes no
    memory. Raises HfkitError: there is no such model, or it cannot be shown what it reads."""
    config, auto_model = _shape(name, revision, image_size, trust_remote_code)
    own = getattr(transformers, (config.architectures or [""])[0], None)  # a body without a head, say
    make = own or partial(auto_model.from_config, trust_remote_code=trust_remote_code)
    try:
        try:
            return _summary("meta", make, config, tokens, image_size)
        except (RuntimeError, NotImplementedError):  # it looks at a value on its way; what else failed fails again
            return _summary("cpu", make, config, tokens, image_size)
    except Exception as error:  # each architecture fails in its own way
        what = f"{name} does not run on an example: {type(error).__name__}: {first_line(error)}"
        fix = "other sizes may fit: --tokens 16, --image_size 224"
        raise HfkitError(what, where=config.model_type, fix=fix) from error


def _shape(name: str, revision: str | None, image_size: int | None, trust_remote_code: bool) -> tuple[Any, Any]:
    """A model's config, and the Auto class that makes a model of it. What is not trained yet may have any size."""
    if name.startswith("baseline:"):
        baseline = name.removeprefix("baseline:")
        check_known(
            baseline, {one for spec in discover.specs() for one in spec.baselines}, f"there is no {name}", "MODEL"
        )
        having = [spec for spec in discover.specs() if baseline in spec.baselines]
        spec = next((spec for spec in having if spec.name == discover.DEFAULT), having[0])
        config_class, fields = spec.baseline_config(name)
        sized = {"image_size": image_size} if image_size and hasattr(config_class(), "image_size") else {}
        return config_class(**fields, **sized), getattr(transformers, spec.auto_model)
    folder = here(name) or fetch(name, revision, [*FILES, *["*.py"] * trust_remote_code])
    if (folder / "adapter_config.json").is_file():
        return _shape(*read_adapter(folder), image_size, trust_remote_code)
    config = read_config(folder, name, trust_remote_code)
    made_for = discover.of_config(config)
    return config, getattr(transformers, made_for.auto_model if made_for else "AutoModel")


def _summary(device: str, make: Any, config: Any, tokens: int, image_size: int | None) -> Summary:
    with torch.device(device):
        model = make(config)
        return summarise(model, _example(model, tokens, image_size))


def _example(model: Any, tokens: int, image_size: int | None) -> dict[str, Tensor]:
    """One empty picture and one text of the same token, as far as `forward` takes them."""
    config, taken = model.config, inspect.signature(model.forward).parameters
    found: dict[str, Tensor] = {}
    if "pixel_values" in taken:
        vision = getattr(config, "vision_config", config)
        shape = (getattr(config, "pretrained_cfg", None) or {}).get("input_size")  # timm's
        channels = shape[0] if shape else getattr(vision, "num_channels", 3)
        side = image_size or (shape[1] if shape else getattr(vision, "image_size", PIXELS))
        height, width = side if isinstance(side, list | tuple) else (side, side)
        found["pixel_values"] = torch.zeros(1, channels, height, width)
    if "input_ids" in taken:
        longest = getattr(getattr(config, "text_config", config), "max_position_embeddings", None) or tokens
        found["input_ids"] = torch.ones(1, min(tokens, longest), dtype=torch.long)
        if config.is_encoder_decoder:
            found["decoder_input_ids"] = found["input_ids"]
    return found
