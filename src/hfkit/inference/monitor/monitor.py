"""monitor: new rows through a finished run, held against its validation rows; a page, a line of history, a verdict."""

import datetime
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from hfkit.base.atomic import write_json, write_text, writing
from hfkit.base.sanitize import line
from hfkit.config import FileArguments
from hfkit.data.tables.table import counted
from hfkit.evaluation import wording
from hfkit.evaluation.drift.shift import look_alpha
from hfkit.inference.monitor import history, window
from hfkit.inference.monitor.look import Pieces, look
from hfkit.inference.pipelines import predict_file
from hfkit.inference.readers import column_of, open_rows
from hfkit.inference.writers import open_writer
from hfkit.models.loading import read_tokenizer
from hfkit.runs import run as runs
from hfkit.runs.run import Run

ANSWERS, TO_LABEL = "answers.parquet", "rows_to_label.csv"


def monitor(
    run: str | Path,
    input: str | Path,
    output: str | Path | None = None,
    label_column: str | None = None,
    since: str | None = None,
    alpha: float = 0.05,
    **options: Any,
) -> dict[str, Any]:
    """Answer the rows of a file or the pictures of a folder and say whether they are of the kind that the run knows.

    Tests of what is answered, how surely, and, of texts, of lengths, of tokens for 100 characters and of what is
    written are corrected for each other and for all looks before: `alpha` is the chance that any of them ever is wrong
    where nothing changes. Without labels the accuracy is estimated; where drift is found that is worth nothing, and
    `rows_to_label.csv` has the rows whose labels would tell. With `label_column` the accuracy is counted.

    Writes `answers.parquet`, `monitor.json`, `monitor.html` and a line of `history.jsonl` to `output`, by default
    `monitor` in the run.
    `since="last"` looks at what a growing file has more than at its last look. `options` are those of
    `hfkit.inference.predict_file`. Returns what monitor.json says. Raises HfkitError: the run is not finished, learnt
    anything but one label a row or keeps no validation predictions; the file was looked at before; a label that the
    model does not know; and what `predict_file` raises."""
    finished, name = Run(run), str(input)
    finished.check_finished()
    folder = Path(output or finished.path / "monitor")
    past = history.History(folder)
    if since is None:
        past.refuse_again(Path(input))
    with runs.reading(finished):
        known, tested = window.reference(finished), _tested(finished)
        names = [str(label) for label in finished.info["task_settings"]["labels"]]
    how = FileArguments(**{one.name: options[one.name] for one in fields(FileArguments) if options.get(one.name)})
    with tempfile.TemporaryDirectory() as place, writing(folder, "set --output"):
        rows = Path(input)
        if since is not None:
            rows = Path(place) / "new.parquet"
            history.newer(Path(input), past.last_of(name), how, rows)
        truth = None if label_column is None else window.true_labels(rows, label_column, names, how)
        texts = _text_columns(finished, rows, how, options)
        folder.mkdir(parents=True, exist_ok=True)
        predict_file(finished.path, rows, folder / ANSWERS, **options)
        new = window.answered(folder / ANSWERS, names, texts, truth)
        pieces = _pieces(finished, options.get("trust_remote_code", False)) if texts else None
        number = len(past) + 1
        found = look(known, new, names, look_alpha(alpha, number), tested, pieces)
        found = {"run": finished.info["name"], "input": name, "look": number, "asked_alpha": alpha} | found
        found["rows_to_label"] = _write_rows(folder, found.pop("to_label") if found["drift"] else [])
        past.add(_entry(found) | history.seen(Path(input), how))
        write_json(folder / "monitor.json", found)
        write_text(folder / "monitor.html", _page(found, past.looks))
    print(*told(found), f"Written to {folder / 'monitor.html'} and monitor.json", sep="\n")
    return found


def _entry(found: dict[str, Any]) -> dict[str, Any]:
    """A look's line of the history."""
    kept = {name: found[name] for name in ("input", "look", "rows", "drift", "estimated_accuracy", "accuracy")}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return kept | {"shifts": [one["name"] for one in found["shifts"] if one["drifted"]], "time": now}


def told(found: dict[str, Any]) -> list[str]:
    """What a look found, a line a test, and what the answers are worth."""
    rows = [["", "size of the shift", "before", "now", "p"]]
    for one in found["shifts"]:
        ends = ["" if one[end] is None else f"{one[end]:.3g}" for end in ("was", "now")]
        mark = "  drift" if one["drifted"] else ""
        rows.append([one["title"], f"{one['size']:.3f}", *ends, wording.p_value(one["p_value"]) + mark])
    lines = [f"{line(found['input'])}: {counted(found['rows'], 'row')}, look {found['look']}", *wording.aligned(rows)]
    return [*lines, "", *worth(found)]


def worth(found: dict[str, Any]) -> list[str]:
    """Sentences: the accuracy, counted or estimated, and what to do."""
    drifted = [one["title"] for one in found["shifts"] if one["drifted"]]
    said = [f"Drift: {', '.join(drifted)}." if drifted else "Quiet: these rows are of the kind that the run knows."]
    if (counted_ := found["accuracy"]) is not None:
        ends = f"{counted_['low']:.3f} to {counted_['high']:.3f}"
        return [*said, f"Accuracy {counted_['value']:.3f} ({ends}) on {counted_['n']:,} labelled rows."]
    estimate = found["estimated_accuracy"]
    ends = f"{estimate['low']:.3f} to {estimate['high']:.3f}"
    if not drifted:
        return [*said, f"Estimated accuracy, without labels: {estimate['value']:.3f} ({ends})."]
    claims = f"{estimate['value']:.3f}, if claims still meant what they did in validation"
    said.append(f"Where rows drift an estimate is none: it would say {claims}.")
    if rows := found.get("rows_to_label"):
        width = f"{100 * 1.96 * 0.5 / rows**0.5:.1f} points"
        said.append(f"Label the {counted(rows, 'row')} of {TO_LABEL}: they tell it to within {width}.")
    return said


def _tested(run: Run) -> np.ndarray:
    table = run.predictions()
    return np.asarray(table["label"].to_numpy() == table["prediction"].to_numpy())


def _text_columns(run: Run, rows: Path, how: FileArguments, options: dict[str, Any]) -> list[str]:
    """The columns that `predict_file` will read texts from; none of pictures."""
    data = run.info["data"]
    if not data.get("text_column"):
        return []
    with open_rows(rows, how) as source:
        pair = options.get("text_pair_column") or data.get("text_pair_column")
        text = column_of(source, options.get("text_column"), data["text_column"])
        return [text, *([pair] if pair and pair in source.columns else [])]


def _pieces(run: Run, trust_remote_code: bool) -> Pieces:
    tokenizer = read_tokenizer(run.model_path, run.path, trust_remote_code)

    def pieces(texts: list[str]) -> np.ndarray:
        return np.array([len(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]])

    return pieces


def _write_rows(folder: Path, chosen: list[int]) -> int:
    """The chosen rows with what was answered, to be labelled, and how many; what an earlier look chose goes."""
    import pyarrow.parquet as parquet

    (folder / TO_LABEL).unlink(missing_ok=True)
    if not chosen:
        return 0
    table = parquet.read_table(folder / ANSWERS).take(chosen)
    with open_writer(folder / TO_LABEL, ["row", *table.column_names[:-2]], table.column_names[-2:]) as writer:
        writer.write([{"row": place + 1} | row for place, row in zip(chosen, table.to_pylist(), strict=True)])
    return len(chosen)


def _page(found: dict[str, Any], looks: list[dict[str, Any]]) -> str:
    from hfkit.report.page import templates
    from hfkit.report.svg import Plot

    plot = Plot("Accuracy by look", (0.5, len(looks) + 0.5), (0, 1), "look", "accuracy").grid(range(1, len(looks) + 1))
    for one in looks:
        found_, kind = one["accuracy"] or one["estimated_accuracy"], "s1" if one["drift"] else "s0"
        if one["accuracy"] or not one["drift"]:
            plot.whisker(one["look"], found_["low"], found_["high"], kind).dots([(one["look"], found_["value"])], kind)
    plot.names([("quiet", "s0"), ("drift, by labels", "s1")])
    template = templates().get_template("monitor.html.jinja")
    return template.render(found=found, looks=looks, sentences=worth(found), plot=plot.svg())
