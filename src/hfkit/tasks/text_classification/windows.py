"""Windows: what each part of a long text says, of a model that reads texts in windows."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Window:
    """A part of a text."""

    text: str  # what the model read of it, without special tokens
    scores: dict[str, float]  # label -> probability, as if the window were the whole text; of a regression the number


def windows(classify: Any, text: str, pair: str | None = None) -> list[Window]:
    """The windows of a text (or of a pair of texts), in its order; the pipeline's own answer is made of the mean of
    their logits. `classify` is from `hfkit.pipeline`, of a run with `--long_text windows`. Nothing where the model
    reads a text once, or the text has one window."""
    reading, tokenizer = classify.reading, classify.tokenizer
    if reading.long_text != "windows":
        return []
    encoded = reading.truncated.encode(tokenizer, [text], None if pair is None else [pair])
    parts = encoded["input_ids"][0]
    if len(parts) < 2:
        return []
    features = [
        {name: [values[0][place]] for name, values in encoded.items() if name not in ("length", "truncated")}
        for place in range(len(parts))
    ]
    logits = torch.cat([classify._batch([feature], None) for feature in features])
    rows = reading.predictions(logits).get("probabilities", logits).tolist()  # of a regression there are none
    names = [str(name) for name in reading.labels]
    shown = tokenizer.batch_decode(parts, skip_special_tokens=True)
    return [Window(part, dict(zip(names, scores, strict=True))) for part, scores in zip(shown, rows, strict=True)]
