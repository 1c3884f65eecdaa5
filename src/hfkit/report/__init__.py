"""The report of a run, the model card and the comparison of runs, all from run directories."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hfkit.run import Run, unwritable, write_text

if TYPE_CHECKING:
    from hfkit.report.ranking import Comparison

__all__ = ["compare", "table", "write_report"]


def write_report(run: Run | str | Path) -> None:
    """Write `report.html` and the model card `README.md` into a finished run, and print its table.

    Everything comes from the run's files, so it can be made again at any time. In a run of several processes only the
    first one does it.

    Raises:
        HfkitError: `run` is no run, or not finished, or its folder cannot be written.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    from hfkit.report.card import card
    from hfkit.report.page import page

    run = _run(run)
    try:
        write_text(run.path / "report.html", page(run))
        write_text(run.path / "README.md", card(run))
    except OSError as error:
        raise unwritable(run.path, error, "copy the run") from error
    print(f"\n{table(run)}\n\nReport: {run.path / 'report.html'}\nModel card: {run.path / 'README.md'}", flush=True)


def table(run: Run | str | Path) -> str:
    """The table that a run ends with: the model beside its baselines, with intervals and the paired test."""
    from hfkit.report.screen import table as build

    return build(_run(run))


def compare(runs: "list[Run] | list[str] | list[Path]", output: str | Path | None = None) -> "Comparison":
    """Rank runs that answered the same test rows; see `hfkit.report.ranking`."""
    from hfkit.report.ranking import compare as build

    return build([_run(run) for run in runs], output)


def _run(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else Run(run)
