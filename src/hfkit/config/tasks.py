"""What a job means: texts, language models, images, and how a text is continued."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config.knobs import knob


@dataclass
class TaskArguments:
    """What the job means: how a row becomes model inputs, and what is learnt from it."""

    task: str = knob("text-classification", "The transformers pipeline's name of the job.")
    problem_type: Literal["auto", "single_label_classification", "multi_label_classification", "regression"] = knob(
        "auto", "auto reads it from the labels: classes, lists of classes, or numbers with a fraction."
    )
    max_length: int | None = knob(
        None, "Tokens a text may have, special tokens included. Default: the model's limit.", low=1, high=100_000_000
    )
    long_text: Literal["head", "tail", "head_tail", "windows"] = knob(
        "head",
        "What is kept of a text that is too long: its head, its tail, a quarter head and three quarters tail,"
        " or all of it in overlapping windows.",
    )
    stride: int = knob(128, "Tokens that two neighbouring windows share (--long_text windows).", low=0)
    class_weights: Literal["none", "balanced"] = knob("none", "balanced weighs a class by 1 / its frequency.")
    label_smoothing_factor: float = knob(
        0.0, "Share of a label's weight spread over the other classes.", low=0, below=1
    )
    regression_loss: Literal["mse", "mae"] = knob(
        "mse", "What a regression learns to make small: mse the mean of the squared errors, mae of their sizes."
    )


@dataclass
class LanguageArguments:
    """How texts are laid out for a language model (--task text-generation)."""

    packing: bool = knob(
        True, "Fill rows of max_length tokens with several documents, none of which sees another; false pads instead."
    )
    eval_stride: int | None = knob(
        None,
        "Tokens between two windows of a long text in evaluation: fewer show each token more of what came before it,"
        " for more work. Default: max_length, windows side by side.",
        low=1,
    )
    sample_prompts: list[str] = knob(
        [], "Texts that are continued at every look at the validation split. Default: how three of its texts begin."
    )
    tokenizer: Literal["bpe", "char"] = knob(
        "bpe", "What a baseline's tokenizer learns from the training texts: pairs of bytes, or single characters."
    )


@dataclass
class ImageArguments:
    """How images are read, changed in training, and looked at."""

    image_size: int | None = knob(
        None,
        "Pixels of each side of what the model sees. Default: the model's own; a baseline's is the images'.",
        low=2,
    )
    augment: list[str] = knob(
        ["light"],
        "How training images are changed: none, light, medium or strong, or names: flip, vertical_flip, crop,"
        " resized_crop, rotate, zoom, color, randaugment, autoaugment, trivialaugment, erase.",
    )
    mixup: float = knob(0.0, "Add images up in pairs, with shares drawn from Beta(a, a) of this a; 0 is off.", low=0)
    cutmix: float = knob(
        0.0, "Paste boxes of other images in, with shares drawn from Beta(a, a) of this a; 0 is off.", low=0
    )
    test_time_augmentation: Literal["none", "flip"] = knob(
        "none", "flip answers with the mean over the image and its mirror image: twice the work."
    )
    drop_path: float | None = knob(
        None,
        "Stochastic depth: share of the residual branches that training leaves out. Default: the model's own.",
        low=0,
        below=1,
    )
    from_scratch: bool = knob(False, "Take the architecture of the model and not its weights.")
    linear_probe: bool = knob(
        False, "Train the head alone, on features that the model computes once: seconds instead of minutes."
    )


@dataclass
class GenerationArguments:
    """How a text is continued. What is not said is the model's own generation config, else transformers' default."""

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
    num_return_sequences: int | None = knob(None, "Answers to each prompt. Default: 1.")
    stop: list[str] = knob(
        [], "Texts that end an answer and are no part of it, such as --stop '###' $'\\n\\n'. Default: the model's own."
    )
    seed: int = knob(0, "Seed of what is drawn. An answer depends on it, its prompt and its place, on no batch.", low=0)
