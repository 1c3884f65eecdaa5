"""What a masked language model is judged by: sums of nats, words and bytes over each text's hidden words."""

from typing import Any

import numpy as np

from hfkit.evaluation.metric import Columns, Metric, ratio_of, total

LOWER: dict[str, Any] = {"given": (), "better": "lower", "unit": ""}


def _loss(columns: Columns, weights: np.ndarray) -> Any:
    """Nats a token: without what is spelled byte by byte, which no token is asked for."""
    return (total(weights, columns["nll"]) - total(weights, columns["spelled"])) / total(weights, columns["tokens"])


METRICS = (
    # How many words are hidden depends on the text alone: tokenizers are asked for the same ones.
    Metric(
        "nats_per_word",
        "nats per hidden word",
        ("nll", "words"),
        ratio_of("nll", "words"),
        **LOWER | {"given": ("words",)},
    ),
    Metric(
        "masked_bits_per_byte",
        "bits per byte of hidden words",
        ("nll", "bytes"),
        ratio_of("nll", "bytes", lambda nats: nats / np.log(2)),
        **LOWER,
    ),
    Metric(
        "masked_word_accuracy",
        "hidden words told right",
        ("right", "words"),
        ratio_of("right", "words"),
        given=("words",),
    ),
    Metric("loss", "loss", ("nll", "spelled", "tokens"), _loss, **LOWER),
)
