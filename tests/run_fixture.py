"""Writes run directories as a finished training leaves them, with made-up answers, for the tests of what reads them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from hfkit.config import TrainConfig
from hfkit.evaluation.stats import intervals

TEXTS = [
    "A warm, funny film that I would see again tomorrow.",
    "Two hours of my life that nobody will give back. <br /><br />The plot is a list of excuses.",
    "Not the disaster that people say, and not good either. " * 30,
]
NAMES = {
    "single_label_classification": ["negative", "positive"],
    "multi_label_classification": ["plot", "acting", "music"],
    "regression": ["score"],
}


def write_run(
    path: Path,
    problem: str = "single_label_classification",
    names: list[str] | None = None,
    rows: int = 400,
    skill: float = 2.2,
    seed: int = 0,
    **changes: Any,
) -> Path:
    """A finished run. The truth depends on nothing but `rows` and the labels; `skill` says how good the answers are."""
    names = names or NAMES[problem]
    path.mkdir(parents=True)
    table = _predictions(problem, names, rows, skill, seed)
    baselines = {name: {"prediction": _plain(table[f"baseline_{name}"])} for name in ("tfidf_logreg", "majority")}
    settings = {"name": "text-classification", "problem_type": problem}
    figures = intervals(table, settings, baselines, n_resamples=300)
    figures |= {"split": "test", "parameters": {"total": 22_713_986, "trainable": 22_713_986}}
    parquet.write_table(table, path / "predictions.parquet")
    (path / "run.json").write_text(json.dumps(_info(path, problem, names, rows, seed) | changes))
    (path / "metrics.json").write_text(json.dumps(figures))
    (path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _log(figures["primary_metric"])))
    totals = {
        "total_seconds": 262.4,
        "train_seconds": 224.0,
        "eval_seconds": 36.1,
        "baseline_seconds": 1.5,
        "baselines": {"tfidf_logreg": 1.4, "majority": 0.1},
    }
    speeds = [{"step": step, "samples_per_second": speed} for step, speed in ((10, 3.0), (20, 17.9), (30, 18.1))]
    lines = [*speeds, totals]
    (path / "timing.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_pylist())


def _predictions(problem: str, names: list[str], rows: int, skill: float, seed: int) -> pa.Table:
    truths, rng = np.random.default_rng(123), np.random.default_rng(seed + 1)
    classes = len(names)
    length = truths.integers(8, 600, rows)
    table: dict[str, Any] = {
        "id": [f"test-{row}" for row in range(rows)],
        "text": [TEXTS[row % len(TEXTS)] for row in range(rows)],
        "length": pa.array(np.minimum(length, 256), pa.int32()),
        "truncated": length > 256,
    }
    if problem == "regression":
        truth = np.round(truths.normal(3, 1, rows), 2)
        answer = truth + rng.normal(0, 1 / skill, rows)
        table |= {"label": truth, "prediction": answer, "loss": (truth - answer) ** 2}
        table |= {"baseline_tfidf_logreg": truth + rng.normal(0, 0.8, rows), "baseline_majority": np.full(rows, 3.0)}
        return pa.table(table)
    if problem == "multi_label_classification":
        truth = (truths.random((rows, classes)) < 0.35).astype(np.int8)
        shares = 1 / (1 + np.exp(-(rng.normal(size=truth.shape) + skill * (2 * truth - 1))))
        answer, other = shares > 0.5, np.where(rng.random(truth.shape) < 0.8, truth, 1 - truth)
        loss = -np.log(np.where(truth == 1, shares, 1 - shares)).mean(axis=1)
        columns = {"label": truth, "prediction": answer, "baseline_tfidf_logreg": other, "baseline_majority": truth * 0}
        table |= {name: pa.array(np.int8(value).tolist(), pa.list_(pa.int8())) for name, value in columns.items()}
    else:
        truth = truths.integers(0, classes, rows)
        scores = rng.normal(size=(rows, classes)) + skill * np.eye(classes)[truth]
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        other = np.where(rng.random(rows) < 0.8, truth, truths.integers(0, classes, rows))
        table |= {"label": truth, "prediction": shares.argmax(axis=1)}
        table |= {"baseline_tfidf_logreg": other, "baseline_majority": np.zeros(rows, dtype=int)}
        loss = -np.log(shares[np.arange(rows), truth])
    table["probabilities"] = pa.array(np.float32(shares).tolist(), pa.list_(pa.float32()))
    return pa.table(table | {"loss": loss})


def _log(primary: str) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    lines: list[dict[str, Any]] = []
    for step in range(10, 251, 10):
        lines.append(
            {
                "step": step,
                "epoch": step / 125,
                "loss": 0.7 * float(np.exp(-step / 90)) + 0.1 + 0.05 * rng.random(),
                "learning_rate": 1e-4 * (1 - step / 250),
                "grad_norm": 1 + 2 * rng.random(),
                "padding": 0.04,
            }
        )
        if step % 50 == 0:
            loss = 0.3 + 0.1 * abs(step - 200) / 200
            lines.append({"step": step, "epoch": step / 125, "eval_loss": loss, f"eval_{primary}": 0.91 - loss / 10})
    return lines


def _info(path: Path, problem: str, names: list[str], rows: int, seed: int) -> dict[str, Any]:
    config = TrainConfig(model="demo:minilm", dataset="demo:imdb", max_length=256, learning_rate=1e-4, demo=True)
    splits = {"train": 2000, "validation": 400, "test": rows}
    counts = {"mean": 3.0, "std": 1.0} if problem == "regression" else {name: rows // len(names) for name in names}
    return {
        "hfkit": "0.1.0",
        "name": path.name,
        "state": "finished",
        "task": "text-classification",
        "recipe": "bert_imdb",
        "command": ["recipes/bert_imdb.py", "--demo"],
        "config": dataclasses.asdict(config),
        "versions": {"python": "3.11.9", "torch": "2.15.0", "transformers": "5.23.0"},
        "hardware": {"device": "cpu", "name": "Example CPU", "cores": 2, "memory_gib": 24.0, "num_processes": 1},
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "seed": seed,
        "data": {
            "name": "imdb",
            "source": "embedded",
            "location": "demo:imdb",
            "revision": None,
            "card": "data_cards/imdb.md",
            "license": "other",
            "language": "en",
            "pretty_name": "IMDB",
            "reading": "text = text, label = label: 2 classes negative, positive; 2,000 / 400 / 400 rows",
            "text_column": "text",
            "text_pair_column": None,
            "label_column": "label",
            "problem_type": problem,
            "label_names": names,
            "splits": {
                name: {"rows": count, "labels": counts, "fingerprint": f"{name}-{rows}".ljust(64, "0")}
                for name, count in splits.items()
            },
            "notes": ["96 duplicated texts removed", "columns not used: source"],
        },
        "model": {
            "name": "demo:minilm",
            "revision": None,
            "class": "BertForSequenceClassification",
            "parameters": 22_713_986,
            "trainable_parameters": 22_713_986,
            "plain_transformers": True,
        },
        "task_settings": {
            "name": "text-classification",
            "labels": names,
            "problem_type": problem,
            "pair": False,
            "max_length": 256,
            "long_text": "head_tail",
            "stride": 128,
        },
        "truncation": {"test": {"rows": 120, "share": 120 / rows, "max_length": 256, "long_text": "head_tail"}},
        "precision": "bf16",
        "training": {
            "steps": 250,
            "epochs": 2.0,
            "examples": 4000,
            "best_step": 200,
            "best_metric": "accuracy",
            "best_value": 0.88,
            "stopped": None,
        },
    }
