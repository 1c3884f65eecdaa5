"""What a masked language model is judged by: sums of nats, words and bytes over each text's hidden words."""

from typing import Any

import numpy as np

from hfkit.evaluation.metric import Columns, Metric, metric_of_sums, ratio_of, total

SUMS = ("right", "words")


def _loss(columns: Columns, weights: np.ndarray) -> Any:
    """Nats a token: without what is spelled byte by byte, which no token is asked for."""
    return (total(weights, columns["nll"]) - total(weights, columns["spelled"])) / total(weights, columns["tokens"])


METRICS = (
    # How many words are hidden depends on the text alone: tokenizers are asked for the same ones.
    metric_of_sums("nats_per_word", "nats per hidden word", "nll", "words", given=("words",)),
    metric_of_sums("masked_bits_per_byte", "bits per byte of hidden words", "nll", "bytes", lambda n: n / np.log(2)),
    Metric("masked_word_accuracy", "hidden words told right", SUMS, ratio_of(*SUMS), given=("words",)),
    Metric("loss", "loss", ("nll", "spelled", "tokens"), _loss, given=(), better="lower", unit=""),
)
