"""What only a report of a masked language model shows: its guesses, and how texts differ."""

from typing import Any

import numpy as np

from hfkit.report import plots
from hfkit.report.analysis import Predictions, shade
from hfkit.report.page import section
from hfkit.runs.run import Run
from hfkit.tasks.fill_mask.guesses import FILE


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    return {"own": [section(str(__package__), "words.html.jinja", texts=_texts(run), spread=_spread(seen))]}


def _texts(run: Run) -> list[dict[str, Any]]:
    """The texts that the run keeps, with its guesses."""
    return run.kept(FILE, lambda found: list(map(_text, found)), [])


def _text(text: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(text["id"]), "more": bool(text["more"]), "parts": [_part(part) for part in text["parts"]]}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    text = str(part["text"])
    if "guess" not in part:
        return {"text": text, "hidden": False}
    nats, guess = float(part["nats"]), str(part["guess"])
    right = guess.casefold() == text.casefold()  # an uncased model says a name without its capital
    return {"text": text, "hidden": True, "guess": guess, "nats": nats, "shade": shade(nats), "right": right}


def _spread(seen: Predictions) -> dict[str, Any] | None:
    """How many nats a hidden word took, text by text: a histogram, and the quartiles."""
    words, nats = (seen.table[name].to_numpy().astype(float) for name in ("words", "nll"))
    means = nats[words > 0] / words[words > 0]
    if not len(means) or not np.isfinite(means).all():
        return None
    plot = plots.histogram("Nats per hidden word of the texts", means, "nats per hidden word", "texts")
    return {"plot": plot.svg(), "texts": len(means), "quartiles": np.quantile(means, [0.25, 0.5, 0.75]).tolist()}
