"""Does a calibration keep what it promises? Errors before and after on each demo's run; promises and sets, 100 times.

Reads the finished runs of classifiers in runs/ (`make demo` and the recipes with --demo write them there). A pool of
real answers to real texts, of a linear model that is far too sure, is split 100 times into 500 rows that are
calibrated on and the others that are answered.
"""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairing import write
from hfkit.evaluation.classification import expected_calibration_error as ece
from hfkit.evaluation.confidence import conformal, promised
from hfkit.evaluation.confidence.chosen import calibration
from hfkit.evaluation.confidence.crossed import losses
from hfkit.evaluation.confidence.scaling import logits_of, scaled
from hfkit.evaluation.metric import as_array
from hfkit.runs.run import Run, below

NAME = "confidence"
SPLITS, ROWS, LEVEL = 100, 500, 0.9
PROMISES = (0.9, 0.95)


def of_run(path: Path) -> dict[str, Any] | None:
    """The figures of a run's test rows before and after; None where it is no classifier with validation rows."""
    run = Run(path)
    held = run.table("validation.parquet")
    if not run.finished or held is None or not {"label", "probabilities"} <= set(held.column_names):
        return None
    test = run.predictions()
    own = "uncalibrated_" if "uncalibrated_probabilities" in test.column_names else ""
    labels, shares = as_array(held["label"]), as_array(held["probabilities"])
    truth, before = as_array(test["label"]), as_array(test[f"{own}probabilities"])
    several = truth.ndim == 2
    found = calibration(shares, labels, np.arange(len(labels)))
    after = scaled(found, logits_of(before, several), several)
    return {
        "rows": [len(labels), len(truth)],
        "method": found["method"],
        "temperature": found.get("temperature"),
        "ece": [ece(truth, before), ece(truth, after)],
        "log_loss": [float(losses(one, truth).mean()) for one in (before, after)],
        "labels_changed": 0 if several else int((before.argmax(axis=1) != after.argmax(axis=1)).sum()),
    }


def by_heart() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (rows, 2) and labels of IMDB's test reviews: of a linear model that knows its 4,000 by heart."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    import hfkit

    data = hfkit.load_data("demo:imdb", task="text-classification", max_train_samples=4000)
    model = make_pipeline(TfidfVectorizer(min_df=2, sublinear_tf=True), LogisticRegression(C=1000, max_iter=1000))
    model.fit(data["train"]["text"], data["train"]["label"])
    return model.predict_proba(data["test"]["text"]), np.asarray(data["test"]["label"])


def of_pool(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How often a promise holds on the rows that were held out, and how often sets hold the label."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    found: dict[str, Any] = {f"promised {at}": {"made": 0, "kept": 0, "answered": []} for at in PROMISES}
    held: dict[str, list[float]] = {method: [] for method in conformal.METHODS}
    errors = []
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(len(labels))
        fit, rest = order[:ROWS], order[ROWS:]
        bounds = promised.bounds(sure[fit], right[fit])
        for at in PROMISES:
            if kept := promised.passed(at, bounds):
                there, told = sure[rest] >= kept[0], found[f"promised {at}"]
                told["made"] += 1
                told["kept"] += int(right[rest][there].mean() >= at)
                told["answered"].append(float(there.mean()))
        for method in held:
            odd = conformal.scores(method, probabilities[fit], labels[fit], np.random.default_rng(0).random(ROWS))
            limit = conformal.limits(odd)[conformal.LEVELS.index(LEVEL)]
            sets = conformal.sets(method, probabilities[rest], limit)
            held[method].append(float(sets[np.arange(len(rest)), labels[rest]].mean()))
        kind = calibration(probabilities[fit], labels[fit], fit)
        scaled_rows = scaled(kind, logits_of(probabilities[rest], several=False), several=False)
        errors.append([ece(labels[rest], probabilities[rest]), ece(labels[rest], scaled_rows)])
    for at in PROMISES:
        answered = found[f"promised {at}"].pop("answered")
        found[f"promised {at}"]["answered"] = float(np.mean(answered)) if answered else 0.0
    coverage = {method: [float(np.mean(all_)), min(all_), max(all_)] for method, all_ in held.items()}
    return found | {"coverage": coverage, "accuracy": float(right.mean()), "ece": np.mean(errors, axis=0).tolist()}


def main() -> bool:
    """Print and write the figures; whether all are within their limits."""
    told = {place.name: of_run(place) for place in (below(Path("runs")) if Path("runs").is_dir() else [])}
    runs = {name: one for name, one in told.items() if one}
    for name, one in runs.items():
        print(f"{name}: {one}")
    pool = of_pool(*by_heart())
    print(f"IMDB by heart, {SPLITS} splits: {pool}", flush=True)
    write(NAME, "does a calibration keep what it promises", {"runs": runs, "IMDB by heart": pool})
    calm = all(
        b <= (0.6 * a if a > 0.03 else a + 0.005) and not one["labels_changed"]
        for one in runs.values()
        for a, b in [one["ece"]]
    )
    promises = [pool[f"promised {at}"] for at in PROMISES]
    return (
        calm and all(one["made"] - one["kept"] <= 5 for one in promises) and pool["coverage"]["lac"][0] > LEVEL - 0.01
    )
