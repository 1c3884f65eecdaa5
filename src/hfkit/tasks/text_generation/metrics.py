"""What a language model is judged by, of the nats, tokens, bytes and words that are summed over each text."""

import numpy as np

from hfkit.evaluation.metric import metric_of_sums as metric

METRICS = (  # a rival has no tokens to count by
    # It compares models whatever their tokens are.
    metric("bits_per_byte", "bits per byte", "nll", "bytes", lambda nats: nats / np.log(2), given=("bytes",)),
    metric("loss", "loss", "nll", "tokens"),
    metric("perplexity", "perplexity per token", "nll", "tokens", np.exp, hub="perplexity"),
    metric("next_token_accuracy", "next-token accuracy", "right", "tokens", better="higher", unit="points"),
    # Line ends count as words (Merity et al. 2016).
    metric("word_perplexity", "perplexity per word", "nll", "words", np.exp),
)
