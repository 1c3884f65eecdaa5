"""Tiny models that make one text of another, of each kind, and pairs that they can learn."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)
from words import WORDS_BAD, WORDS_GOOD, WORDS_PLAIN

WORDS = ["</s>", "<pad>", "<unk>", "<s>", "write:", *WORDS_GOOD, *WORDS_BAD, *WORDS_PLAIN]
WORDS += [str(number) for number in range(130)]


def tokenizer() -> Any:
    """A token a word, and the end token behind."""
    words = list(dict.fromkeys(WORDS))
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", bos_token="<s>",
        model_max_length=48,
    )  # fmt: skip


def write_model(folder: Path, kind: str = "t5", tied: bool = False) -> Path:
    """A model with the tokenizer above: T5 with an output layer of its own, as Flan's; BART; Marian;
    M2M100."""
    own = tokenizer()
    ids = {"vocab_size": len(own), "pad_token_id": 1, "eos_token_id": 0, "decoder_start_token_id": 1}
    sides = {f"{side}_{name}": size for side in ("encoder", "decoder")
             for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 64))}  # fmt: skip
    torch.manual_seed(0)
    model: Any
    if kind == "t5":
        sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "dropout_rate": 0.0}
        model = T5ForConditionalGeneration(T5Config(**sizes, **ids, tie_word_embeddings=tied))
        if not tied:
            model.lm_head.weight = torch.nn.Parameter(torch.randn(len(own), 32) * 0.3)
            model.config.tie_word_embeddings = False
    elif kind == "bart":
        model = BartForConditionalGeneration(
            BartConfig(d_model=32, max_position_embeddings=64, dropout=0.0, bos_token_id=3, **sides, **ids)
        )
    elif kind == "m2m":  # whose vocabulary begins with other special tokens, which the config says
        size = {"d_model": 32, "max_position_embeddings": 64, "dropout": 0.0, "bos_token_id": 3}
        model = M2M100ForConditionalGeneration(M2M100Config(**size, **sides, **ids))
    else:
        model = MarianMTModel(MarianConfig(d_model=32, max_position_embeddings=64, dropout=0.0, **sides, **ids))
    model.save_pretrained(folder)
    own.save_pretrained(folder)
    return folder


def pairs_file(path: Path, rows: int = 120) -> Path:
    """Plain words, and what becomes of them: the good word that goes with the first, and the second one again."""
    lines = []
    for number in range(rows):
        first, second = (WORDS_PLAIN[number * step % len(WORDS_PLAIN)] for step in (1, 7))
        answer = f"{WORDS_GOOD[number % len(WORDS_PLAIN) % len(WORDS_GOOD)]} {second}"
        lines.append({"source": f"{first} {second} {number}", "target": answer})
    path.write_text("\n".join(map(json.dumps, lines)))
    return path
