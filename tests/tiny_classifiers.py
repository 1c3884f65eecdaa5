"""Tiny random text classifiers of many architectures, with tokenizers that pad and end texts as the real ones do."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast
from words import WORDS_BAD, WORDS_GOOD, WORDS_PLAIN

CORPUS = [" ".join([*WORDS_GOOD, *WORDS_BAD, *WORDS_PLAIN]), "0 1 2 3 4 5 6 7 8 9 . , < > / [ ]"] * 3

# Of each style: template of a text, special tokens by role in the order of their ids, and the tokenizer's own settings.
STYLES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "bert": (
        "[CLS] $A [SEP]",
        {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
        {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]},
    ),
    "bart": ("<s> $A </s>", {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}, {}),
    "t5": ("$A </s>", {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}, {}),
    "gpt": ("$A", {"eos": "<|endoftext|>"}, {}),
    "llama": ("<s> $A", {"unk": "<unk>", "bos": "<s>", "eos": "</s>"}, {}),
    "xlnet": (
        "$A <sep> <cls>",
        {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "cls": "<cls>", "sep": "<sep>", "pad": "<pad>"},
        {"padding_side": "left"},
    ),
}

_LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_SIZES = {**_LAYERS, "hidden_size": 32, "max_position_embeddings": 64}
_SHIFTED = {**_SIZES, "max_position_embeddings": 66, "type_vocab_size": 1}
_XLM = {"emb_dim": 32, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 64}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
_HALVES = {
    f"{half}_{name}": size
    for half in ("encoder", "decoder")
    for name, size in {"layers": 2, "attention_heads": 2, "ffn_dim": 64}.items()
}
_BART = {**_HALVES, "d_model": 32, "max_position_embeddings": 64}
_DEBERTA = {"relative_attention": True, "position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True}
_DEBERTA |= {"pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0}
_MOBILE = {"embedding_size": 32, "intra_bottleneck_size": 16, "true_hidden_size": 16}
_PERCEIVER = {"d_model": 32, "d_latents": 32, "num_latents": 8, "num_blocks": 1, "num_self_attends_per_block": 1}
_PERCEIVER |= {"num_self_attention_heads": 2, "num_cross_attention_heads": 2, "max_position_embeddings": 64}

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "albert": ("bert", {**_SIZES, "embedding_size": 16}),
    "bart": ("bart", _BART),
    "bert": ("bert", _SIZES),
    "big_bird": ("bert", {**_SIZES, "block_size": 4, "num_random_blocks": 1, "attention_type": "block_sparse"}),
    "bloom": ("gpt", {"hidden_size": 32, "n_layer": 2, "n_head": 2}),
    "convbert": ("bert", {**_SIZES, "embedding_size": 32}),
    "deberta-v2": ("bert", {**_SIZES, **_DEBERTA}),
    "distilbert": ("bert", {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 64}),
    "electra": ("bert", {**_SIZES, "embedding_size": 32}),
    "flaubert": ("bart", _XLM),
    "fnet": ("bert", {**_SIZES, "use_tpu_fourier_optimizations": False}),
    "funnel": ("bert", {"block_sizes": [1, 1], "num_decoder_layers": 1, "d_model": 32, "n_head": 2, "d_head": 16}),
    "gemma": ("llama", {**_SIZES, "num_key_value_heads": 1, "head_dim": 16}),
    "gpt2": ("gpt", _GPT),
    "gpt_neox": ("gpt", _SIZES),
    "llama": ("llama", {**_SIZES, "num_key_value_heads": 2}),
    "longformer": ("bart", {**_SHIFTED, "attention_window": [8, 8]}),
    "mbart": ("bart", _BART),
    "mistral": ("llama", {**_SIZES, "num_key_value_heads": 2}),
    "mobilebert": ("bert", {**_SIZES, **_MOBILE}),
    "modernbert": ("bert", {**_SIZES, "global_attn_every_n_layers": 2, "local_attention": 8}),
    "mpnet": ("bart", {**_SIZES, "max_position_embeddings": 66}),
    "nystromformer": ("bert", {**_SIZES, "num_landmarks": 8, "segment_means_seq_len": 8}),
    "openai-gpt": ("gpt", _GPT),
    "opt": ("bart", {**_SIZES, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    "perceiver": ("bert", _PERCEIVER),
    "phi": ("gpt", {**_SIZES, "num_key_value_heads": 2}),
    "qwen2": ("gpt", {**_SIZES, "num_key_value_heads": 2}),
    "qwen3": ("gpt", {**_SIZES, "num_key_value_heads": 2, "head_dim": 16}),
    "rembert": ("bert", {**_SIZES, "input_embedding_size": 16, "output_embedding_size": 16}),
    "roberta": ("bart", _SHIFTED),
    "roformer": ("bert", {**_SIZES, "embedding_size": 32}),
    "squeezebert": ("bert", {**_SIZES, "embedding_size": 32}),
    "t5": ("t5", {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}),
    "xlm": ("bart", _XLM),
    "xlm-roberta": ("bart", _SHIFTED),
    "xlnet": ("xlnet", {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64}),
}
"""model_type -> the style of its tokenizer, and the sizes of its config."""

READ_PADDING = {"convbert", "fnet", "mobilebert", "nystromformer"}


def tokenizer_of(style: str) -> PreTrainedTokenizerFast:
    """WordPiece for BERT's style, pieces of bytes for the others."""
    template, roles, settings = STYLES[style]
    special = list(roles.values())
    if style == "bert":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
        tokenizer.decoder = decoders.ByteLevel()
        letters = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=letters, show_progress=False
        )
    tokenizer.train_from_iterator(CORPUS, trainer)
    used = [(token, tokenizer.token_to_id(token)) for token in special if token in template.split()]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    names = {f"{role}_token": token for role, token in roles.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names, **settings)


def classifier(
    kind: str, pad_token_id: int | None = None, auto_model: Any = AutoModelForSequenceClassification
) -> tuple[Any, PreTrainedTokenizerFast]:
    """An untrained classifier whose weights are large enough to tell texts apart, and its tokenizer."""
    style, sizes = ARCHITECTURES[kind]
    tokenizer = tokenizer_of(style)
    roles = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("pad", "bos", "eos")}
    roles |= {"decoder_start_token_id": tokenizer.pad_token_id} if kind == "t5" else {}
    roles |= {"pad_token_id": pad_token_id} if pad_token_id is not None else {}
    given = {name: token for name, token in roles.items() if token is not None}
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), id2label={0: "neg", 1: "pos"}, **sizes, **given)
    torch.manual_seed(0)
    model = auto_model.from_config(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.eval(), tokenizer


def saved(folder: Path, model: Any, tokenizer: Any) -> Path:
    """The folder, with both in it."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
