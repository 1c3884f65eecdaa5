"""README.md: the model card, with its figures in the Hub's `model-index`."""

import re
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from hfkit.report import words
from hfkit.report.page import overview, templates
from hfkit.run import Run

# Our names -> the Hub's metric ids, with the arguments that make them ours.
_HUB_METRICS: dict[str, tuple[str, dict[str, str] | None]] = {
    "accuracy": ("accuracy", None),
    "subset_accuracy": ("accuracy", None),
    "f1_macro": ("f1", {"average": "macro"}),
    "f1_micro": ("f1", {"average": "micro"}),
    "f1_weighted": ("f1", {"average": "weighted"}),
    "precision_macro": ("precision", {"average": "macro"}),
    "recall_macro": ("recall", {"average": "macro"}),
    "mcc": ("matthews_correlation", None),
    "roc_auc": ("roc_auc", None),
    "mse": ("mse", None),
    "mae": ("mae", None),
    "pearson": ("pearsonr", None),
    "spearman": ("spearmanr", None),
}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def card(run: Run) -> str:
    """The model card of a finished run, as Markdown with YAML front matter."""
    context = overview(run)
    context["headline"] = [{**row, "text": words.number(row["value"], row["name"])} for row in context["headline"]]
    environment = templates().overlay(autoescape=False)
    environment.filters["md"] = markdown
    body = environment.get_template("card.md.jinja").render(context)
    return f"---\n{_metadata(run).to_yaml()}\n---\n\n{body}"


def markdown(value: Any) -> str:
    """A foreign string as one line of Markdown that stays text: no links, no HTML, no table cells."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", words.line(value, 300))


def _metadata(run: Run) -> ModelCardData:
    info, data = run.info, run.info["data"]
    on_hub = data["source"] == "hub" and _HUB_ID.fullmatch(str(data["location"] or ""))
    base = str(info["model"]["name"])
    adapter = bool(run.config.get("lora"))
    return ModelCardData(
        language=data.get("language"),
        library_name="peft" if adapter else "transformers",
        base_model=base if _HUB_ID.fullmatch(base) else None,
        datasets=[data["location"]] if on_hub else None,
        metrics=sorted({_HUB_METRICS[name][0] for name in run.metrics if name in _HUB_METRICS}),
        model_name=words.line(info["name"]),
        pipeline_tag=info["task"],
        tags=["hfkit", *(["lora"] if adapter else [])],
        eval_results=_results(run, str(data["location"]) if on_hub else words.line(data["name"])),
    )


def _results(run: Run, dataset: str) -> list[EvalResult]:
    info, found = run.info, run.metrics
    results = []
    for name, (metric, arguments) in _HUB_METRICS.items():
        if name in found:
            results.append(
                EvalResult(
                    task_type=info["task"],
                    dataset_type=dataset,
                    dataset_name=words.line(info["data"].get("pretty_name") or info["data"]["name"]),
                    dataset_split=found.get("split", "test"),
                    dataset_revision=info["data"].get("revision"),
                    metric_type=metric,
                    metric_name=words.title(name),
                    metric_value=round(found[name]["value"], 6),
                    metric_args=arguments,
                )
            )
    return results


def read(text: str) -> ModelCard:
    """A card's text as huggingface_hub's object, which checks its front matter."""
    return ModelCard(text)
