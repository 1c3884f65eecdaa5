"""Small random language models of transformers in a folder, as one from the Hub would be."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from hfkit.baselines.language.tokenizers import train_byte_bpe

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def tiny_model(kind: str, folder: Path, texts: Iterable[str], vocab_size: int = 400, width: int = 32) -> Path:
    """A GPT-2 or Llama of two layers and 32 positions, its weights far from zero, with a tokenizer of the texts."""
    tokenizer = train_byte_bpe(texts, vocab_size=vocab_size, max_length=32)
    torch.manual_seed(0)
    known = {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.2}
    if kind == "gpt2":
        sizes = {"n_positions": 32, "n_embd": width, "n_layer": 2, "n_head": 2}
        none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        model: Any = GPT2LMHeadModel(GPT2Config(**sizes, **none, **known))
    else:
        wide = {"hidden_size": width, "intermediate_size": 2 * width}
        model = LlamaForCausalLM(LlamaConfig(**SIZES | wide, max_position_embeddings=32, **known))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
