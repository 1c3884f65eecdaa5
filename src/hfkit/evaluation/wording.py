"""How figures, names and foreign strings are written, on every page, card and table alike."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hfkit.base.sanitize import clean as clean
from hfkit.base.sanitize import flat
from hfkit.base.sanitize import line as line

if TYPE_CHECKING:
    from hfkit.evaluation.metric import Metric

ALPHA = 0.05

_BASELINES = {
    "tfidf_logreg": "TF-IDF + logistic regression",
    "pixels_logreg": "logistic regression on pixels",
    "majority": "majority class",
    "byte_ngram": "counts of six bytes in a row",
    "byte_unigram": "counts of single bytes",
    "bm25": "BM25",
    "untuned": "the model before training",
    "linear_probe": "linear model on the pictures",
    "class_mean": "nearest mean of a class",
    "bag_of_words": "words guessed from the picture",
}
# Of a problem type, where the same baseline is another model.
_RIDGE = {name: known.replace("logistic", "ridge") for name, known in _BASELINES.items()}
_BASELINES_OF = {"regression": _RIDGE | {"majority": "mean of the training labels"}}


def python(value: Any) -> str:
    """A path as a string of Python, for a snippet that is copied."""
    return json.dumps(flat(value), ensure_ascii=False)


def shell(value: Any) -> str:
    """A path as one word of a shell, for a command that is copied; a backtick would end the code that it stands in."""
    return shlex.quote(flat(value).replace("`", "\ufffd"))


def _metric(figure: str) -> "Metric":
    from hfkit.evaluation.metric import named  # with numpy, which `hfkit runs` can do without until a run has figures

    return named(figure)


def title(figure: str) -> str:
    """A figure's name on a page."""
    return _metric(figure).title


def capital(text: str) -> str:
    """The text with a capital first letter, the rest as it is; a name such as nDCG@10 keeps its small one."""
    first = text.partition(" ")[0]
    return text if first[1:] != first[1:].lower() else text[:1].upper() + text[1:]


def baseline_title(name: str, problem_type: str | None, rows: int | None = None) -> str:
    """A baseline's name on a page; with `rows`, the training rows it was fitted on where those are not all."""
    names = _BASELINES | _BASELINES_OF.get(problem_type or "", {})
    known = names.get(name, name.replace("_", " "))
    return known if rows is None else f"{known}, fitted on {count(rows)} rows"


def figures(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of metrics.json that have an interval."""
    return {name: entry for name, entry in metrics.items() if isinstance(entry, dict) and "low" in entry}


def rival(metrics: Mapping[str, Any]) -> str | None:
    """The baseline that the verdict is about: the one that looks at the rows. None where there is none."""
    return next((name for name in metrics["baselines"] if name != "majority"), None)


def number(value: float, figure: str = "accuracy") -> str:
    """A figure's value: shares with three decimals, errors in their own unit with four digits."""
    return _unsigned_zero(f"{value:.3f}" if _metric(figure).unit else f"{value:.4g}")


def interval(entry: Mapping[str, float], figure: str = "accuracy") -> str:
    """`0.889 to 0.912`."""
    return f"{number(entry['low'], figure)} to {number(entry['high'], figure)}"


def gap(value: float, figure: str = "accuracy") -> str:
    """A difference with its sign: shares in points of 100, errors in their own unit."""
    return _unsigned_zero(f"{100 * value:+.1f}" if _metric(figure).unit else f"{value:+.3g}")


def gaps(entry: Mapping[str, float], figure: str = "accuracy") -> str:
    """A difference's interval: `-1.2 to +3.4`."""
    return f"{gap(entry['low'], figure)} to {gap(entry['high'], figure)}"


def _unsigned_zero(text: str) -> str:
    """A number that is rounded to nothing has no sign."""
    return text if float(text) else text.lstrip("+-")


def unit(figure: str) -> str:
    """What stands after a difference: " points", or nothing for a figure in a unit of its own."""
    return f" {_metric(figure).unit}".rstrip()


def p_value(value: float) -> str:
    """`0.034`, `1e-10`; with one digit, since more would claim what no test knows."""
    if value < 1e-99:
        return "< 1e-99"
    return f"{value:.0e}".replace("e-0", "e-") if value < 0.001 else f"{value:.2g}"


def p_equals(value: float) -> str:
    """`p = 0.034`, `p < 1e-99`."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 44 s`, `2 h 05 min`."""
    if seconds < 0.05:
        return "under 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def count(value: float) -> str:
    """`22,713,986`."""
    return f"{value:,.0f}"


def big(value: float) -> str:
    """`22.7 M`."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def better(value: float, figure: str) -> float:
    """A difference turned so that more is better."""
    return value if _metric(figure).better == "higher" else -value


def verdict(metrics: Mapping[str, Any]) -> str | None:
    """One plain sentence: whether the model beats its rival, by how much, and how sure that is. None without one."""
    baseline = rival(metrics)
    if baseline is None:
        return None
    figure, test = metrics["primary_metric"], metrics["baselines"][baseline]["difference"]
    name = baseline_title(baseline, metrics.get("problem_type"))
    ahead = better(test["value"], figure)
    size = gap(ahead, figure).lstrip("+-")
    amount = f"{size}{unit(figure)}" if unit(figure) else f"{size} in {title(figure)}"
    # As the table beside it has it: of model minus baseline.
    proof = f"95 % interval {gaps(test, figure)}, {test['test']} {p_equals(test['p_value'])}"
    if test["p_value"] < ALPHA:
        return f"The model {'beats' if ahead > 0 else 'is worse than'} {name} by {amount} ({proof})."
    rows = power(test, metrics.get(figure, {}).get("n"), figure)
    if not float(size):
        return f"The model does not beat {name}: the two are level ({proof}).{rows}"
    side = "ahead" if ahead > 0 else "behind"
    return f"The model does not beat {name}: it is {amount} {side}, which may be chance ({proof}).{rows}"


def power(test: Mapping[str, Any], rows: int | None, figure: str) -> str:
    """Of a difference that was not found, which one these rows would have shown, and how many show the one that was
    seen; nothing where the rows are not counted, or do not differ at all."""
    from hfkit.evaluation.stats import rows_for, shown_by  # with scipy, which only figures need

    if not rows or test["high"] <= test["low"]:
        return ""
    least = gap(shown_by(test["low"], test["high"]), figure).lstrip("+")
    told = f" {count(rows)} rows show a difference of {least}{unit(figure)} four times in five"
    if not float(seen := gap(abs(test["value"]), figure).lstrip("+-")):
        return f"{told}."
    return (
        f"{told}; one of {seen} takes about {count(_round(rows_for(test['value'], rows, test['low'], test['high'])))}."
    )


def _round(rows: int) -> int:
    """Two digits: more would claim what no plan knows."""
    return round(rows, 2 - len(str(rows))) if rows > 99 else rows


def wins(metrics: Mapping[str, Any]) -> bool:
    """Whether the model has a rival and beats it, significantly."""
    baseline = rival(metrics)
    test = metrics["baselines"][baseline]["difference"] if baseline else {"p_value": 1.0}
    return bool(test["p_value"] < ALPHA and better(test["value"], metrics["primary_metric"]) > 0)


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows of cells as lines: the first column to the left, the others to the right, a rule below the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append((indent + "  ".join(cells)).rstrip())
    return [lines[0], indent + "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]]
