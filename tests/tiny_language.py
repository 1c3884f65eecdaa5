"""Tiny language models of each kind, written to a folder, for the tests of what asks them and adapts them."""

from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from words import WORDS_BAD, WORDS_GOOD, WORDS_PLAIN

from hfkit.baselines.language.auto import LSTMForCausalLM, TransformerForCausalLM
from hfkit.baselines.language.configs import LSTMLMConfig, TransformerLMConfig
from hfkit.baselines.language.tokenizers import train_byte_bpe

CONTEXT = 96


def write_model(kind: str, folder: Path) -> Path:
    """A tiny language model, its weights far from zero so that one token is clearly the likeliest."""
    words = " ".join([*WORDS_GOOD, *WORDS_BAD, *WORDS_PLAIN])
    tokenizer = train_byte_bpe([words] * 3, vocab_size=400, max_length=CONTEXT)
    ids = {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    torch.manual_seed(0)
    model: Any
    if kind == "gpt2":
        tokenizer.pad_token = None  # as GPT-2's
        ids["pad_token_id"] = None
        sizes = {"n_positions": CONTEXT, "n_embd": 32, "n_layer": 2, "n_head": 2, "initializer_range": 0.4}
        model = GPT2LMHeadModel(GPT2Config(**sizes, **ids))
    elif kind == "transformer_lm":
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "initializer_range": 0.4}
        model = TransformerForCausalLM(TransformerLMConfig(max_position_embeddings=CONTEXT, **sizes, **ids))
    else:
        model = LSTMForCausalLM(LSTMLMConfig(embedding_size=24, hidden_size=32, **ids))
        for parameter in model.parameters():
            torch.nn.init.uniform_(parameter, -0.9, 0.9)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
