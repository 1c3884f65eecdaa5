"""calibrate: what a finished run's validation rows say of its probabilities is kept in its model, and applied."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError
from hfkit.cli import add_command, late

if TYPE_CHECKING:
    import pyarrow as pa

    from hfkit.runs.run import Run

RAW = "uncalibrated_"
"""Before the names of the columns of predictions.parquet that hold what the model itself said."""


def calibrate_command(commands: Any) -> None:
    """Add calibrate."""
    run = late("hfkit.cli.calibrate", "calibrate")
    what = "make a classifier's probabilities true, on its own validation rows"
    parser = add_command(commands, "calibrate", run, what)
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="a finished run")
    ways = ("auto", "temperature", "platt", "isotonic")
    auto = "auto: the best of them on rows that it was not fitted on, if any is any good; isotonic needs 1,000 rows"
    parser.add_argument("--method", default="auto", choices=ways, help=f"{auto} (default)")
    rules = "answer other labels than the likeliest: f1, by thresholds that make it best; cost, by --costs"
    parser.add_argument("--optimize", choices=("f1", "cost"), help=rules)
    table = "what mistakes cost: a row a true label, a column an answer; of several labels columns label, missed, wrong"
    parser.add_argument("--costs", type=Path, metavar="FILE", help=table)
    parser.add_argument("--undo", action="store_true", help="the model as it was before")


def calibrate(
    run_folder: str | Path,
    method: str = "auto",
    optimize: str | None = None,
    costs: Path | None = None,
    undo: bool = False,
) -> dict[str, Any] | None:
    """Calibrate a finished run's classifier on validation.parquet: see `hfkit.evaluation.confidence.chosen`.

    The calibration is kept in the model's config, where `hfkit.pipeline`, `predict`, the Space and whoever fetches the
    published run find it. The run's test figures are taken anew, with the old ones beside them; no test label is used
    for anything else. All files change together or not at all. Again with the same arguments it changes nothing.
    Returns what was chosen. Raises HfkitError: the run has no probabilities, or its validation rows say nothing."""
    from hfkit.report import write_report
    from hfkit.runs.run import Run, reading
    from hfkit.tasks.discover import find

    run = Run(run_folder)
    run.check_finished()
    if (optimize == "cost") != (costs is not None):
        raise HfkitError("--optimize cost and --costs FILE go together", fix="give both, or neither")
    with reading(run):
        task = find(run.info["task"]).task_class.from_settings(run.info["task_settings"]).calibrated(None)
    chosen = None if undo else _chosen(run, task, method, {"optimize": optimize}, costs)
    run.hold()
    try:
        with reading(run):
            told = _write(run, task.calibrated(chosen))
    finally:
        run.release()
    print("\n".join(told))
    write_report(run)
    return chosen


def _chosen(run: "Run", task: Any, method: str, rule: dict[str, Any], costs: Path | None) -> dict[str, Any]:
    import numpy as np

    from hfkit.evaluation.confidence.chosen import calibration
    from hfkit.evaluation.metric import as_array
    from hfkit.evaluation.stats import groups_of
    from hfkit.runs.run import reading

    table = run.table("validation.parquet")
    if table is None:
        fix = f"hfkit evaluate {run.path} --split validation makes it from the data of the run"
        raise HfkitError(f"{run.path} has no validation.parquet, on which to calibrate", fix=fix)
    with reading(run):
        probabilities, labels = as_array(table["probabilities"]), as_array(table["label"])
        groups = groups_of(table)
    if seen := _seen(run, table):
        what = (
            f"{seen:,} of the {len(table):,} validation rows stood in training: the model is surer there than elsewhere"
        )
        raise HfkitError(what, where=str(run.path / "validation.parquet"), fix="train without --keep_duplicates")
    if costs is not None:
        rule = _rule(costs, list(task.labels), several=labels.ndim == 2)
    return calibration(probabilities, labels, np.arange(len(table)) if groups is None else groups, method, rule)


def _seen(run: "Run", table: "pa.Table") -> int:
    """Rows whose text was learnt. Of a text that is longer than what a run keeps of it nothing can be said."""
    import numpy as np
    import pyarrow.compute as pc
    from datasets import Dataset

    from hfkit.training.judging import test_split

    learnt, columns = run.table(test_split.SEEN), [name for name in test_split.TEXTS if name in table.column_names]
    if learnt is None or not columns:
        return 0
    for name in columns:
        table = table.filter(pc.less(pc.utf8_length(table[name]), test_split.TEXT_KEPT))
    digests = test_split.digests(Dataset(table.select(columns)))
    return int(np.isin(digests, learnt["text"].to_numpy()).sum())


def _write(run: "Run", task: Any) -> list[str]:
    """The run's files with the task's calibration in them, or without any; and what to say of it."""
    import pyarrow.parquet as parquet

    from hfkit.base.atomic import digest, whole_files, writing
    from hfkit.base.untrusted import read_json_file
    from hfkit.evaluation.metric import as_array, columns_of
    from hfkit.evaluation.stats import groups_of, intervals, with_intervals
    from hfkit.tasks.discover import find

    settings, seed = task.settings(), int(run.config["seed"])
    own = _own(run.predictions())
    table = _applied(own, task) if task.calibration else own
    before = run.metrics
    baselines = {
        name: {"prediction": as_array(own[f"baseline_{name}"])} | {k: entry[k] for k in ("rows",) if k in entry}
        for name, entry in before["baselines"].items()
    }
    found = intervals(table, settings, baselines, seed=seed)
    found |= {name: entry for name, entry in before.items() if name not in (*found, "uncalibrated")}
    if task.calibration:
        metrics = find(task.name).metrics(settings)
        found["uncalibrated"] = with_intervals(metrics, columns_of(own, metrics), 1000, seed, groups_of(own))
    config = read_json_file(run.model_path / "config.json")
    kept = {name: value for name, value in (config.get("hfkit") or {}).items() if name != "calibration"}
    config["hfkit"] = kept | ({"calibration": task.calibration} if task.calibration else {})
    told = run.info | {"task_settings": run.info["task_settings"] | {"calibration": task.calibration}}
    paths = [run.path / "predictions.parquet", run.path / "metrics.json", run.model_path / "config.json"]
    texts = [json.dumps(found, indent=2, ensure_ascii=False), json.dumps(config, indent=2, sort_keys=True)]
    with writing(run.path, "copy the run"), whole_files([*paths, run.path / "run.json"]) as staged:
        parquet.write_table(table, staged[0], compression="zstd")
        for place, text in zip(staged[1:3], texts, strict=True):
            place.write_text(text + "\n", encoding="utf-8")
        if "files" in told:
            names = [path.relative_to(run.path).as_posix() for path in paths]
            told["files"] = told["files"] | {n: digest(place) for n, place in zip(names, staged[:3], strict=True)}
        staged[3].write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    run.info = told
    changed = int((as_array(own["prediction"]) != as_array(table["prediction"])).reshape(len(own), -1).any(1).sum())
    return _told(task.calibration, found, changed, run)


def _own(table: "pa.Table") -> "pa.Table":
    """Predictions as the model itself made them."""
    for name in ("prediction", "probabilities"):
        if RAW + name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, table[RAW + name]).drop([RAW + name])
    return table


def _applied(own: "pa.Table", task: Any) -> "pa.Table":
    """Predictions as the calibration makes them, with the model's own beside them."""
    import numpy as np
    import pyarrow as pa

    from hfkit.evaluation.confidence.scaling import logits_of, scaled
    from hfkit.evaluation.confidence.thresholds import decided
    from hfkit.evaluation.metric import as_array

    several = as_array(own["label"]).ndim == 2
    probabilities = scaled(task.calibration, logits_of(as_array(own["probabilities"]), several), several)
    rule = decided(task.calibration, probabilities, several)
    new = {"probabilities": pa.array(list(probabilities.astype(np.float32)), type=own["probabilities"].type)}
    new |= {} if rule is None else {"prediction": pa.array(list(rule), type=own["prediction"].type)}
    table = own
    for name, values in new.items():
        table = table.set_column(table.column_names.index(name), name, values)
        table = table.append_column(RAW + name, own[name])
    return table


def _told(calibration: dict[str, Any] | None, found: dict[str, Any], changed: int, run: "Run") -> list[str]:
    """What was chosen, and the test figures before and after."""
    from hfkit.evaluation import wording
    from hfkit.evaluation.confidence.promised import passed

    if calibration is None:
        return [f"{run.path}: as it was before it was calibrated"]
    how = "scaled by a line (Platt's)" if calibration["method"] == "platt" else "scaled by isotonic regression"
    if calibration["method"] == "none":
        how = "left as they are, since no scaling is surely better on rows held out"
    if "temperature" in calibration:
        how = f"scaled by a temperature of {calibration['temperature']:.3g}"
    lines = [f"{run.path}: probabilities {how}, by {calibration['rows']:,} validation rows", ""]
    old, primary = found["uncalibrated"], found["primary_metric"]
    rows = [["test rows", "before", "95 % interval", "after", "95 % interval"]]
    for name in dict.fromkeys(("ece", "log_loss", *[primary, "f1_macro"] * bool(changed))):
        if name in old and name in found:
            cells = [[wording.number(at[name]["value"], name), wording.interval(at[name], name)] for at in (old, found)]
            rows.append([wording.title(name), *cells[0], *cells[1]])
    lines += wording.aligned(rows)
    lines.append(
        f"\n{changed:,} labels of {found[primary]['n']:,} test rows changed" if changed else "\nno label changed"
    )
    for accuracy in (0.9, 0.95, 0.99):
        if kept := passed(accuracy, calibration.get("promised", [])):
            lines.append(f"hfkit predict --accuracy {accuracy:g} answers about {100 * kept[2]:.0f} % of the rows")
    return lines


def _rule(path: Path, labels: list[str], several: bool) -> dict[str, Any]:
    """What --costs says, as a calibration keeps it. Raises HfkitError: a label is missing or unknown, or a cost is no
    number."""
    import numpy as np

    from hfkit.data.readers import read_table
    from hfkit.evaluation.confidence.thresholds import of_costs

    table = read_table(path)
    first, *columns = table.columns
    rows = {str(name): place for place, name in enumerate(table.column(first))}
    wanted = ["missed", "wrong"] if several else labels
    if sorted(rows) != sorted(labels) or sorted(columns) != sorted(wanted):
        what = (
            f"A cost table has a row for each of {', '.join(labels)}, and after their names columns {', '.join(wanted)}"
        )
        raise HfkitError(what, where=str(path), fix=f"it has rows {', '.join(rows)} and columns {', '.join(columns)}")
    try:
        numbers = np.array([[float(table.column(name)[rows[label]]) for name in wanted] for label in labels])
    except (TypeError, ValueError):
        numbers = np.array([[np.nan]])
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise HfkitError("A cost is no number from 0 up", where=str(path), fix="fill every cell with one")
    return {"thresholds": of_costs(*numbers.T.tolist())} if several else {"costs": numbers.tolist()}
