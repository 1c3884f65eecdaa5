"""evaluate: what a finished run is worth on another data set; validate: its answers to its own validation rows."""

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from datasets import Dataset, DatasetDict

from hfkit.base import hardware
from hfkit.base.atomic import write_json, writing
from hfkit.base.errors import HfkitError
from hfkit.base.processes import meet
from hfkit.base.untrusted import read_json_file
from hfkit.config import DataArguments, TrainConfig
from hfkit.config.by_task import say_idle
from hfkit.config.rules import check
from hfkit.data.load import load_data, load_test
from hfkit.data.summary import DataSummary, summary_of
from hfkit.data.tables.table import counted
from hfkit.evaluation import wording
from hfkit.evaluation.stats import intervals
from hfkit.models.loading import load_model
from hfkit.runs import run as runs
from hfkit.runs.run import Run
from hfkit.tasks import Task
from hfkit.tasks.discover import find
from hfkit.training.judging import test_split


def evaluate(
    run: str | Path,
    data: DataArguments,
    output: str | Path | None = None,
    trust_remote_code: bool = False,
    evaluations: Path | None = None,
) -> dict[str, Any]:
    """A finished run's figures on another data set: a file whole, anything else its test split; their labels are
    matched to the model's by name. No baselines: they belong to a training split.

    Writes `metrics.json`, which is what it returns, and `predictions.parquet` to `output`, by default, as `folder_for`
    has it, to a folder of the data set's name in `evaluations`, which is by default in the run. `trust_remote_code`
    runs Python code that the model ships. What the run's own config says does not count: a run may come from anyone.
    Raises HfkitError: the run is not finished, or the data has a label that the model does not know."""
    finished = Run(run)
    finished.check_finished()
    task, config = _as_saved(finished, trust_remote_code)
    with runs.reading(finished):
        settings = task.settings()
        labels = None if task.classes is None else list(task.classes)
    if data.pixel_range and data.pixel_range != settings.get("pixel_range"):
        raise HfkitError("--pixel_range: the model reads pixels as it did in training", fix="drop --pixel_range")
    asked = {"problem_type": settings.get("problem_type"), "task": task.name}
    rows = load_test(data, label_names=labels, trained=finished.config | (finished.info.get("data") or {}), **asked)
    pair = settings.get("pair")
    if pair is not None and pair != ("text_pair" in rows["test"].column_names):
        kind, other = ("pairs of texts", "single texts") if pair else ("single texts", "pairs")
        raise HfkitError(f"the model reads {kind}, and {data.dataset} holds {other}", fix="see --text_pair_column")
    place = evaluations or finished.path / "evaluations"
    folder = Path(output or folder_for(place, data.dataset, rows.summary))
    figures = _judge(finished, config, task.judging(rows), rows, folder)
    print(f"{finished.path} on {data.dataset}:\n{_lines(figures)}\nWritten to {folder}")
    return figures


def validate(run: str | Path, trust_remote_code: bool = False) -> pa.Table:
    """A finished run's answers to its own validation rows, read anew from the data that it was trained on, with the
    probabilities that the model had before any calibration. Writes `validation.parquet`, which a run of today has
    already, and returns it. Raises HfkitError: the run is not finished or had no validation rows; the data is gone, or
    has changed since."""
    finished = Run(run)
    finished.check_finished()
    task, config = _as_saved(finished, trust_remote_code)
    known = (finished.info.get("data") or {}).get("splits", {})
    if "validation" not in known:
        raise HfkitError(f"{finished.path} was trained without validation rows", fix="train with --validation_size 0.1")
    data = load_data(config)
    there = summary_of(data).splits
    changed = [name for name, split in known.items() if there.get(name, {}).get("fingerprint") != split["fingerprint"]]
    if changed:
        what = f"{config.dataset} has other rows than {finished.path} was trained on: {', '.join(changed)}"
        raise HfkitError(what, fix="restore the data as it was then: other rows may have been learnt")
    task = task.calibrated(None) if getattr(task, "calibration", None) else task
    accelerator, task, table = _answered(finished, config, task, data["validation"], config.mixed_precision)
    if accelerator.is_main_process:
        with writing(finished.path, "copy the run"):
            test_split.write_table(finished.path / test_split.VALIDATION, table)
        finished.update(files=test_split.files(finished))
        figures = intervals(table, task.settings(), {}, seed=config.seed) | {"seen_in_training": None}
        print(f"{finished.path} on its validation rows:\n{_lines(figures)}\nWritten to {test_split.VALIDATION}")
    return table


def _as_saved(run: Run, trust_remote_code: bool) -> tuple[Task, TrainConfig]:
    with runs.reading(run):
        task: Task = find(run.info["task"]).task_class.from_settings(run.info["task_settings"])
        return task, saved_config(run, trust_remote_code)


def _answered(
    run: Run, config: TrainConfig, task: Task, rows: Dataset, asked: str
) -> tuple[Accelerator, Task, pa.Table]:
    """The run's answers to some rows, as predictions.parquet has them, and its task as the model makes it."""
    precision, why = hardware.mixed_precision(asked, config.use_cpu)  # the machine may be another than the run's
    AcceleratorState._reset_state()
    accelerator = meet(Accelerator, mixed_precision=precision, cpu=config.use_cpu)
    accelerator.print(why)
    model, processor = load_model(run.model_path, trust_remote_code=config.trust_remote_code)
    task = task.for_model(model.config, processor)
    encoded = task.encode(rows, processor)
    predictions = test_split.answers(accelerator, task, model, encoded, config)
    return accelerator, task, test_split.prediction_table(rows, encoded, predictions, {})


def _judge(run: Run, config: TrainConfig, task: Task, data: DatasetDict, folder: Path) -> dict[str, Any]:
    """The figures on `data["test"]`, written to `folder` by the first process."""
    accelerator, task, table = _answered(run, config, task, data["test"], "auto")
    figures = intervals(table, task.settings(), {}, seed=config.seed) | {"split": "test"}
    seen = run.path / test_split.SEEN
    figures["seen_in_training"] = None  # pictures, old runs
    if set(test_split.TEXTS) & set(data["test"].column_names) and seen.is_file():
        learnt = parquet.read_table(seen)["text"].to_numpy()
        figures["seen_in_training"] = int(np.isin(test_split.digests(data["test"]), learnt).sum())
    if accelerator.is_main_process:
        with writing(folder, "set --output"):
            folder.mkdir(parents=True, exist_ok=True)
            test_split.write_table(folder / "predictions.parquet", table)
            write_json(folder / "metrics.json", figures | {"data": dataclasses.asdict(data.summary)})
    return figures


def saved_config(run: Run, trust_remote_code: bool) -> TrainConfig:
    """The run's configuration, checked anew since anyone may have written it, with the trust that is given here."""
    config_class = TrainConfig.for_task(str(run.config["task"]))
    known = {name: value for name, value in run.config.items() if name in config_class.__dataclass_fields__}
    config: TrainConfig = config_class(**known | {"trust_remote_code": trust_remote_code})
    say_idle(run.config, config.task, str(run.path))
    try:
        check(config)
    except HfkitError as error:
        raise HfkitError(error.what, where=str(run.path / "run.json"), fix=error.fix) from error
    return config


def folder_for(place: Path, dataset: str, summary: DataSummary) -> Path:
    """The folder in `place` for figures on a data set: of its name, with a number where other rows have that one."""
    name = re.sub(r"[^\w.-]+", "-", Path(dataset).stem).strip("-.") or "data"
    for folder in (place / (name if number == 1 else f"{name}-{number}") for number in itertools.count(1)):
        if not (folder / "metrics.json").is_file() or _is_of(folder / "metrics.json", summary):
            break
    if folder.name != name:
        print(f"{place / name} has the figures of other rows: these go to {folder.name}")
    return folder


def _is_of(metrics: Path, summary: DataSummary) -> bool:
    """Whether figures are of these very rows, so that they may be made again in their place."""
    try:
        there = read_json_file(metrics)["data"]
        rows = there["splits"]["test"]["fingerprint"]
    except (HfkitError, KeyError, TypeError):
        return False
    return bool(there.get("location") == summary.location and rows == summary.splits["test"]["fingerprint"])


def _lines(figures: dict[str, Any]) -> str:
    """Every figure with its interval, a line each, and what makes them too good."""
    rows = [["", "value", "95 % interval"]]
    rows += [
        [wording.title(name), wording.number(entry["value"], name), wording.interval(entry, name)]
        for name, entry in wording.figures(figures).items()
    ]
    lines, seen = wording.aligned(rows), figures["seen_in_training"]
    if seen is not None:
        count = figures[figures["primary_metric"]]["n"]
        flatter = ", so these figures flatter the model" if seen else ""
        lines += ["", f"{seen:,} of the {counted(count, 'text')} stood in training{flatter}."]
    return "\n".join(lines)
