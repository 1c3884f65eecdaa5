"""Tokenizers of from-scratch language models, trained on the training texts. Both know bytes where they know nothing
better, so every text comes back as it was, and has a likelihood that can be told in bits per byte.
"""

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

END_TOKEN, PAD_TOKEN = "<|endoftext|>", "<|pad|>"


def train_byte_bpe(texts: Iterable[str], vocab_size: int = 20000, max_length: int = 256) -> PreTrainedTokenizerFast:
    """Byte-pair encoding over bytes, as GPT-2 has it: 256 bytes and the most useful merges of them.

    The texts are read once; the same ones give the same vocabulary, of `vocab_size` entries at most, the 256 bytes and
    two special tokens included; few texts give fewer. `max_length` is saved as the tokenizer's `model_max_length`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_TOKEN, PAD_TOKEN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return _wrap(tokenizer, max_length)


def train_char(texts: Iterable[str], vocab_size: int = 20000, max_length: int = 256) -> PreTrainedTokenizerFast:
    """One token a character of the training texts; any other is the tokens of its bytes. Arguments as above."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    room = max(vocab_size - 258, 0)
    kept = sorted(sorted(counts, key=lambda character: (-counts[character], character))[:room])
    entries = [END_TOKEN, PAD_TOKEN, *(f"<0x{byte:02X}>" for byte in range(256)), *kept]
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return _wrap(tokenizer, max_length)


TOKENIZERS = {"bpe": train_byte_bpe, "char": train_char}  # what `--tokenizer` may say


def train_for_pairs(
    texts: Iterable[str], vocab_size: int = 20000, max_length: int = 512, kind: str = "bpe"
) -> PreTrainedTokenizerFast:
    """That of a model which reads one text and writes another: one vocabulary for both, every text ended by the end
    token, padding behind it. What is written begins after an end token too, hence `decoder_start_token_id` is its id.
    `texts` are the training texts of both sides, read once; `kind` is one of TOKENIZERS, the others are as above."""
    tokenizer = TOKENIZERS[kind](texts, vocab_size, max_length)
    tokenizer.padding_side = "right"
    end = (END_TOKEN, tokenizer.eos_token_id)
    ended = processors.TemplateProcessing(single=f"$A {END_TOKEN}", special_tokens=[end])
    tokenizer.backend_tokenizer.post_processor = ended
    return tokenizer


def _wrap(tokenizer: Tokenizer, max_length: int) -> PreTrainedTokenizerFast:
    """The end token begins a text too: where nothing was said before, a document has just ended. Padding is another
    token, so that no mask of padding hides the end from the loss. It goes to the left, where generation needs it. An
    end token that somebody writes in a text is the characters it is made of."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
        bos_token=END_TOKEN,
        eos_token=END_TOKEN,
        pad_token=PAD_TOKEN,
        padding_side="left",
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
