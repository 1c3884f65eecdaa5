"""How many labels are enough? Few-shot learning, fine-tuning, a linear probe and TF-IDF over 8 to 128 labels a class.

Each number of labels is drawn several times from film snippets. All four learn the same rows and answer the same 300
others of that draw; nobody looks at a validation split, which nobody who has eight labels has. Intervals are Student's,
of the mean over the draws. A draw that was measured is kept, so a measurement that is stopped goes on where it stood.
"""

import hashlib
import json
import shutil
import statistics
import time
from typing import Any

from scipy.stats import t

from benchmarks import fresh, material
from benchmarks.pairing import FEWEST, write

NAME = "few_shot"
LABELS = (8, 16, 32, 64, 128)
ANSWERED = 300
"""Rows a draw; the draws are what the intervals are of."""

USUAL: dict[str, Any] = {
    "dataset": "demo:rotten_tomatoes", "pooling": "mean", "max_length": 64, "num_train_epochs": 10,
    "learning_rate": 5e-5, "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False,
    "use_cpu": True, "disable_tqdm": True, "max_eval_samples": 20,
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "few-shot": {"few_shot": "contrastive", "train_sampling_strategy": "random"},
    "fine-tuning": {"warmup_steps": 0.1},
    "linear probe": {"freeze": ["backbone"], "learning_rate": 1e-2},
}


def rows_of(labels: int, draw: int, answered: int) -> dict[str, int]:
    """The options by which `hfkit.load_data` draws so many labels a class of two, and the rows that are answered."""
    return {"data_seed": draw, "max_train_samples": 2 * labels, "max_test_samples": answered}


def learnt(model: str, labels: int, draw: int, answered: int) -> dict[str, dict[str, float]]:
    """The accuracy of each way, and of TF-IDF, with so many labels a class; and its CPU seconds, loading left out."""
    import hfkit

    known = rows_of(labels, draw, answered) | {"model": model, "seed": draw}
    data, found = hfkit.load_data(hfkit.text_classification.Config(**USUAL | known)), {}
    for way, knobs in WAYS.items():
        folder = fresh.WORK / "runs" / f"{NAME}-{labels}-{draw}-{way.replace(' ', '-')}"
        shutil.rmtree(folder, ignore_errors=True)
        config = hfkit.text_classification.Config(**USUAL | known | knobs, output_dir=str(folder))
        task = hfkit.build_task(config, data)
        built = hfkit.build_model(config, task, data)
        began = time.process_time()
        run = hfkit.fit(config, task, *built, data)
        seconds, figures = time.process_time() - began, run.metrics
        found[way] = {"accuracy": figures["accuracy"]["value"], "cpu_seconds": seconds}
        shutil.rmtree(folder)
    return found | {"TF-IDF": {"accuracy": figures["baselines"]["tfidf_logreg"]["accuracy"]["value"]}}


def turns(model: str, labels: int, draws: int, answered: int) -> list[dict[str, Any]]:
    """What each draw found; of those that this code measured before, what is kept."""
    same = hashlib.sha256(fresh.code() + str(answered).encode()).hexdigest()[:12]
    kept, found = fresh.WORK / f"{NAME}-{labels}-{same}.jsonl", []
    if kept.is_file():
        found = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    fresh.WORK.mkdir(exist_ok=True)
    for draw in range(len(found), draws):
        found.append(learnt(model, labels, draw, answered))
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found[-1]) + "\n")
    return found[:draws]


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print the curve; within the limit when few-shot learning is ahead of TF-IDF from 16 labels a class on."""
    draws, answered, results = (2, 50, {}) if quick else (pairs, ANSWERED, {})
    half = t.ppf(0.975, max(draws - 1, 1)) / draws**0.5
    for labels in LABELS[:1] if quick else LABELS:
        found = turns(str(material.bert(quick)), labels, draws, answered)
        results[labels] = {}
        for way in found[0]:
            each = [one[way]["accuracy"] for one in found]
            spread = half * statistics.stdev(each) if draws > 1 else float("nan")
            results[labels][way] = {
                "mean": statistics.fmean(each),
                "half": spread,
                "draws": [one[way] for one in found],
            }
        told = [f"{way} {one['mean']:.3f} ± {one['half']:.3f}" for way, one in results[labels].items()]
        print(f"{labels} labels a class: {', '.join(told)}", flush=True)
    if not quick and pairs >= FEWEST:
        write(NAME, "How many labels are enough?", {"accuracy": results, "test_rows": answered})
    return quick or all(one["few-shot"]["mean"] > one["TF-IDF"]["mean"] for n, one in results.items() if n >= 16)
