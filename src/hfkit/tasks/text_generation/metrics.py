"""What a language model is judged by, of the nats, tokens, bytes and words that are summed over each text."""

from typing import Any

import numpy as np

from hfkit.evaluation.metric import Metric, ratio_of


def _metric(name: str, title: str, top: str, per: str, scale: Any = np.positive, **more: Any) -> Metric:
    """A figure of the sum of `top` by that of `per`, both over all texts. A rival has no tokens to count by."""
    usual: dict[str, Any] = {"given": (), "better": "lower", "unit": ""}
    return Metric(name, title, (top, per), ratio_of(top, per, scale), **usual | more)


METRICS = (
    # It compares models whatever their tokens are.
    _metric("bits_per_byte", "bits per byte", "nll", "bytes", lambda nats: nats / np.log(2), given=("bytes",)),
    _metric("loss", "loss", "nll", "tokens"),
    _metric("perplexity", "perplexity per token", "nll", "tokens", np.exp, hub="perplexity"),
    _metric("next_token_accuracy", "next-token accuracy", "right", "tokens", better="higher", unit="points"),
    # Line ends count as words (Merity et al. 2016).
    _metric("word_perplexity", "perplexity per word", "nll", "words", np.exp),
)
