"""The report of a run, the model card and the comparison of runs, all from run directories."""

from pathlib import Path
from typing import TYPE_CHECKING

from hfkit.base.atomic import digest, write_text, writing
from hfkit.base.processes import is_first
from hfkit.runs.run import Run, reading

if TYPE_CHECKING:
    from hfkit.report.compare_runs import Comparison

__all__ = ["compare", "table", "write_report"]


def write_report(run: Run | str | Path, license: str | None = None) -> None:
    """Write `report.html` and the model card `README.md` into a finished run, and print its table. Everything comes
    from the run's files, so it can be made again at any time; of several processes only the first one does it.
    `license` is what the weights are published under, such as apache-2.0; kept in run.json. Else the card names the
    base model's, where that is known. Raises HfkitError: `run` is no run, not finished or damaged, or its folder cannot
    be written."""
    if not is_first():
        return
    from hfkit.report.card import card
    from hfkit.report.page import page

    run = _run(run)
    if license is not None:
        run.update(license=license)
    with reading(run):
        files, shown = {"report.html": page(run), "README.md": card(run)}, table(run)
    with writing(run.path, "copy the run"):
        for name, text in files.items():
            write_text(run.path / name, text)
    # It may have been moved since; and what is in the card beyond this is somebody's own.
    run.update(name=run.info["name"], card=digest(files["README.md"].encode())["sha256"])
    print(f"\n{shown}\n\nReport: {run.path / 'report.html'}\nModel card: {run.path / 'README.md'}", flush=True)


def table(run: Run | str | Path) -> str:
    """The table that a run ends with: the model beside its baselines with intervals and paired differences, and the
    verdict."""
    from hfkit.evaluation import wording
    from hfkit.report.page import beside

    run = _run(run)
    with reading(run):
        found, info, (model, *others) = run.metrics, run.info, beside(run)
        primary, sizes = found["primary_metric"], found.get("parameters")
        rows = [["", wording.title(primary), "95 % interval", *["model minus it", "95 % interval", "p"] * bool(others)]]
        for row in [model | {"name": wording.line(model["name"], 48)}, *others]:
            cells = [row["name"], wording.number(row["value"], primary), wording.interval(row, primary)]
            if test := row["difference"]:
                gap = wording.gap(test["value"], primary) + wording.unit(primary)
                cells += [gap, wording.gaps(test, primary), wording.p_value(test["p_value"])]
            rows.append(cells + [""] * (len(rows[0]) - len(cells)))
        split = found.get("split", "test")
        rows_of = f"{wording.count(model['n'])} {split} rows of {wording.line(info['data']['name'])}"
        lines = [f"{wording.line(info['name'])}: {rows_of}", "", *wording.aligned(rows)]
        if sizes and sizes["trainable"] < sizes["total"]:
            share = sizes["trainable"] / sizes["total"]
            lines += ["", f"{sizes['trainable']:,} of {sizes['total']:,} parameters learnt ({share:.2%})."]
        if verdict := wording.verdict(found):
            lines += ["", verdict]
    return "\n".join(lines)


def compare(
    runs: "list[Run] | list[str] | list[Path]", output: str | Path | None = None, ensemble: bool = False
) -> "Comparison":
    """Rank runs that answered the same test rows; see `hfkit.report.compare_runs`."""
    from hfkit.report.compare_runs import compare as build

    found = [_run(run) for run in runs]
    with reading(*found):
        return build(found, output, ensemble)


def _run(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else Run(run)
