"""What only a report of a search shows: where the right documents stand, by length of the query, the worst queries."""

from typing import Any

import numpy as np
from markupsafe import Markup

from hfkit.base.untrusted import read_json_file
from hfkit.evaluation import stats, wording
from hfkit.evaluation.ranking import found_at, ndcg
from hfkit.report import plots
from hfkit.report.analysis import Predictions, among_lengths, written
from hfkit.report.page import section
from hfkit.runs.run import Run
from hfkit.tasks.sentence_similarity.vectors.found import FILE, first_places

PLACES = {"first": (1, 1), "second or third": (2, 3), "4 to 10": (4, 10), "11 to 100": (11, 100)}

WORST = 12
"""Pairs with a score that a page shows."""


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    """What the page shows of a search, or of pairs with a score."""
    with written(run):
        if "reference" in seen.table.column_names:
            shown = section(
                str(__package__),
                "found.html.jinja",
                places=_places(run, seen),
                lengths=_by_length(seen),
                worst=_worst(run),
            )
        else:
            truth, answer = (seen.table[name].to_numpy() for name in ("label", "prediction"))
            shown = section(
                str(__package__),
                "pairs.html.jinja",
                plot=plots.scatter(truth, answer),
                worst=_pairs(seen, truth, answer),
            )
    return {"own": [shown]}


def _places(run: Run, seen: Predictions) -> list[dict[str, Any]]:
    """How many queries have their first right document where: of the model and of its rivals."""
    names = {str(run.info["model"]["name"]): "prediction"} | {
        wording.baseline_title(name.removeprefix("baseline_"), None, None): name
        for name in seen.table.column_names
        if name.startswith("baseline_")
    }
    found = []
    for title, column in names.items():
        places = first_places(seen.table, column)
        counts = [int(((places >= low) & (places <= high)).sum()) for low, high in PLACES.values()]
        found.append({"title": title, "counts": [*counts, len(places) - sum(counts)]})
    return found


def _by_length(seen: Predictions) -> Markup:
    """nDCG among short to long queries, drawn."""
    columns: Any = {name: seen.table[name].to_pylist() for name in ("prediction", "reference", "grades")}
    values, length = ndcg(found_at(columns)), np.array([len(text) for text in seen.table["text"].to_pylist()])
    units = seen.table["group"].to_pylist() if "group" in seen.table.column_names else list(range(len(values)))

    def of(rows: np.ndarray) -> stats.Interval:
        own = values[rows]
        groups = [str(unit) for unit, here in zip(units, rows, strict=True) if here]
        return stats.resampled(float(own.mean()), lambda n: n @ own / n.sum(axis=1), len(own), groups=groups)

    return plots.by_length(among_lengths(length, of), "nDCG@10", "characters of the query")


def _worst(run: Run) -> list[dict[str, Any]]:
    """The queries that the run keeps, with what was found."""
    path = run.path / FILE
    rows = read_json_file(path) if path.is_file() else []
    return [
        {
            "id": str(row["id"]),
            "text": str(row["text"]),
            "place": row["place"],
            "found": [dict(one) for one in row["found"]],
        }
        for row in rows
    ]


def _pairs(seen: Predictions, truth: np.ndarray, answer: np.ndarray) -> list[dict[str, Any]]:
    """The pairs whose cosine ranks farthest from their score."""
    ranks = [
        np.argsort(np.argsort(values, kind="stable"), kind="stable") / max(1, len(values)) for values in (truth, answer)
    ]
    order = np.argsort(-np.abs(ranks[0] - ranks[1]), kind="stable")[:WORST]
    rows = seen.table.select(["id", "text", "text_pair", "label", "prediction"]).take(order.tolist())
    return list(rows.to_pylist())
