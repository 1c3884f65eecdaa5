"""What several tasks share: how a text is read, what a label means, and how a text is continued."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config.data import LabelColumns, TextColumns
from hfkit.config.knobs import Broken, knob


@dataclass
class TokenArguments:
    """How a text becomes tokens, and tokens batches."""

    max_length: int | None = knob(
        None,
        "Tokens a text may have, special tokens included. Default: the model's limit.",
        low=1,
        high=100_000_000,
        lead=4,
    )
    tokens_per_batch: int | None = knob(
        None, "Padded tokens in a training batch, instead of a fixed number of rows.", low=1
    )
    eval_tokens_per_batch: int | None = knob(
        None,
        "Padded tokens in an evaluation batch, at most. Default: no limit; for a language model what makes 2 GiB of"
        " logits.",
        low=1,
    )
    vocab_size: int = knob(
        20000,
        "Entries of the tokenizer that a from-scratch baseline trains on the training split.",
        low=100,
        high=10_000_000,
        needs="model baseline:NAME",
    )
    lora_tokens: list[str] = knob(
        [],
        "Tokens whose vectors learn beside the adapter. Default: added ones that no training has touched.",
        needs="lora",
    )
    load_in_4bit: bool = knob(
        False,
        "QLoRA: the matrices of the frozen model in four bits a weight (NF4, through bitsandbytes).",
        needs="lora",
    )

    def rules(self) -> Broken:
        tokens, longest = self.tokens_per_batch, self.max_length
        if tokens is not None and getattr(self, "auto_find_batch_size", False):
            what = "--tokens_per_batch and --auto_find_batch_size both decide how large a batch is"
            yield what, "drop one of the two"
        if tokens is not None and longest and tokens < longest:
            what = f"--tokens_per_batch {tokens} is below --max_length {longest}"
            yield f"{what}: one long text would not fit into a batch", f"give at least {longest}"


@dataclass
class TextArguments(TextColumns, TokenArguments):
    """How the text of a column is read."""


@dataclass
class WordVectorArguments:
    """What a recurrent baseline knows of words before it learns."""

    word_vectors: str | None = knob(
        None,
        "A file of word vectors in the text form of word2vec or GloVe: words of the vocabulary that it has begin with"
        " them. Their size is the embedding_size.",
        needs="model baseline:NAME",
    )


@dataclass
class LabelArguments(LabelColumns):
    """What is learnt from a label."""

    problem_type: Literal["auto", "single_label_classification", "multi_label_classification", "regression"] = knob(
        "auto", "auto reads it from the labels: classes, lists of classes, or numbers with a fraction."
    )
    class_weights: Literal["none", "balanced"] = knob(
        "none", "balanced weighs a class by 1 / its frequency.", against=("problem_type regression",)
    )
    label_smoothing_factor: float = knob(
        0.0,
        "Share of a label's weight spread over the other classes.",
        low=0,
        below=1,
        against=("problem_type regression",),
    )
    regression_loss: Literal["mse", "mae"] = knob(
        "mse",
        "What a regression learns to make small: mse the mean of the squared errors, mae of their sizes.",
        against=("problem_type single_label_classification", "problem_type multi_label_classification"),
    )


@dataclass
class DecodingArguments:
    """How a text is written. What is not said is the model's own generation config, else transformers' default."""

    max_new_tokens: int | None = knob(None, "Tokens to add at most. Default: the model's own, else 50.")
    do_sample: bool | None = knob(None, "Draw each token by its probability; else the likeliest is taken.")
    temperature: float | None = knob(None, "Below 1 likely tokens become likelier, above 1 rare ones (--do_sample).")
    top_k: int | None = knob(None, "Draw among the k likeliest tokens; 0 is all. Default: 50 (--do_sample).")
    top_p: float | None = knob(
        None, "Draw among the likeliest tokens that together have this probability (--do_sample)."
    )
    min_p: float | None = knob(
        None, "Draw among the tokens that have at least this share of the likeliest one's probability (--do_sample)."
    )
    repetition_penalty: float | None = knob(None, "Above 1 a token that has occurred becomes less likely.")
    no_repeat_ngram_size: int | None = knob(None, "No sequence of so many tokens occurs twice; 0 is off.")
    num_beams: int | None = knob(None, "Continuations followed side by side, of which the likeliest is taken.")
    length_penalty: float | None = knob(
        None, "Of beams: above 0 long ones gain, below 0 short ones; 1 compares their mean by token (--num_beams)."
    )


@dataclass
class GenerationArguments(DecodingArguments):
    """How a text is continued."""

    num_return_sequences: int | None = knob(None, "Answers to each prompt. Default: 1.")
    stop: list[str] = knob(
        [], "Texts that end an answer and are no part of it, such as --stop '###' $'\\n\\n'. Default: the model's own."
    )
    seed: int = knob(0, "Seed of what is drawn. An answer depends on it, its prompt and its place, on no batch.", low=0)
