"""GPT-2's weights in our decoder: the proof that it computes what it should."""

import copy
from typing import Any

from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from hfkit.base.errors import HfkitError
from hfkit.baselines.language.auto import TransformerForCausalLM
from hfkit.baselines.language.configs import TransformerLMConfig

# Ours in a layer, theirs in a block. Theirs are Conv1D: the weight of a linear layer, transposed.
_LINEAR = {
    "attention.output": "attn.c_proj",
    "feed_forward.expand": "mlp.c_fc",
    "feed_forward.contract": "mlp.c_proj",
}
_NORMS = {"after_attention.norm": "ln_1", "after_feed_forward.norm": "ln_2"}


def from_gpt2(model: GPT2LMHeadModel) -> TransformerForCausalLM:
    """Our decoder with GPT-2's weights, of any size: equal logits, and greedy generation token for token.

    It comes as the model came: its type of numbers, its generation config, in training or not.

    Raises:
        HfkitError: The config asks for what our decoder does not have.
    """
    settings: Any = model.config
    _check(settings)
    ours: Any = TransformerForCausalLM(
        TransformerLMConfig(
            vocab_size=settings.vocab_size,
            hidden_size=settings.n_embd,
            num_hidden_layers=settings.n_layer,
            num_attention_heads=settings.n_head,
            intermediate_size=settings.n_inner or 4 * settings.n_embd,
            hidden_act=settings.activation_function,
            dropout=settings.resid_pdrop,
            attention_dropout=settings.attn_pdrop,
            max_position_embeddings=settings.n_positions,
            initializer_range=settings.initializer_range,
            bos_token_id=settings.bos_token_id,
            eos_token_id=settings.eos_token_id,
            pad_token_id=settings.pad_token_id,
        )
    )
    ours.to(model.dtype).load_state_dict(_rename(model))
    ours.generation_config = copy.deepcopy(model.generation_config)
    return ours.to(model.device).train(model.training)


def _check(settings: GPT2Config) -> None:
    strange = {
        "activation_function": settings.activation_function not in ("gelu_new", "gelu", "relu"),
        "layer_norm_epsilon": settings.layer_norm_epsilon != nn.LayerNorm(1).eps,
        "scale_attn_weights": not settings.scale_attn_weights,
        "scale_attn_by_inverse_layer_idx": settings.scale_attn_by_inverse_layer_idx,
        "add_cross_attention": settings.add_cross_attention,
        "tie_word_embeddings": not settings.tie_word_embeddings,
    }
    for name, wrong in strange.items():
        if wrong:
            raise HfkitError(f"our decoder has nothing like GPT-2's {name}={getattr(settings, name)}")


def _rename(model: GPT2LMHeadModel) -> dict[str, Tensor]:
    """GPT-2's tensors under our names; its query, key and value are one layer, ours are three."""
    theirs = model.transformer.state_dict()
    ours = {
        "embeddings.tokens.weight": theirs["wte.weight"],
        "embeddings.positions.weight": theirs["wpe.weight"],
        "lm_head.weight": theirs["wte.weight"],
        "decoder.norm.weight": theirs["ln_f.weight"],
        "decoder.norm.bias": theirs["ln_f.bias"],
    }
    for number in range(model.config.n_layer):
        layer, block = f"decoder.layers.{number}", f"h.{number}"
        for mine, other in _LINEAR.items():
            ours[f"{layer}.{mine}.weight"] = theirs[f"{block}.{other}.weight"].T
            ours[f"{layer}.{mine}.bias"] = theirs[f"{block}.{other}.bias"]
        for mine, other in _NORMS.items():
            for part in ("weight", "bias"):
                ours[f"{layer}.{mine}.{part}"] = theirs[f"{block}.{other}.{part}"]
        weights = theirs[f"{block}.attn.c_attn.weight"].T.chunk(3)
        biases = theirs[f"{block}.attn.c_attn.bias"].chunk(3)
        for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            ours[f"{layer}.attention.{name}.weight"] = weight
            ours[f"{layer}.attention.{name}.bias"] = bias
    return ours
