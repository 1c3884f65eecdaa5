"""The table that a run ends with on the screen."""

from collections.abc import Sequence

from hfkit.evaluation import wording
from hfkit.runs.run import Run


def table(run: Run) -> str:
    """The primary figure of the model and its baselines with intervals and paired differences, and the verdict."""
    found, info = run.metrics, run.info
    primary, problem = found["primary_metric"], found.get("problem_type")
    header = ["", wording.title(primary), "95 % interval"]
    rows = [[wording.line(info["model"]["name"], 48), *_figure(found, primary)]]
    if found["baselines"]:
        header += ["model minus it", "95 % interval", "p"]
        rows[0] += ["", "", ""]
    for name, entry in found["baselines"].items():
        test = entry["difference"]
        ends = wording.gaps(test, primary)
        rows.append(
            [
                wording.baseline_title(name, problem, entry.get("rows")),
                *_figure(entry, primary),
                wording.gap(test["value"], primary) + wording.unit(primary),
                ends,
                wording.p_value(test["p_value"]),
            ]
        )
    split = found.get("split", "test")
    rows_of = f"{wording.count(found[primary]['n'])} {split} rows of {wording.line(info['data']['name'])}"
    lines = [f"{wording.line(info['name'])}: {rows_of}", "", *aligned([header, *rows])]
    sizes = found.get("parameters") or {}
    if sizes and sizes["trainable"] < sizes["total"]:
        share = sizes["trainable"] / sizes["total"]
        lines += ["", f"{sizes['trainable']:,} of {sizes['total']:,} parameters learnt ({share:.2%})."]
    if verdict := wording.verdict(found):
        lines += ["", verdict]
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows of cells as lines: the first column to the left, the others to the right, a rule below the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append((indent + "  ".join(cells)).rstrip())
    return [lines[0], indent + "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]]


def _figure(entry: dict, primary: str) -> list[str]:
    return [wording.number(entry[primary]["value"], primary), wording.interval(entry[primary], primary)]
