"""Results: what a finished model is worth on rows it never saw, beside the baselines, in plain files."""

import hashlib
import itertools
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from hfkit.base import atomic, hardware
from hfkit.base.atomic import whole_file, write_json, writing
from hfkit.base.errors import HfkitError
from hfkit.base.processes import meet
from hfkit.base.untrusted import read_json_file
from hfkit.config import TrainConfig
from hfkit.config.by_task import say_idle
from hfkit.config.rules import check
from hfkit.data.tables.table import counted
from hfkit.data.text.chats import said, unpacked
from hfkit.evaluation import wording
from hfkit.evaluation.predict import evaluate
from hfkit.evaluation.screen import aligned
from hfkit.models.loading import load_model
from hfkit.tasks.discover import find
from hfkit.training.callbacks.log import append

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from hfkit.data.summary import DataSummary
    from hfkit.runs.run import Run
    from hfkit.tasks import Task

# What a run keeps of a text, in characters: enough to show it; a data set of books is not copied into every run.
TEXT_KEPT = 2000

VALIDATION = "validation.parquet"

SEEN = "seen.parquet"
"""A digest of each training text, 8 bytes a row: enough to tell later whether a text was among them."""


def write(
    run: "Run",
    accelerator: "Accelerator",
    task: "Task",
    data: "DatasetDict",
    encoded: "DatasetDict",
    config: TrainConfig,
    train_seconds: float,
) -> None:
    """Evaluate `model/` on the test split and write predictions.parquet, metrics.json and the totals of timing.jsonl.

    The validation split's predictions go to validation.parquet: what is chosen after training, such as a threshold, is
    chosen on them, and never on test rows. With what the task keeps for its report.

    Every process evaluates its share; then the process group ends, and the first one fits the baselines and writes.
    The others return: to wait in a collective for as long as baselines take would end a finished run at NCCL's limit.

    Args:
        run: The run, with `model/`.
        accelerator: Device, precision and processes.
        task: Fitted to the model (`task.for_model`).
        data: The splits with `text`, `label` and `id`; `train` feeds the baselines.
        encoded: The splits, encoded.
        config: Batch sizes, workers and seed.
        train_seconds: What this session spent on training; those that were stopped are added from timing.jsonl.
    """
    from hfkit.evaluation.intervals import intervals  # with scikit-learn, which is of no use before there is a model

    began = time.perf_counter()
    model, processor = load_model(run.model_path, trust_remote_code=config.trust_remote_code)
    model, rows, held_out = model.to(accelerator.device), encoded["test"], encoded.get("validation")
    validated = held_out and answers(accelerator, task, model, held_out, config, "validation")
    task, validated = _chosen(run, accelerator, task, model, held_out, validated)
    loaded = time.perf_counter()
    predictions = answers(accelerator, task, model, rows, config, "test")
    evaluated = time.perf_counter()
    accelerator.end_training()  # trackers too: nothing may be logged and nothing may wait for the others after this
    if not accelerator.is_main_process:
        return
    settings = task.settings()
    baselines = fit_baselines(data, settings, config.seed)
    fitted = time.perf_counter()
    table = prediction_table(data["test"], rows, predictions, baselines)
    figures = intervals(table, settings, baselines, seed=config.seed)
    sizes = run.info["model"]
    figures |= {
        "split": "test",
        "parameters": {"total": sizes["parameters"], "trainable": sizes["trainable_parameters"]},
    }
    with writing(run.path):
        write_table(run.path / "predictions.parquet", table)
        if held_out and validated:
            write_table(run.path / VALIDATION, prediction_table(data["validation"], held_out, validated, {}))
        # What a stream has learnt grows without end, and is not written down.
        if "text" in data["train"].column_names and getattr(data, "stream", None) is None:
            write_table(run.path / SEEN, pa.table({"text": _digests(data["train"])}))
        write_json(run.path / "metrics.json", figures)
        stopped = sum(line.get("session_seconds", 0.0) for line in run.timing())
        totals = {
            "train_seconds": train_seconds + stopped,
            "eval_seconds": evaluated - began,
            "baseline_seconds": fitted - evaluated,
            "eval_samples_per_second": len(rows) / (evaluated - loaded),
        }
        totals["total_seconds"] = totals["train_seconds"] + fitted - began
        each = {name: round(answer["seconds"], 3) for name, answer in baselines.items()}
        line = {name: round(value, 3) for name, value in totals.items()} | {"baselines": each}
        append(run.path / "timing.jsonl", line)
        task.keep(run, processor, model, data, encoded, table)


def _chosen(
    run: "Run", accelerator: "Accelerator", task: "Task", model: Any, held_out: "Dataset | None", validated: Any
) -> tuple["Task", Any]:
    """The task with what it chooses on the validation split, which the run is told; and the predictions under it."""
    chosen = task.chosen(model.config, validated) if validated else task
    if chosen is task or held_out is None:
        return task, validated
    if accelerator.is_main_process:
        with writing(run.path):
            model.config.save_pretrained(run.model_path)
        run.update(task_settings=chosen.settings())
    return chosen, chosen.by_example(held_out, held_out, validated)


def files(run: "Run") -> dict[str, Any]:
    """The digests of what a finished run is judged by, for `hfkit verify`. A report can be made anew at any time."""
    paths = [run.path / name for name in ("log.jsonl", "metrics.json", "predictions.parquet")]
    kept = (SEEN, VALIDATION, *find(run.info["task"]).keepsakes)
    paths += [path for path in map(run.path.joinpath, kept) if path.is_file()]
    paths += sorted(path for path in run.model_path.rglob("*") if path.is_file())
    return {path.relative_to(run.path).as_posix(): atomic.digest(path) for path in paths}


def answers(
    accelerator: "Accelerator",
    task: "Task",
    model: Any,
    encoded: "Dataset",
    config: TrainConfig,
    description: str = "evaluate",
) -> dict[str, np.ndarray]:
    """The task's predictions for every encoded row."""
    rows = task.to_evaluate(encoded)
    found = evaluate(accelerator, task, model.to(accelerator.device), rows, config, description)
    return task.by_example(encoded, rows, found)


def saved_config(run: "Run", trust_remote_code: bool) -> TrainConfig:
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


def evaluate_rows(run: "Run", config: TrainConfig, task: "Task", data: "DatasetDict", folder: Path) -> dict[str, Any]:
    """A finished run's figures on `data["test"]`, written to `folder` with the predictions. No baselines: they belong
    to a training split."""
    from hfkit.evaluation.intervals import intervals

    precision, why = hardware.mixed_precision("auto", config.use_cpu)  # the machine may be another than the run's
    AcceleratorState._reset_state()
    accelerator = meet(Accelerator, mixed_precision=precision, cpu=config.use_cpu)
    accelerator.print(why)
    model, processor = load_model(run.model_path, trust_remote_code=config.trust_remote_code)
    task = task.for_model(model.config, processor)
    encoded = task.encode(data["test"], processor)
    predictions = answers(accelerator, task, model, encoded, config)
    table = prediction_table(data["test"], encoded, predictions, {})
    figures = intervals(table, task.settings(), {}, seed=config.seed) | {"split": "test"}
    figures["seen_in_training"] = seen_in_training(run, data["test"])
    if accelerator.is_main_process:
        with writing(folder, "set --output"):
            folder.mkdir(parents=True, exist_ok=True)
            write_table(folder / "predictions.parquet", table)
            write_json(folder / "metrics.json", figures | {"data": data.summary.to_json()})
    return figures


def folder_for(place: Path, dataset: str, summary: "DataSummary") -> Path:
    """The folder in `place` for figures on a data set: of its name, with a number where other rows have that one."""
    name = re.sub(r"[^\w.-]+", "-", Path(dataset).stem).strip("-.") or "data"
    for folder in (place / (name if number == 1 else f"{name}-{number}") for number in itertools.count(1)):
        if not (folder / "metrics.json").is_file() or _is_of(folder / "metrics.json", summary):
            break
    if folder.name != name:
        print(f"{place / name} has the figures of other rows: these go to {folder.name}")
    return folder


def _is_of(metrics: Path, summary: "DataSummary") -> bool:
    """Whether figures are of these very rows, so that they may be made again in their place."""
    try:
        there = read_json_file(metrics)["data"]
        rows = there["splits"]["test"]["fingerprint"]
    except (HfkitError, KeyError, TypeError):
        return False
    return bool(there.get("location") == summary.location and rows == summary.splits["test"]["fingerprint"])


def seen_in_training(run: "Run", rows: "Dataset") -> int | None:
    """How many of `rows` have a text that the run was trained on; None where it cannot be told: pictures, old runs."""
    path = run.path / SEEN
    if "text" not in rows.column_names or not path.is_file():
        return None
    learnt = parquet.read_table(path)["text"].to_numpy()
    return int(np.isin(_digests(rows), learnt).sum())


def _digests(rows: "Dataset") -> np.ndarray:
    """64 bits of each row's text (and its pair), without outer space and case, as repeats are found in loading."""
    columns = [rows[name] for name in ("text", "text_pair") if name in rows.column_names]
    keys = ("\0".join(text.strip().casefold() for text in texts) for texts in zip(*columns, strict=True))
    found = [hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys]
    return np.frombuffer(b"".join(found), dtype=np.uint64)


def figure_lines(figures: dict[str, Any]) -> str:
    """Every figure with its interval, a line each, and what makes them too good."""
    rows = [["", "value", "95 % interval"]]
    rows += [
        [wording.title(name), wording.number(entry["value"], name), wording.interval(entry, name)]
        for name, entry in wording.figures(figures).items()
    ]
    lines, seen = aligned(rows), figures.get("seen_in_training")
    if seen is not None:
        count = figures[figures["primary_metric"]]["n"]
        flatter = ", so these figures flatter the model" if seen else ""
        lines += ["", f"{seen:,} of the {counted(count, 'text')} stood in training{flatter}."]
    return "\n".join(lines)


def fit_baselines(data: "DatasetDict", settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """The cheap models that every run of the task is held against, fitted on `train` and asked about `test`.

    "rows" of an answer is kept where the baseline was fitted on fewer than all training rows.
    """
    spec = find(settings["name"])
    fit = spec.offers("baselines", "fit")
    if fit is None or not set(spec.reads) & set(data["test"].column_names):  # features stand for what rivals look at
        return {}
    answers: dict[str, Any] = fit(data["train"], data["test"], settings, seed)
    for answer in answers.values():
        if answer.get("rows") == len(data["train"]):
            del answer["rows"]
    return answers


def prediction_table(
    rows: "Dataset", encoded: "Dataset", predictions: dict[str, np.ndarray], baselines: dict[str, Any]
) -> pa.Table:
    """A row per example: id, text, group, label, the model's and the baselines' answers, loss, length, truncated."""
    columns: dict[str, Any] = {"id": encoded["id"][:]}
    for name in ("text", "text_pair", "prompt", "completion"):
        if name in rows.column_names:
            columns[name] = [text[:TEXT_KEPT] for text in rows[name]]
    if "messages" in rows.column_names:
        columns["text"] = [
            "\n".join(f"{turn['role']}: {said(turn)}" for turn in unpacked(chat))[:TEXT_KEPT]
            for chat in rows["messages"]
        ]
    columns |= {name: rows[name][:] for name in ("tokens", "group") if name in rows.column_names}
    columns |= {name: _arrow(values) for name, values in predictions.items()}
    columns |= {"length": encoded["length"][:], "truncated": encoded["truncated"][:]}
    columns |= {f"baseline_{name}": _arrow(answer["prediction"]) for name, answer in baselines.items()}
    return pa.table(columns)


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet so that a reader sees the old file or the whole new one."""
    with whole_file(path) as staged:
        parquet.write_table(table, staged, compression="zstd")


def _arrow(values: np.ndarray) -> Any:
    """One entry a row: a number, or a list of them."""
    if isinstance(values, list):
        return pa.array(values)
    return values if values.ndim == 1 else pa.array(list(values))
