"""QLoRA's base (Dettmers et al. 2023): frozen matrices in four bits a weight, through bitsandbytes."""

from importlib import import_module
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedConfig, PreTrainedModel

from hfkit.base.errors import HfkitError
from hfkit.models.adapting.freezing import in_head
from hfkit.models.inspection import refusing

MARK = "load_in_4bit"
"""In a config's `hfkit`: the adapter beside it was trained on a base of four bits, and is read on one."""

BLOCK = 64
"""Weights that share a scale. On a CPU bitsandbytes (0.50) unfolds a block that goes on in the next row to garbage."""


def is_four_bit(config: PreTrainedConfig) -> bool:
    """Whether a model of this config is read in four bits."""
    return bool((getattr(config, "hfkit", None) or {}).get(MARK))


def mark(config: PreTrainedConfig, four_bit: bool) -> None:
    """Say in `config` how the model is read: `read_weights` looks there, and so does who opens the adapter."""
    known = {key: value for key, value in (getattr(config, "hfkit", None) or {}).items() if key != MARK}
    config.hfkit = known | {MARK: True} if four_bit else known


def options(auto_model: Any, config: PreTrainedConfig, **code: bool) -> dict[str, Any]:
    """Arguments of `auto_model.from_pretrained`: NF4 (values that suit normally distributed weights) in blocks of 64,
    whose scales are quantised too. The head or output layer and the embeddings stay float32, and so does a matrix whose
    rows do not consist of whole blocks. Raises HfkitError: bitsandbytes is not installed, or does not load here; or no
    matrix is left."""
    what, fix = "four bits a weight need bitsandbytes, which does not load", "pip install 'hfkit[qlora]'"
    with refusing(what, "--load_in_4bit", fix, (ImportError, OSError, RuntimeError)):
        _bitsandbytes()
    with torch.device("meta"):
        model = auto_model.from_config(config, **code)
    widths = {name: module.in_features for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    # GPT-2 writes a linear layer as a Conv1D, lying on its side.
    widths |= {n: len(module.weight) for n, module in model.named_modules() if type(module).__name__ == "Conv1D"}
    left_out = [name for name, width in widths.items() if in_head(model, name) or width % BLOCK]
    if len(left_out) == len(widths):
        what = f"a {config.model_type} of this size has no matrix whose rows consist of blocks of {BLOCK} weights"
        raise HfkitError(what, where="--load_in_4bit", fix="leave it out: a model this small needs no four bits")
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        # Names are matched at their end; under another head the backbone is read as a model of its own.
        llm_int8_skip_modules=[name.removeprefix(f"{model.base_model_prefix}.") for name in left_out],
    )
    return {"quantization_config": quantisation, "device_map": {"": "cpu"}}


def settle(model: PreTrainedModel) -> None:
    """Make a model that was just read one like the others: it can be moved, saved, trained and asked in any order."""
    for layer in _layers(model).values():
        # In evaluation bitsandbytes lays the weights out for a kernel that knows no gradient, and leaves them so.
        layer.support_avx512bf16_for_cpu = False
    vars(model).pop("hf_device_map", None)  # by which Accelerate would leave the model where it was read
    vars(model.config).pop("quantization_config", None)  # it would say that the files hold four bits


def compute_in(model: nn.Module, dtype: torch.dtype) -> None:
    """Multiply in `dtype`, into which the four bits are unfolded: bfloat16 to learn, float32 to answer."""
    for layer in _layers(model).values():
        layer.compute_dtype, layer.compute_type_is_set = dtype, True
        if layer.bias is not None:
            layer.bias.data = layer.bias.data.to(dtype)  # or it does so itself, where no gradient may pass


def unfold(model: nn.Module, plain: PreTrainedModel) -> None:
    """Give `plain`, the same model in whole weights, the matrices that `model`, with or without an adapter, computes
    with."""
    unfolded = _bitsandbytes().functional.dequantize_4bit
    with torch.no_grad():
        for name, layer in _layers(model).items():
            weight = unfolded(layer.weight.data, layer.weight.quant_state).float()
            place: Any = plain.get_submodule(name.removesuffix(".base_layer"))
            place.weight.copy_(weight if isinstance(place, nn.Linear) else weight.T)  # GPT-2's Conv1D


def size(parameter: nn.Parameter) -> int:
    """Weights in a parameter, of which a byte of four bits holds two."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else int(torch.Size(state.shape).numel())


def _layers(model: nn.Module) -> dict[str, Any]:
    kind = _bitsandbytes().nn.Linear4bit
    return {name: module for name, module in model.named_modules() if isinstance(module, kind)}


def _bitsandbytes() -> Any:
    return import_module("bitsandbytes")  # an extra: hfkit does not depend on it
