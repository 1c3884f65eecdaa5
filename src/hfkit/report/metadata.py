"""The front matter of a model card: what the Hub reads of a run, with every figure in its `model-index`."""

import re
from typing import Any

import numpy as np
from huggingface_hub import EvalResult, ModelCardData

from hfkit.data.sources.embedded import origin
from hfkit.evaluation import wording
from hfkit.evaluation.metric import Metric, named
from hfkit.report import public
from hfkit.report.analysis import Predictions
from hfkit.report.energy import Energy
from hfkit.runs.run import Run
from hfkit.tasks.discover import find

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def metadata(run: Run, energy: Energy | None) -> ModelCardData:
    """The front matter of a finished run's card. What is not known has no key."""
    info, data = run.info, run.info["data"]
    base, rows, adapter = base_model(run), data_set(run), bool(run.config.get("lora"))
    found = wording.figures(run.metrics)
    codes = [code.strip() for code in (data.get("language") or "").split(",")]  # a card's `en, de`
    languages = [code for code in codes if re.fullmatch(r"[a-z]{2,3}|code|multilingual", code)]
    emissions = energy and {
        "emissions": float(f"{energy.grams:.2g}"),
        "source": "estimated by the method of Green Algorithms, from time and hardware",
        "training_type": "pre-training" if scratch(run) else "fine-tuning",
        "hardware_used": wording.line(info["hardware"]["name"]),
    }
    return ModelCardData(
        license=license_of(run),
        language=(languages or None) if find(info["task"]).in_words else None,
        library_name="peft" if adapter else "transformers",
        base_model=base,
        base_model_relation=("adapter" if adapter else "finetune") if base else None,
        datasets=[rows] if rows else None,
        metrics=sorted({_metric(run, name).hub for name in found} - {""}),
        model_name=wording.line(info["name"]),
        pipeline_tag=info["task"],
        tags=["hfkit", *(["lora"] if adapter else []), *([] if base else ["trained-from-scratch"] * scratch(run))],
        widget=_widget(run) or None,
        co2_eq_emissions=emissions,
        eval_results=[_result(run, name, entry) for name, entry in found.items()],
    )


def base_model(run: Run) -> str | None:
    """The Hub id of the model that the run began with; None for a local folder or a model from scratch."""
    name = str(run.info["model"]["name"])
    if name.startswith("demo:"):
        return origin(name)[0]
    return name if HUB_ID.fullmatch(name) and public.path(name) == name else None


def data_set(run: Run) -> str | None:
    """The Hub id of the data, also where its rows came from a package; None for files."""
    data = run.info["data"]
    name = data["location"] if data["source"] == "hub" else data.get("origin")
    return name if name and HUB_ID.fullmatch(str(name)) else None


def license_of(run: Run) -> str | None:
    """The license that the weights are under: the one that was given, else an embedded base model's; else what the base
    model's own card says, where it lies in the Hub's cache; no network."""
    from huggingface_hub import ModelCard, try_to_load_from_cache

    given, name = run.info.get("license"), str(run.info["model"]["name"])
    if given or name.startswith("demo:"):
        return str(given) if given else origin(name)[1]
    base = base_model(run)
    try:
        path = base and try_to_load_from_cache(base, "README.md", revision=run.info["model"].get("revision"))
        found = ModelCard.load(path).data.get("license") if isinstance(path, str) else None
    except Exception:  # a stranger's card may hold anything
        return None
    return found if isinstance(found, str) else None


def scratch(run: Run) -> bool:
    """Whether the weights were trained from nothing."""
    return str(run.info["model"]["name"]).startswith("baseline:")


def _widget(run: Run, at_most: int = 3) -> list[dict[str, Any]]:
    """Inputs for the Hub's widget, from the test rows: a short text for each class, answered right and surely. None
    for pairs and pictures, which the widget cannot be given in words."""
    seen = Predictions.of(run)
    texts = {"text", "text_pair"} & set(seen.table.column_names)
    if not seen.labelled or seen.multi or seen.shares is None or texts != {"text"}:
        return []
    length = np.array([len(text) for text in seen.table["text"].to_pylist()])
    score = seen.shares.max(axis=1)
    fine, found = seen.right() & (length >= 20) & (length <= 300), []
    for index, name in enumerate(seen.names[:at_most]):
        rows = np.flatnonzero(fine & (seen.truth == index))
        if len(rows):
            row = int(rows[np.argmax(score[rows])])
            output = {"label": wording.line(name), "score": round(float(score[row]), 3)}
            found.append({"text": wording.line(seen.table["text"][row].as_py(), 300), "output": [output]})
    return found


def _metric(run: Run, name: str) -> Metric:
    """A figure as the run's own task has it: another task's of the same name may be another module on the Hub."""
    own = find(run.info["task"]).metrics(run.info["task_settings"])
    return next((metric for metric in own if metric.name == name), named(name))


def _result(run: Run, name: str, entry: dict[str, Any]) -> EvalResult:
    metric, data = _metric(run, name), run.info["data"]
    on_hub = data["source"] == "hub" and data_set(run)
    shown = wording.line(public.path(data["name"]))
    return EvalResult(
        task_type=run.info["task"],
        dataset_type=str(data["location"]) if on_hub else shown,
        dataset_name=wording.line(data.get("pretty_name") or shown),
        dataset_split=run.metrics.get("split", "test"),
        dataset_revision=data.get("revision") if on_hub else None,
        metric_type=metric.hub or name,
        metric_name=metric.title,
        metric_value=round(entry["value"], 6),
        metric_args={
            **metric.hub_arguments,
            "confidence_level": 0.95,
            "confidence_interval": [round(entry["low"], 6), round(entry["high"], 6)],
            "rows": entry["n"],
        },
    )
