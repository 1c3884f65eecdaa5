"""What only a report of answers shows: by question word and length, how sure it may be believed, answers in context."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup

from hfkit.evaluation import stats
from hfkit.report import plots
from hfkit.report.analysis import Predictions, among_lengths, written
from hfkit.report.page import section
from hfkit.report.svg import Plot, thin
from hfkit.runs.run import Run
from hfkit.tasks.question_answering.spans.overlap import by_character, normalized, score

WORST, AROUND = 12, 400  # answers that a page shows, and characters of the context on either side of them

KINDS = {
    "right": "the answer, to the word",
    "partly": "shares words with it",
    "elsewhere": "shares none",
    "missed": "none, where there is one",
    "made up": "one, where there is none",
}

_WORDS = re.compile(
    r"\b(?:how (?:many|much|long|old|far|often)|how|who|whom|whose|what|when|where|which|why)\b"
    r"|为什么|什么时候|什么|何时|何地|多少|多久|多长|如何|怎么|怎样|哪里|哪儿|哪|谁|几",
    re.IGNORECASE,
)
OTHER = "other"


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    settings = run.info["task_settings"]
    rows = _rows(run, seen, settings)
    shown = section(
        str(__package__),
        "answers.html.jinja",
        kinds=_by_kind(rows),
        words=_by_word(rows),
        lengths=_by_length(rows),
        coverage=_coverage(rows),
        area=float(np.mean(_risks(rows))),
        characters=sum(row["length_in"] == "characters" for row in rows),
        worst=_worst(rows),
    )
    return {"own": [shown]}


def _rows(run: Run, seen: Predictions, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The test rows with their scores, kind, question word and how sure the answer was."""
    found = []
    with written(run):
        may_lack, threshold = bool(settings["no_answer"]), float(settings["threshold"])
        for place, row in enumerate(seen.table.to_pylist()):
            exact, f1 = score(row["reference"], row["prediction"], may_lack)
            right, said = bool(row["reference"]), bool(row["prediction"])
            kind = "right" if exact else "partly" if f1 else "elsewhere" if right and said else None
            first = row["reference"][0] if right else ""
            asked = _WORDS.search(row["text"])
            own = {
                "f1": f1,
                "kind": kind or ("missed" if right else "made up"),
                "word": asked[0].lower() if asked else OTHER,
                "length": len(normalized(first, by_character(first))),
                "length_in": "characters" if by_character(first) else "words",
                "sure": abs(row["no_answer_score"] - threshold) if may_lack else row["score"],
                "unit": str(row.get("group", place)),
            }
            found.append(row | own)
    return found


def _f1(rows: list[dict[str, Any]]) -> stats.Interval:
    """The mean of F1 with its interval, contexts drawn anew."""
    values, units = np.array([row["f1"] for row in rows]), [row["unit"] for row in rows]
    mean = float(values.mean())
    return stats.resampled(mean, lambda counts: counts @ values / counts.sum(axis=1), len(rows), groups=units)


def _by_kind(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many answers are right, and in which way the others are not."""
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in KINDS}
    shown = [kind for kind in KINDS if counts[kind] or kind in ("right", "partly", "elsewhere")]
    return [
        {"kind": kind, "told": KINDS[kind], "rows": counts[kind], "share": counts[kind] / len(rows)} for kind in shown
    ]


def _by_word(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each question word, the most frequent first."""
    words: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        words.setdefault(row["word"], []).append(row)
    found = [
        {"word": word, "rows": len(own), "f1": _f1(own), "exact": np.mean([row["kind"] == "right" for row in own])}
        for word, own in words.items()
    ]
    return sorted(found, key=lambda row: (row["word"] == OTHER, -row["rows"]))


def _by_length(rows: list[dict[str, Any]]) -> Markup | None:
    """F1 among short to long right answers, drawn."""
    known = [row for row in rows if row["length"]]
    if not known:
        return None
    length = np.array([row["length"] for row in known])
    groups = among_lengths(length, lambda rows: _f1([known[row] for row in np.flatnonzero(rows)]))
    units = sorted({row["length_in"] for row in known}, reverse=True)
    return plots.by_length(groups, "F1", f"{' or '.join(units)} of the right answer")


def _risks(rows: list[dict[str, Any]]) -> np.ndarray:
    """(rows,) what is wrong, 1 - F1 on average, of the surest answer, the two surest, and so on."""
    ranked = sorted(rows, key=lambda row: -row["sure"])
    return np.cumsum([1 - row["f1"] for row in ranked]) / np.arange(1, len(ranked) + 1)


def _coverage(rows: list[dict[str, Any]]) -> Markup:
    """The risk-coverage curve, beside the risk of all answers."""
    risks = _risks(rows)
    plot = Plot("Risk over coverage", (0, 1), (0, 1), "share of questions answered, surest first", "1 - F1").grid()
    plot.line([(0, float(risks[-1])), (1, float(risks[-1]))], "s2 dashed")
    return plot.line(thin([((n + 1) / len(risks), float(risk)) for n, risk in enumerate(risks)]), "s0").svg()


def _worst(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers that are most wrong, the surest first, each in its context."""
    ranked = sorted((row for row in rows if row["kind"] != "right"), key=lambda row: (row["f1"], -row["sure"]))
    return [row | {"parts": _marked(row)} for row in ranked[:WORST]]


def _marked(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The context around both answers, in runs: of the right answer, of the one that is said, of both, of neither."""
    context, begin = row["text_pair"], row["reference_start"]
    gold = range(begin, begin + len(row["reference"][0])) if row["reference"] and begin >= 0 else range(0)
    said = range(row["start"], row["end"]) if row["prediction"] else range(0)
    inside = [at for span in (gold, said) if span for at in (span.start, span.stop)] or [0]
    low, high = max(0, min(inside) - AROUND), min(len(context), max(inside) + AROUND)
    cuts = sorted({low, high, *(at for at in inside if low < at < high)})
    found = [{"text": context[a:b], "gold": a in gold, "said": a in said} for a, b in pairwise(cuts)]
    return [{"text": "…", "gold": False, "said": False}] * (low > 0) + found
