"""The report's plots, each from plain numbers to an inline SVG."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from hfkit.evaluation.wording import capital, line, title
from hfkit.report.svg import Plot, Points, thin, ticks

Lines = Sequence[Mapping[str, Any]]
QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def curve_points(log: Lines, key: str, along: str = "step") -> list[tuple[float, float]]:
    """(step, value) of every line of the log that has the key; a NaN can't be drawn. `along` may be "tokens"."""
    found = [(float(entry[along]), float(entry[key])) for entry in log if entry.get(key) is not None and along in entry]
    return [point for point in found if np.isfinite(point[1])]


def losses(log: Lines, along: str = "step") -> Markup | None:
    """Training loss, and the validation loss where one was taken, over the updates or, `along` "tokens", over these."""
    train, held_out = curve_points(log, "loss", along), curve_points(log, "eval_loss", along)
    if not train and not held_out:
        return None
    x, y = _ends([*train, *held_out])
    over, unit = ("updates", "updates") if along == "step" else ("tokens", "tokens learnt from")
    plot = Plot(f"Loss over the {over}", (0, x[1]), (min(0.0, y[0]), y[1]), unit, "loss").grid()
    plot.line(thin(train), "s0 soft").dots(train if len(train) == 1 else [], "s0")
    plot.line(held_out, "s1").dots(held_out, "s1")
    return plot.names([("training", "s0")] + ([("validation", "s1")] if held_out else [])).svg()


def score(log: Lines, figure: str, best_step: int | None) -> Markup | None:
    """The validation figure that picks the best model; the best look is ringed."""
    points = curve_points(log, f"eval_{figure}")
    if not points:
        return None
    x, y = _ends(points)
    margin = max((y[1] - y[0]) * 0.15, 0.005 * max(abs(y[1]), 1e-3))
    name, around = f"validation {title(figure)}", (y[0] - margin, y[1] + margin)
    plot = Plot(f"{capital(name)} over the updates", (0, x[1]), around, "updates", name).grid()
    plot.line(points, "s1").dots(points, "s1")
    for at, value in points:
        if at == best_step:
            plot.add('<circle class="ring" cx="{}" cy="{}" r="8"/>', plot.px(at), plot.py(value))
    return plot.svg()


def course(log: Lines, key: str, kind: str) -> Markup | None:
    """What was logged over the updates: the learning rate, or the norm of the gradient before clipping."""
    points = curve_points(log, key)
    if len(points) < 2:
        return None
    top, name = max(value for _, value in points), key.replace("grad_norm", "gradient_norm").replace("_", " ")
    plot = Plot(f"{capital(name)} over the updates", (0, points[-1][0]), (0, top * 1.05), "updates", name)
    return plot.grid().line(thin(points), kind).svg()


def reliability(bins: Lines, several: bool) -> Markup:
    """Bars: share that is right among answers of like claimed probability; on the dashed line it is as claimed."""
    low = min(0.5, np.floor(min(entry["from"] for entry in bins) * 10) / 10)
    given = f"probability that the model gave {'a label' if several else 'its answer'}"
    plot = Plot("Reliability diagram", (low, 1), (0, 1), given, "share that is right").grid(y_ticks=QUARTERS)
    for entry in bins:
        plot.bar(max(entry["from"], low), entry["to"], entry["right"].value, "s0 soft")
        plot.whisker(entry["claimed"], entry["right"].low, entry["right"].high, "s0")
    plot.line([(low, low), (1, 1)], "s2 dashed")
    return plot.svg()


def roc(curves: Lines) -> Markup:
    """ROC curves with the diagonal of guessing."""
    plot = Plot("ROC curve", (0, 1), (0, 1), "false positive rate", "true positive rate")
    return _curves(plot, curves, [(0, 0), (1, 1)], "AUC")


def precision_recall(curves: Lines) -> Markup:
    """Precision over recall; where there is one curve, with the precision of guessing."""
    plot = Plot("Precision-recall curve", (0, 1), (0, 1), "recall", "precision")
    guessing = [(0, curves[0]["base"]), (1, curves[0]["base"])] if len(curves) == 1 else []
    return _curves(plot, curves, guessing, "AP", on_left=True)


def _curves(plot: Plot, curves: Lines, guessing: Points, area: str, on_left: bool = False) -> Markup:
    plot.grid(QUARTERS, QUARTERS)
    if guessing:
        plot.line(guessing, "s2 dashed")
    for place, curve in enumerate(curves):
        plot.line(thin(curve["points"]), f"c{place}")
    names = [(f"{line(curve['name'], 24)}: {area} {curve['area']:.3f}", f"c{n}") for n, curve in enumerate(curves)]
    return plot.legend(names, on_left=on_left).svg()


def by_length(groups: Lines, y_label: str, unit: str = "tokens") -> Markup:
    """A dot with its interval for each group of lengths, counted in `unit`."""
    ends = [end for group in groups for end in (group["score"].low, group["score"].high)]
    margin = max(0.1 * (max(ends) - min(ends)), 0.01)
    low, high = max(0.0, min(ends) - margin), max(ends) + margin
    if y_label != "mean absolute error" and max(ends) <= 1:
        high = min(high, 1.0)
    plot = Plot(f"{y_label} by text length", (-0.5, len(groups) - 0.5), (low, high), f"length in {unit}", y_label)
    plot.grid(x_ticks=[])
    for place, group in enumerate(groups):
        plot.whisker(place, group["score"].low, group["score"].high).dots([(place, group["score"].value)], radius=4.5)
        name = f"{group['from']}–{group['to']}" if group["to"] > group["from"] else str(group["from"])
        plot.text(plot.px(place), plot.height - 26, name, "middle")
    return plot.svg()


def forest(rows: Lines, figure: str) -> Markup:
    """The model and its baselines: a dot and its interval each, on one scale."""
    ends = [end for row in rows for end in (row["low"], row["high"])]
    margin = max(0.06 * (max(ends) - min(ends)), 1e-4)
    height = 52 + 40 * len(rows)
    plot = Plot(f"{title(figure)} beside the baselines", (min(ends) - margin, max(ends) + margin), (0, 1),
                title(figure), height=height, left=14)  # fmt: skip
    for value in ticks(*plot.x):
        at = plot.px(value)
        plot.add('<line class="grid" x1="{}" x2="{}" y1="8" y2="{}"/>', at, at, height - 42)
    plot.grid(y_ticks=[])
    for place, row in enumerate(rows):
        y = 36 + 40 * place
        kind = "s1" if place == 0 else "s0"
        plot.text(plot.left, y - 12, line(row["name"], 48), kind="key")
        low, value, high = (plot.px(row[name]) for name in ("low", "value", "high"))
        plot.add('<line class="whisker {}" x1="{}" x2="{}" y1="{}" y2="{}"/>', kind, low, high, y, y)
        plot.add('<circle class="dot {}" cx="{}" cy="{}" r="4.5"/>', kind, value, y)
    return plot.svg()


def scatter(truth: np.ndarray, answer: np.ndarray, at_most: int = 1500) -> Markup:
    """Truth against prediction; the dashed line is a perfect answer. At most so many rows, evenly taken."""
    step = max(1, len(truth) // at_most)
    points = list(zip(truth[::step].tolist(), answer[::step].tolist(), strict=True))
    low, high = float(min(truth.min(), answer.min())), float(max(truth.max(), answer.max()))
    plot = Plot("Truth against prediction", (low, high), (low, high), "truth", "prediction").grid()
    plot.line([(low, low), (high, high)], "s2 dashed")
    return plot.dots(points, "s0 faint", 2.5).svg()


def errors(truth: np.ndarray, answer: np.ndarray) -> Markup:
    """Histogram of prediction minus truth."""
    plot = histogram("Errors", answer - truth, "prediction minus truth", "rows")
    return plot.line([(0.0, 0.0), (0.0, plot.y[1])], "s2 dashed").svg()


def histogram(title: str, values: np.ndarray, x_label: str, y_label: str) -> Plot:
    """How many of the values, (rows,), are how large, to be drawn on."""
    counts, edges = np.histogram(values, bins=min(30, max(5, int(np.sqrt(len(values))))))
    ends = float(edges[0]), float(edges[-1])
    plot = Plot(title, ends, (0.0, float(counts.max()) * 1.05), x_label, y_label).grid()
    for number, left, right in zip(counts.tolist(), edges.tolist(), edges[1:].tolist(), strict=False):
        if number:
            plot.bar(left, right, number, "s0 soft")
    return plot


def _ends(points: Points) -> tuple[tuple[float, float], tuple[float, float]]:
    """The extent of some points in both directions."""
    x, y = zip(*points, strict=True)
    return (min(x), max(x)), (min(y), max(y))
