"""What only a report of a language model shows: tokens on the axis, documents, passages and samples."""

import math
from typing import Any

import numpy as np
from markupsafe import Markup

from hfkit.evaluation.wording import line
from hfkit.report import plots
from hfkit.report.analysis import Predictions, shade
from hfkit.report.page import section
from hfkit.report.svg import Plot, thin
from hfkit.runs.run import Run

LOOKS = 6  # looks of which the samples are shown: the first, the last, and some between
HARDEST = 5  # texts that the card shows


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    """What the page shows of a language model, and leaves out."""
    told: dict[str, Any] = {"distribution": distribution(seen), "samples": _samples(run)}
    told["passages"] = run.kept("passages.json", _passages, _passages([]))
    own, log = [section(__package__, "language.html.jinja", language=told)], run.log()
    return {"own": own, "curves": [plots.losses(log, "tokens"), _perplexity(log), _bits(log)]}


def passages(run: Run) -> list[dict[str, Any]]:
    """What the card shows: the test texts that cost it most bits a byte, with what the best of the counts needs."""
    table = run.predictions()
    size = np.maximum(table["bytes"].to_numpy(), 1) * np.log(2)
    cost = table["nll"].to_numpy() / size
    rivals = [table[name].to_numpy() / size for name in table.column_names if name.startswith("baseline_")]
    counts = np.min(rivals, axis=0) if rivals else None
    columns = [name for name in ("text", "prompt", "completion") if name in table.column_names]
    found = []
    for row in np.argsort(-cost, kind="stable")[:HARDEST].tolist():
        shown = line("".join(table[name][row].as_py() for name in columns), 240)
        rival = None if counts is None else float(counts[row])
        found.append({"cost": float(cost[row]), "rival": rival, "shown": shown})
    return found


def _perplexity(log: plots.Lines) -> Markup | None:
    """Perplexity over tokens; the training's first steps, which would flatten all else, are left out."""
    held_out = plots.curve_points(log, "eval_perplexity", "tokens")
    train = [(at, math.exp(loss)) for at, loss in plots.curve_points(log, "loss", "tokens") if loss < 20]
    if not held_out:
        return None
    top = 1.3 * max(value for _, value in held_out)
    shown = [point for point in train if point[1] <= top]
    end = max(at for at, _ in [*held_out, *shown])
    plot = Plot("Perplexity over the tokens", (0, end), (1, top), "tokens learnt from", "perplexity").grid()
    plot.line(thin(shown), "s0 soft").line(held_out, "s1").dots(held_out, "s1")
    return plot.names([("training", "s0"), ("validation", "s1")]).svg()


def _bits(log: plots.Lines) -> Markup | None:
    points = plots.curve_points(log, "eval_bits_per_byte", "tokens")
    if not points:
        return None
    low, high = min(value for _, value in points), max(value for _, value in points)
    margin = max(0.15 * (high - low), 0.005)
    y = (low - margin, high + margin)
    plot = Plot("Bits per byte over the tokens", (0, points[-1][0]), y, "tokens learnt from", "bits per byte").grid()
    return plot.line(points, "s1").dots(points, "s1").svg()


def distribution(seen: Predictions) -> dict[str, Any]:
    """How many bits per byte each document took: a histogram, and the quartiles."""
    sizes, nats = (seen.table[name].to_numpy().astype(float) for name in ("bytes", "nll"))
    bits = nats[sizes > 0] / sizes[sizes > 0] / math.log(2)
    if not len(bits):
        return {"plot": None, "documents": 0, "quartiles": []}
    top = float(np.quantile(bits, 0.99)) if len(bits) > 100 else float(bits.max())  # one strange document is no axis
    plot = plots.histogram("Bits per byte of the documents", np.minimum(bits, top), "bits per byte", "documents")
    quartiles = np.quantile(bits, [0.25, 0.5, 0.75]).tolist()
    return {"plot": plot.svg(), "documents": len(bits), "quartiles": quartiles}


def _samples(run: Run) -> list[dict[str, Any]]:
    """Each prompt with what was made of it, look by look."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in run.lines("samples.jsonl"):
        texts = entry.get("prompt"), entry.get("completion")
        if not isinstance(entry.get("step"), int) or not all(isinstance(text, str) for text in texts):
            raise run.damaged("samples.jsonl")
        found.setdefault(entry["prompt"], []).append(entry)
    return [{"prompt": prompt, "looks": _spread(looks)} for prompt, looks in found.items()]


def _spread(looks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    few = min(LOOKS, len(looks))
    return [looks[round(place * (len(looks) - 1) / max(1, few - 1))] for place in range(few)]


def _passages(found: Any) -> dict[str, list[dict[str, Any]]]:
    """Hardest and easiest documents, their tokens with a shade each."""
    parts: dict[str, list[dict[str, Any]]] = {"hardest": [], "easiest": []}
    for entry in found if isinstance(found, list) else [found]:
        tokens = [
            {"text": str(text), "nats": loss, "shade": None if loss is None else shade(float(loss))}
            for text, loss in entry["tokens"]
        ]
        bits = float(entry["bits_per_byte"])
        parts[entry["kind"]].append({"id": entry["id"], "bits": bits, "tokens": tokens, "more": entry["more"]})
    return parts
