"""Checks of a run that is done, by its files alone: what it answers, how it learnt, and its weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from hfkit.runs import run as runs
from hfkit.runs.run import Run
from hfkit.training.doctor.data_checks import contradicted
from hfkit.training.doctor.finding import Finding, Findings, fault, graded, left_out, worst_first
from hfkit.training.doctor.learning_checks import HIGH, LOW

CONFIDENT = 0.1
"""By which the probability of the answers, on average, is above the share that is right."""


def examine_run(run: Run) -> list[Finding]:
    """What is wrong with a run, worst first. One that was stopped has no answers yet; its log is looked at. Raises
    HfkitError: a file is missing or damaged."""
    with runs.reading(run):
        return worst_first([*weights(run), *answers(run), *course(run), *beside_baselines(run)])


def answers(run: Run) -> Findings:
    """`one_class`, `over_confident`, `flipped_labels`, by the validation split's answers; without them the test's."""
    table = run.table("validation.parquet") or run.table("predictions.parquet")
    if table is None or not {"prediction", "label"} <= set(table.column_names):
        yield left_out("one_class", "there are no answers beside labels")
        return
    columns = {name: np.asarray(table[name].to_pylist(), dtype=object) for name in ("prediction", "label")}
    told = one_class(columns, (run.info.get("task_settings") or {}).get("labels"))
    evidence = told or f"{len(_kinds(columns['prediction']))} different answers to {len(table):,} rows"
    fix = "look at the learning rate, the class weights and the labels: hfkit doctor with the run's flags"
    yield fault("one_class", told is not None, evidence, fix, "as many as labels, at least two")
    if "probabilities" not in table.column_names or isinstance(columns["label"][0], list):
        return
    shares, truth = np.asarray(table["probabilities"].to_pylist()), columns["label"].astype(int)
    right, sure = float((shares.argmax(axis=1) == truth).mean()), float(shares.max(axis=1).mean())
    evidence = f"{sure:.1%} sure on average, and right on {right:.1%} of {len(truth):,} rows"
    yield graded("over_confident", sure - right, evidence, "hfkit calibrate makes it true", warn=CONFIDENT, fail=0.3)
    yield contradicted(shares, truth, right, "the model")


def one_class(columns: Mapping[str, Any], labels: Any = None) -> str | None:
    """What to say where a model gives one and the same answer to rows of several labels; None where all is well."""
    if not {"prediction", "label"} <= set(columns):
        return None
    said, wanted = (_kinds(columns[name]) for name in ("prediction", "label"))
    if len(said) != 1 or len(wanted) < 2 or len(columns["label"]) < 10 or not isinstance(next(iter(said)), int):
        return None
    only = next(iter(said))
    name = labels[only] if labels and 0 <= only < len(labels) else only
    return f"the model answers {name} to all {len(columns['label']):,} rows, which have {len(wanted)} different labels"


def _kinds(values: Any) -> set[Any]:
    """The different whole numbers in a column, or in its lists; of anything else what stands for each."""
    rows = (row.tolist() if isinstance(row, np.ndarray) else row for row in values)
    flat = (one for row in rows for one in (row if isinstance(row, list) else [row]))
    return {one.item() if isinstance(one, np.generic) else str(one) if isinstance(one, dict) else one for one in flat}


def course(run: Run) -> Findings:
    """`not_learnt`, `learning_rate_high`, `learning_rate_low`, `clipping`, by log.jsonl."""
    lines = [line for line in run.log() if "loss" in line]
    if len(lines) < 2:
        yield left_out("not_learnt", "the log has fewer than two lines")
        return
    losses = [line["loss"] for line in lines]
    part = max(1, len(losses) // 5)
    first, last = losses[0], float(np.median(losses[-part:]))
    evidence = f"training loss {first:.3g} at first, {last:.3g} at last"
    fix = "look at the labels and at the learning rate: hfkit doctor --lr_range with the run's flags"
    yield fault(
        "not_learnt", not last < 0.98 * first, evidence, fix, "falls by 2 %", "FAIL" if last > first else "WARN"
    )
    ratios = [line["update_ratio"] for line in lines if line.get("update_ratio") is not None]
    if ratios:
        middle, steps, once = float(np.median(ratios)), lines[-1]["step"], max(ratios[:3])
        said = f"an update changed the weights by {once:.2g} of their norm"
        yield graded("learning_rate_high", once, said, "a lower --learning_rate", warn=HIGH / 5, fail=HIGH)
        said = f"{steps:,} updates of {middle:.2g} changed the weights by {middle * steps:.2g} of their norm at most"
        low = LOW / max(middle * steps, 1e-12)
        yield graded("learning_rate_low", low, said, "a higher --learning_rate, or a smaller decay", warn=1, fail=10)


def beside_baselines(run: Run) -> Findings:
    """`no_better`: a model that the cheapest rivals match."""
    if not run.finished:
        yield left_out("no_better", f"the run is {run.state}")
        return
    rivals = {name: one["difference"] for name, one in run.metrics.get("baselines", {}).items() if "difference" in one}
    if not rivals:
        yield left_out("no_better", "the task has no baselines")
        return
    worst = min(rivals, key=lambda name: rivals[name]["value"])
    gap = rivals[worst]
    evidence = f"{gap['value']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f}) in the primary figure against {worst}"
    fix = "more rows, more epochs or another model; or take the baseline"
    yield fault("no_better", not gap["low"] > 0, evidence, fix, "an interval above 0", "WARN")


def weights(run: Run) -> Findings:
    """`not_finite`: in the weights that would be published."""
    files = sorted(run.model_path.glob("*.safetensors"))
    bad = []
    for file in files:
        with safe_open(file, framework="pt") as held:
            tensors = ((name, held.get_tensor(name)) for name in held.keys())  # noqa: SIM118 - it is no dict
            bad += [name for name, one in tensors if one.is_floating_point() and not torch.isfinite(one).all()]
    evidence = f"{len(bad)} tensors of {len(files)} files hold NaN or Inf" + (f", such as {bad[0]}" if bad else "")
    yield fault("not_finite", bool(bad), evidence, "take the last whole checkpoint, and a smaller --learning_rate")
