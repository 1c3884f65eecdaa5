"""What a masked language model is judged by: sums of nats, words and bytes over each text's hidden words."""

from typing import Any

import numpy as np

from hfkit.evaluation.metric import Metric, ratio_of

LOWER: dict[str, Any] = {"given": ("words", "bytes"), "better": "lower", "unit": ""}

METRICS = (
    # What is hidden depends on the text alone, so models with different tokenizers are asked for the same words.
    Metric("nats_per_word", "nats per hidden word", ("nll", "words"), ratio_of("nll", "words"), **LOWER),
    Metric(
        "masked_bits_per_byte",
        "bits per byte of hidden words",
        ("nll", "bytes"),
        ratio_of("nll", "bytes", lambda nats: nats / np.log(2)),
        **LOWER,
    ),
    Metric(
        "masked_word_accuracy", "hidden words told right", ("right", "words"), ratio_of("right", "words"), ("words",)
    ),
    Metric("loss", "loss", ("nll", "tokens"), ratio_of("nll", "tokens"), **LOWER | {"given": ()}),
)
