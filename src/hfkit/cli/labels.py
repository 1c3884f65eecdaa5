"""The command `hfkit labels`: which labels of a run's data, or of a data set, are wrong? It ranks and changes none."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError

if TYPE_CHECKING:
    from hfkit.evaluation.wrong_labels.doubts import Doubts

HELP = "which labels of a run or a data set are wrong"
_USAGE = "%(prog)s RUN [--output FILE.csv]\n       %(prog)s --dataset NAME [--output FILE.csv] [--flag value ...]"
SHOWN = 20
"""Rows on the screen, and test rows in a run's report."""


def parse_labels(flags: list[str]) -> argparse.Namespace:
    """The options of `hfkit labels ...`, with what to run. Ends the process with status 2 on wrong usage."""
    from hfkit.config.parsing import DataParser

    of_run = bool(flags) and not flags[0].startswith("-")
    parser: Any = argparse.ArgumentParser("hfkit labels", allow_abbrev=False, usage=_USAGE, description=HELP)
    if not of_run:
        parser = DataParser("hfkit labels", _USAGE, HELP)
    parser.add_argument("--output", type=Path, help="a CSV of every row for which another label is likelier")
    if not of_run:
        return argparse.Namespace(run=_of_data, **parser.parse_data(flags))
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="a finished run; its report then shows test rows")
    return argparse.Namespace(run=_of_run, **vars(parser.parse_args(flags)))


def _of_data(data: Any, output: Path | None) -> None:
    _check_ours(output)
    from hfkit.data.load import load_data
    from hfkit.evaluation.wrong_labels.doubts import doubts
    from hfkit.tasks.discover import specs

    loaded = load_data(data)
    # Tasks that read what is there and nothing else: to ask the others would import torch.
    alone = [spec for spec in specs() if {*spec.reads} <= {*loaded["train"].column_names}]
    able = [spec for spec in alone if spec.offers("baselines", "out_of_fold")]
    if not able:
        raise HfkitError("There is no column of texts or of images", where=data.dataset, fix="see --text_column")
    summary = loaded.summary
    settings = {"problem_type": summary.problem_type, "pixel_range": summary.pixel_range}
    _tell(doubts(loaded, able[0], settings), output)


def _of_run(run_folder: Path, output: Path | None) -> None:
    _check_ours(output)
    from hfkit.base.atomic import write_json, write_text, writing
    from hfkit.cli.launch import quiet_libraries

    quiet_libraries()
    from hfkit.data.load import load_data
    from hfkit.evaluation.wrong_labels.doubts import doubts
    from hfkit.report.doubted import FILE
    from hfkit.report.page import page
    from hfkit.runs.run import Run, reading
    from hfkit.tasks.discover import find
    from hfkit.training.judging.judge import saved_config

    run = Run(run_folder)
    with reading(run):
        spec, settings = find(str(run.info["task"])), run.info["task_settings"]
        fingerprints = {role: split["fingerprint"] for role, split in run.info["data"]["splits"].items()}
    if spec.offers("baselines", "out_of_fold") is None:
        doubts({}, spec, settings)  # says so before anything is read
    data = load_data(saved_config(run, trust_remote_code=False))
    other = [role for role, split in data.summary.splits.items() if split["fingerprint"] != fingerprints.get(role)]
    if other:
        what = f"The data are no longer those of the run: {', '.join(other)} changed"
        raise HfkitError(what, where=str(run.path), fix="restore them, or hfkit labels --dataset for these")
    found = doubts(data, spec, settings, run)
    _tell(found, output)
    test = [row for row in found.doubted() if found.split[row] == "test"][:SHOWN]
    kept = {
        "labels": len(found.rows),
        "wrong": {"value": found.wrong.value, "low": found.wrong.low, "high": found.wrong.high},
    }
    entries = [
        {name: entry[name] for name in entry if name not in ("text", "text_pair")} for entry in found.entries(test)
    ]
    with writing(run.path):
        write_json(run.path / FILE, kept | {"rows": entries})
        write_text(run.path / "report.html", page(run))
    print(f"Report: {run.path / 'report.html'}")


def _tell(found: "Doubts", output: Path | None) -> None:
    """The first rows on the screen, all doubted ones in a file, and about how many labels are wrong."""
    from hfkit.evaluation import wording

    doubted = found.doubted()
    texts = ["text"] if "text" in found.rows.column_names else []
    rows = [["rank", "id", "split", "label", "rather", "p(label)", "p(rather)", "judge", *texts]]
    for entry in found.entries(doubted[:SHOWN]):
        cells = [str(entry["rank"]), *(wording.line(entry[name], 24) for name in ("id", "split"))]
        cells += [wording.line(entry[name], 20) for name in ("label", "suggested_label")]
        cells += [f"{entry[name]:.3f}" for name in ("label_probability", "suggested_probability")]
        rows.append([*cells, entry["judge"], *(wording.line(entry[name], 50) for name in texts)])
    print(*wording.aligned(rows), sep="\n")
    if output:
        _write(found, doubted, output)
    value, low, high = (f"{round(figure):,}" for figure in found.wrong)
    print(f"\nabout {value} of {len(found.rows):,} labels are wrong ({low} to {high}, 95 %)")
    print(f"another label is likelier for {len(doubted):,} rows{f': {output}' if output else ''}; none was changed")


def _write(found: "Doubts", doubted: list[int], output: Path) -> None:
    from hfkit.evaluation.wrong_labels.doubts import COLUMNS
    from hfkit.inference.writers import open_writer

    texts = [name for name in ("text", "text_pair") if name in found.rows.column_names]
    with open_writer(output, list(COLUMNS), texts) as writer:
        writer.write(found.entries(doubted))
    if writer.notes:
        print(*writer.notes, sep="\n")


def _check_ours(output: Path | None) -> None:
    """Refuse, before the work, a file of another kind, and one that `hfkit labels` did not write."""
    if output is None:
        return
    if output.suffix.lower() != ".csv":
        raise HfkitError(f"{output} is no CSV", where="--output", fix="give the file the ending .csv")
    if not output.parent.is_dir():
        raise HfkitError(f"There is no folder {output.parent}", where="--output", fix="make it, or name another file")
    if output.exists():
        from hfkit.evaluation.wrong_labels.doubts import COLUMNS

        with output.open("rb") as file:
            head = file.readline(1000)
        if not head.startswith(",".join(COLUMNS).encode()):
            raise HfkitError(f"{output} is there, and hfkit labels did not write it", fix="name another file")
