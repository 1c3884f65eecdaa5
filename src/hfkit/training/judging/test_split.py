"""Results: what a finished model is worth on rows it never saw, beside the baselines, in plain files."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from accelerate import Accelerator
from datasets import Dataset, DatasetDict

from hfkit.base import atomic
from hfkit.base.atomic import whole_file, write_json, writing
from hfkit.config import TrainConfig
from hfkit.data.text.chats import said, unpacked
from hfkit.data.text.keys import digest, folded
from hfkit.evaluation.predict import evaluate
from hfkit.models.loading import load_model
from hfkit.runs.run import Run
from hfkit.tasks import Task
from hfkit.tasks.discover import find
from hfkit.training.callbacks.log import append
from hfkit.training.doctor.after_checks import one_class

if TYPE_CHECKING:
    from hfkit.training.job import Job

# What a run keeps of a text, in characters: enough to show it; a data set of books is not copied into every run.
TEXT_KEPT = 2000

TEXTS = ("text", "text_pair", "source")  # columns with what a model reads, by which a row is known again

VALIDATION = "validation.parquet"

SEEN = "seen.parquet"
"""A digest of each training text, 8 bytes a row: enough to tell later whether a text was among them."""


def write(job: "Job", train_seconds: float) -> None:
    """Evaluate `model/` on the test split and write predictions.parquet, metrics.json and the totals of timing.jsonl,
    with what the task keeps for its report. The validation split's predictions go to validation.parquet: what is chosen
    after training, such as a threshold, is chosen on them.

    Every process evaluates its share; then the process group ends, and the first one fits the baselines and writes: to
    wait for that in a collective would end a finished run at NCCL's limit. `train_seconds` is what this session spent
    on training; those that were stopped are added from timing.jsonl."""
    from hfkit.evaluation.stats import intervals  # with scikit-learn, which is of no use before there is a model

    began = time.perf_counter()
    run, task, config, data, encoded = job.run, job.task, job.config, job.data, job.encoded
    model, processor = load_model(run.model_path, trust_remote_code=config.trust_remote_code)
    judged: dict[str, Any] = {}
    for split in ("validation", "test"):
        loaded = time.perf_counter()
        judged[split] = encoded.get(split) and answers(job.accelerator, task, model, encoded[split], config, split)
        if split == "validation" and judged[split]:
            task = job.task.chosen(model.config, judged[split])  # a threshold, say: never by test rows
            if task is not job.task:
                judged[split] = task.by_example(encoded[split], encoded[split], judged[split])
    evaluated = time.perf_counter()
    _warn(job, judged)
    job.accelerator.end_training()  # trackers too: nothing may be logged, and nothing wait for the others after this
    if not job.accelerator.is_main_process:
        return
    baselines = fit_baselines(data, task.settings(), config.seed)
    fitted = time.perf_counter()
    table = prediction_table(data["test"], encoded["test"], judged["test"], baselines)
    parameters = {"total": run.info["model"]["parameters"], "trainable": run.info["model"]["trainable_parameters"]}
    figures = intervals(table, task.settings(), baselines, seed=config.seed)
    with writing(run.path):
        write_table(run.path / "predictions.parquet", table)
        if judged["validation"]:
            validated = prediction_table(data["validation"], encoded["validation"], judged["validation"], {})
            write_table(run.path / VALIDATION, validated)
        # What a stream has learnt grows without end, and is not written down.
        if set(TEXTS) & set(data["train"].column_names) and getattr(data, "stream", None) is None:
            write_table(run.path / SEEN, pa.table({"text": digests(data["train"])}))
        write_json(run.path / "metrics.json", figures | {"split": "test", "parameters": parameters})
        trained = train_seconds + sum(line.get("session_seconds", 0.0) for line in run.timing())
        totals = {
            "train_seconds": trained,
            "eval_seconds": evaluated - began,
            "baseline_seconds": fitted - evaluated,
            "eval_samples_per_second": len(encoded["test"]) / (evaluated - loaded),
            "total_seconds": trained + fitted - began,
        }
        each = {name: round(answer["seconds"], 3) for name, answer in baselines.items()}
        totals = {name: round(value, 3) for name, value in totals.items()}
        append(run.path / "timing.jsonl", totals | {"baselines": each})
        task.keep(run, processor, model, data, encoded, table)
        if task is not job.task:
            # Last of all: until then a run that is stopped finds its best model as its checkpoints know it.
            run.update(task_settings=task.settings())
            model.config.save_pretrained(run.model_path)


def _warn(job: "Job", judged: dict[str, Any]) -> None:
    """Say, on the screen and in run.json, that a model gives one answer alone."""
    told = {split: one_class(columns, job.task.classes) for split, columns in judged.items() if columns}
    warnings = [f"{split}: {sentence}" for split, sentence in told.items() if sentence]
    for sentence in warnings:
        job.accelerator.print(f"warning: {sentence}; see hfkit doctor {job.run.path}")
    if warnings and job.accelerator.is_main_process:
        job.run.update(warnings=warnings)


def files(run: Run) -> dict[str, Any]:
    """The digests of what a finished run is judged by, for `hfkit verify`. A report can be made anew at any time."""
    paths = [run.path / name for name in ("log.jsonl", "metrics.json", "predictions.parquet")]
    kept = (SEEN, VALIDATION, *find(run.info["task"]).keepsakes)
    paths += [path for path in map(run.path.joinpath, kept) if path.is_file()]
    paths += sorted(path for path in run.model_path.rglob("*") if path.is_file())
    return {path.relative_to(run.path).as_posix(): atomic.digest(path) for path in paths}


def answers(
    accelerator: Accelerator,
    task: Task,
    model: Any,
    encoded: Dataset,
    config: TrainConfig,
    description: str = "evaluate",
) -> dict[str, np.ndarray]:
    """The task's predictions for every encoded row, of a finished model."""
    task = task.finished()
    rows = task.to_evaluate(encoded)
    found = evaluate(accelerator, task, model.to(accelerator.device), rows, config, description)
    return task.by_example(encoded, rows, found)


def digests(rows: Dataset) -> np.ndarray:
    """64 bits of each row's text (and its pair), without outer space and case, as repeats are found in loading."""
    columns = [rows[name] for name in TEXTS if name in rows.column_names]
    found = b"".join(digest("\0".join(map(folded, texts))) for texts in zip(*columns, strict=True))
    return np.frombuffer(found, dtype=np.uint64)


def fit_baselines(data: DatasetDict, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """The cheap models that every run of the task is held against, fitted on `train` and asked about `test`.

    "rows" of an answer is kept where the baseline was fitted on fewer than all training rows."""
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
    rows: Dataset, encoded: Dataset, predictions: dict[str, np.ndarray], baselines: dict[str, Any]
) -> pa.Table:
    """A row per example: id, text, group, label, the model's and the baselines' answers, loss, length, truncated."""
    known = set(rows.column_names)
    texts: dict[str, Any] = {name: rows[name] for name in (*TEXTS, "target", "prompt", "completion") if name in known}
    if "messages" in known:
        chats = map(unpacked, rows["messages"])
        texts["text"] = ["\n".join(f"{turn['role']}: {said(turn)}" for turn in chat) for chat in chats]
    columns: dict[str, Any] = {"id": encoded["id"][:]}
    columns |= {name: [text[:TEXT_KEPT] for text in column] for name, column in texts.items()}
    columns |= {name: rows[name][:] for name in ("tokens", "group") if name in rows.column_names}
    columns |= {name: _arrow(values) for name, values in predictions.items()}
    columns |= {"length": encoded["length"][:], "truncated": encoded["truncated"][:]}
    columns |= {f"baseline_{name}": _arrow(answer["prediction"]) for name, answer in baselines.items()}
    return pa.table(columns)


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet so that a reader sees the old file or the whole new one."""
    with whole_file(path) as staged:
        parquet.write_table(table, staged, compression="zstd")


def _arrow(values: Any) -> Any:
    """One entry a row: a number, or a list of them."""
    return values if isinstance(values, np.ndarray) and values.ndim == 1 else pa.array(list(values))
