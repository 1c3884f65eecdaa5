"""prove: what a model's card claims beside what is measured here, and beside what a cheap rival gets."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from datasets import Dataset, DatasetDict

from hfkit.base import hardware
from hfkit.base.atomic import write_json, writing
from hfkit.base.errors import HfkitError
from hfkit.base.processes import is_first, meet
from hfkit.base.sanitize import line
from hfkit.config import DataArguments, TrainConfig
from hfkit.data.load import load_data, load_test
from hfkit.data.summary import rename_labels
from hfkit.data.tables.table import counted
from hfkit.evaluation import wording
from hfkit.evaluation.metric import Metric
from hfkit.evaluation.stats import intervals, mcnemar_exact
from hfkit.hub import claims
from hfkit.hub.claims import Claim
from hfkit.models.loading import load_model
from hfkit.models.names import HUB_FILES, fetch, here
from hfkit.tasks import discover
from hfkit.training.judging import test_split

NAMELESS = re.compile(r"LABEL_\d+")
"""What transformers calls labels that nobody named."""


def prove(
    model: str,
    data: DataArguments,
    train_dataset: str | None = None,
    output: str | Path | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> dict[str, Any]:
    """Judges a stranger's model on named rows and holds the claims of its card (`model-index`) against the figures.

    The rows are those of `hfkit evaluate`: a file whole, anything else its test split, labels matched by name. Labels
    without names (`LABEL_0`) are taken in the data's order, and it is said where another order would fit far better.
    `train_dataset`, by default the data's other splits, is what the cheap rivals learn from, and what the rows are
    looked for in: a text that the model may have been trained on flatters it.

    Writes `proof.json`, which is what it returns, and `predictions.parquet` to `output`, by default
    `evaluations/MODEL/DATA`. Raises HfkitError: there is no such model or data, it is a model of no task that hfkit
    knows, its card cannot be read, or the data has a label that the model does not know."""
    folder = here(model) or fetch(model, revision, [*HUB_FILES, "README.md", *["*.py"] * trust_remote_code])
    cards = (place / "README.md" for place in (folder, Path(model)))  # a run's lies beside its model's folder
    card = next((path for path in cards if path.is_file()), None)
    claimed, unread = claims.read(card) if card else ([], 0)
    loaded, processor = load_model(folder, trust_remote_code=trust_remote_code)
    spec = discover.of_model(loaded)
    assert spec is not None, "load_model opens nothing else"
    task = spec.task_class.from_model(loaded.config, processor)
    table, figures = _measured(task, loaded, processor, data, train_dataset)
    metrics = discover.find(task.name).metrics(task.settings())
    split = data.test_split or "test"
    found = figures | {
        "model": model,
        "revision": folder.name if here(model) is None else None,
        "claims": [_held(claim, metrics, figures, data.dataset, split) for claim in claimed],
        "unreadable_claims": unread,
    }
    place = Path(output or Path("evaluations") / _name(model) / _name(data.dataset))
    if is_first():
        with writing(place, "set --output"):
            place.mkdir(parents=True, exist_ok=True)
            test_split.write_table(place / "predictions.parquet", table)
            write_json(place / "proof.json", found)
        print(*_told(found, data.dataset), f"Written to {place}", sep="\n")
    return found


def _measured(task: Any, model: Any, processor: Any, data: DataArguments, given: str | None) -> tuple[pa.Table, Any]:
    """The predictions of the model and its rivals on the rows, and the figures, with what makes them too good or bad.
    `given` is the data set that rivals learn from."""
    kinds = {"task": task.name, "problem_type": task.settings().get("problem_type")}
    rows, labels = _rows(data, task.classes, kinds)
    if labels != task.classes:
        task = dataclasses.replace(task, labels=labels)
    config = TrainConfig.for_task(task.name)(dataset=data.dataset)
    precision, why = hardware.mixed_precision("auto", config.use_cpu)
    AcceleratorState._reset_state()
    accelerator = meet(Accelerator, mixed_precision=precision, cpu=config.use_cpu)
    accelerator.print(why)
    encoded = task.encode(rows["test"], processor)
    predictions = test_split.answers(accelerator, task, model, encoded, config)
    others = _other_rows(data, given, labels, kinds)
    both = others and DatasetDict(train=others["train"], test=rows["test"])
    rivals = test_split.fit_baselines(both, task.settings(), config.seed) if both else {}
    table = test_split.prediction_table(rows["test"], encoded, predictions, rivals)
    return table, intervals(table, task.settings(), rivals, seed=config.seed) | {
        "data": dataclasses.asdict(rows.summary),
        "other_order": _other_order(predictions, labels) if labels else None,
        "seen_in_training": _seen(rows["test"], others) if others else None,
    }


def _rows(data: DataArguments, classes: list[str] | None, kinds: dict[str, Any]) -> tuple[Any, list[str] | None]:
    """The rows with the model's labels, and these: the data's own, in its order, where the model has no names."""
    if classes is None or not all(map(NAMELESS.fullmatch, classes)):
        return load_test(data, label_names=classes, **kinds), classes
    rows = load_test(data, **kinds)
    own = rows.summary.label_names
    if own is None or len(own) != len(classes):
        what = f"The model has {counted(len(classes), 'label')} without names, and the data {len(own or [])}"
        raise HfkitError(what, where=data.dataset, fix="name them in the model's config.json: id2label")
    told = f"{', '.join(classes[:8])}: the model's labels have no names, and are taken as {', '.join(own[:8])}"
    print(line(told, 400), flush=True)
    return rows, list(own)


def _other_rows(data: DataArguments, given: str | None, labels: list[str] | None, kinds: dict[str, Any]) -> Any:
    """The splits that rivals learn from and the rows are looked for in: of `given` all, else those of the data that are
    not judged. None, which is said, where the data is one file, all of which is judged."""
    if given is None and Path(data.dataset).is_file():
        print(f"{data.dataset} is one file, all of it judged: no rivals; --train_dataset names rows to learn from")
        return None
    splits = load_data(dataclasses.replace(data, dataset=given or data.dataset, keep_duplicates=True), **kinds)
    if given is None:
        del splits["test"]
    if labels is not None:
        for name, rows in splits.items():
            splits[name], notes = rename_labels(rows, labels, splits.summary.location, drop=True)
            print(*notes, sep="\n", end="\n" * bool(notes))
    return splits


def _held(claim: Claim, metrics: Any, figures: dict[str, Any], dataset: str, split: str) -> dict[str, Any]:
    """A claim beside our figure: inside or outside of its interval; None where it is about other rows, or about what is
    not counted here. Of several averages that it may mean, the one that is nearest."""
    meant: list[Metric] = [metric for metric in metrics if metric.name in figures and claim.is_of(metric)]
    told = {"metric": claim.title, "claimed": claim.value, "dataset": claim.dataset, "split": claim.split}
    if not meant or not claim.is_about(dataset, split):
        return told | {"figure": None, "inside": None, "here": bool(meant)}
    metric = min(meant, key=lambda one: abs(figures[one.name]["value"] - claim.in_unit_of(one)))
    value, entry = claim.in_unit_of(metric), figures[metric.name]
    rounding = 0.5 * 10.0 ** -_decimals(value)
    inside = entry["low"] - rounding <= value <= entry["high"] + rounding
    return told | {"claimed": value, "figure": metric.name, "inside": inside, "meant": len(meant)}


def _decimals(value: float) -> int:
    """The decimals that a figure was written with: 0.93 may be 0.934 rounded."""
    return len(repr(round(value, 6)).partition(".")[2])


def _other_order(predictions: dict[str, Any], labels: list[str]) -> dict[str, Any] | None:
    """The order of the labels in which far more answers would be right: labels that were permuted on their way."""
    from scipy.optimize import linear_sum_assignment

    truth, answer = predictions.get("label"), predictions.get("prediction")
    if truth is None or answer is None or truth.ndim != 1 or truth.dtype.kind not in "iu":
        return None
    both = np.zeros((len(labels), len(labels)))
    np.add.at(both, (answer, truth), 1)
    order = linear_sum_assignment(-both)[1]
    right, other = answer == truth, order[answer] == truth
    if other.mean() <= right.mean() or mcnemar_exact(other, right).p_value > 0.001:
        return None
    return {"labels": [labels[place] for place in order], "accuracy": float(other.mean())}


def _seen(rows: Dataset, others: DatasetDict) -> int | None:
    """How many of the texts stand in other splits, whatever their case; None for pictures."""
    if not all(set(test_split.TEXTS) & set(split.column_names) for split in (rows, *others.values())):
        return None
    known = np.concatenate([test_split.digests(split) for split in others.values()])
    return int(np.isin(test_split.digests(rows), known).sum())


def _told(found: dict[str, Any], dataset: str) -> list[str]:
    """What was measured, a line a figure; then each claim, the rivals, and what makes the figures too good or bad."""
    figures, primary = wording.figures(found), found["primary_metric"]
    rows = [["", "measured", "95 % interval"]]
    rows += [
        [wording.title(name), wording.number(entry["value"], name), wording.interval(entry, name)]
        for name, entry in figures.items()
    ]
    lines = [f"{line(found['model'])} on {line(dataset)}:", *wording.aligned(rows), "", *_claimed(found)]
    for name, rival in found["baselines"].items():
        gap, title = rival["difference"], wording.baseline_title(name, found.get("problem_type"), rival.get("rows"))
        told = f"{wording.gap(gap['value'], primary)} ({wording.gaps(gap, primary)}){wording.unit(primary)}"
        lines.append(f"{title}: {wording.number(rival[primary]['value'], primary)}; the model {told}")
    if (other := found["other_order"]) is not None:
        order = ", ".join(other["labels"])
        lines.append(
            line(f"With its labels in the order {order} it would have {other['accuracy']:.3f}: permuted?", 400)
        )
    if (seen := found["seen_in_training"]) is not None:
        flatter = ", and flatter a model that learnt them" if seen else ""
        lines.append(f"{seen:,} of the {counted(figures[primary]['n'], 'text')} stand in other splits{flatter}")
    return lines


def _claimed(found: dict[str, Any]) -> Iterator[str]:
    """Each claim about these rows beside its figure; how many are about others."""
    for claim in found["claims"]:
        if claim["figure"]:
            yield _sentence(claim, found[claim["figure"]])
    others = [claim for claim in found["claims"] if not claim["figure"]]
    if others:
        named = sorted({", ".join(filter(None, [claim["dataset"], claim["split"]])) for claim in others})
        yield line(f"{counted(len(others), 'claim')} not held against these rows, of {'; '.join(named)}", 300)
    if not found["claims"]:
        yield "The card claims no figure (it has no model-index)"
    if found["unreadable_claims"]:
        yield f"{counted(found['unreadable_claims'], 'claim')} of its model-index without a number"


def _sentence(claim: dict[str, Any], entry: dict[str, Any]) -> str:
    """`accuracy: 0.934 claimed; 0.921 (0.910 to 0.931) measured: the claim is outside`."""
    name = claim["figure"]
    measured = f"{wording.number(entry['value'], name)} ({wording.interval(entry, name)}) measured"
    held = "the claim is inside" if claim["inside"] else "the claim is outside"
    which = f", taken as {wording.title(name)}, the nearest of {claim['meant']}" if claim["meant"] > 1 else ""
    return f"{claim['metric']}{which}: {wording.number(claim['claimed'], name)} claimed; {measured}: {held}"


def _name(text: str) -> str:
    """A folder's name for a model or a data set: of a path its end."""
    path = Path(text)
    name = path.stem if path.is_file() else path.resolve().name if path.is_dir() else text
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "unnamed"
