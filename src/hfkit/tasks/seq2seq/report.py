"""What only a report of written texts shows: what kinds of outputs there are, figures by length, and the worst ones."""

from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from hfkit.base.errors import HfkitError
from hfkit.evaluation import stats
from hfkit.evaluation.metric import Metric, columns_of
from hfkit.report import plots
from hfkit.report.analysis import Predictions, of_like_length
from hfkit.report.page import section
from hfkit.runs.run import Run
from hfkit.tasks.discover import find
from hfkit.tasks.seq2seq.task import OUTPUTS

WORST, LOOPS = 12, 4  # rows that a page shows, and as many of each kind of output that is no answer

RESAMPLES = 300

AT_ONCE = 200  # rows whose own figures are computed together


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    if missing := {"source", "references", "prediction", "unfinished"} - set(seen.table.column_names):
        raise HfkitError(f"{run.path / 'predictions.parquet'} lacks what hfkit writes: {', '.join(sorted(missing))}")
    metric = find(str(run.info["task"])).metrics(run.info["task_settings"])[0]
    own = row_figures(seen.table, metric)
    shown = section(
        str(__package__),
        "outputs.html.jinja",
        metric=metric,
        kinds=_kinds(run, seen.table),
        lengths=_by_length(seen.table, metric),
        worst=_rows(seen.table, own, _worst(own, metric)),
        loops=_rows(seen.table, own, _ill(seen.table)),
    )
    log = run.log()
    looks = plots.score(log, metric.name, (run.info.get("training") or {}).get("best_step"))
    return {"own": [shown], "curves": [plots.losses(log), looks], "lengths": None}


def row_figures(table: pa.Table, metric: Metric) -> np.ndarray:
    """(rows,): the figure of each row alone, NaN where it has none."""
    columns, found = columns_of(table, [metric]), []
    for start in range(0, len(table), AT_ONCE):
        stop = min(len(table), start + AT_ONCE)
        weights = np.zeros((stop - start, len(table)))
        weights[np.arange(stop - start), np.arange(start, stop)] = 1
        found.append(metric.values(columns, weights))
    return np.concatenate(found) if found else np.zeros(0)


def _kinds(run: Run, table: pa.Table) -> list[dict[str, Any]]:
    """How many outputs are no answers, and in which way."""
    shares = {name: run.metrics[name]["value"] for name in OUTPUTS if name in run.metrics}
    shares["unfinished"] = float(np.mean(table["unfinished"].to_numpy()))
    return [
        {"told": OUTPUTS[name], "rows": round(share * len(table)), "share": share} for name, share in shares.items()
    ]


def _by_length(table: pa.Table, metric: Metric) -> Markup | None:
    """The figure among short to long sources, drawn."""
    length = np.array([len(text) for text in table["source"].to_pylist()], dtype=np.float64)
    groups = []
    for kept in of_like_length(length):
        columns = columns_of(table.filter(pa.array(kept)), [metric])
        rows = int(kept.sum())
        drawn = [metric.values(columns, weights) for weights in stats.resample_counts(rows, RESAMPLES)]
        value = float(metric.values(columns, np.ones((1, rows)))[0])
        if np.isfinite(value):
            ends = {"from": int(length[kept].min()), "to": int(length[kept].max()), "rows": rows}
            groups.append(ends | {"score": stats.percentile(value, np.concatenate(drawn))})
    return plots.by_length(groups, metric.title, "characters of the source") if groups else None


def _worst(own: np.ndarray, metric: Metric) -> list[int]:
    """Rows with the worst figures of their own; those that are right in full are left out."""
    sign = 1 if metric.better == "higher" else -1
    order = np.argsort(sign * np.nan_to_num(own), kind="stable")
    best = np.nanmax(sign * own, initial=-np.inf)
    wrong = [int(row) for row in order if sign * own[row] < best or metric.right is None]
    return wrong[:WORST]


def _ill(table: pa.Table) -> list[int]:
    """Rows whose output was cut off: what loops is among them."""
    return np.flatnonzero(table["unfinished"].to_numpy())[:LOOPS].tolist()


def _rows(table: pa.Table, own: np.ndarray, places: list[int]) -> list[dict[str, Any]]:
    """Source, reference and output side by side."""
    rows = table.take(places).to_pylist() if places else []
    found = []
    for place, row in zip(places, rows, strict=True):
        figure = float(own[place]) if np.isfinite(own[place]) else None
        others = len(row["references"]) - 1
        found.append(row | {"figure": figure, "reference": row["references"][0], "others": others})
    return found
