"""The form of a model of pictures and texts: a picture and some labels in, bars out."""

from collections.abc import Mapping
from typing import Any

from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import BARS, asked_picture, chosen, mistake, told

SHOWN = 30
"""Classes that the form proposes at most."""


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def ask(picture: Any, labels: str = "") -> Any:
        file = chosen(gradio, picture)
        wanted = [one.strip() for one in labels.splitlines() if one.strip()] or about.labels
        if not wanted:
            raise mistake(gradio, "Write some labels, a line each.")
        with told(gradio):
            return {one["label"]: one["score"] for one in answer(file, candidate_labels=wanted)}

    lines = "\n".join(about.labels[:SHOWN]) or "a photo of a cat\na photo of a dog"
    labels = gradio.Textbox(label="Labels, a line each", lines=5, value=lines)
    return {
        "fn": ask,
        "inputs": [asked_picture(gradio), labels],
        "outputs": [gradio.Label(label="Answer", num_top_classes=BARS)],
    }


def example(info: Mapping[str, Any]) -> str:
    return '"picture.png"' if info["task_settings"].get("labels") else '"picture.png", candidate_labels=["cat", "dog"]'


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    settings = info["task_settings"]
    labels = (settings.get("labels") or ["cat", "dog"])[:3]
    told = f", candidate_labels={labels!r}, hypothesis_template={settings['templates'][0]!r}"
    several = len(settings["templates"]) > 1
    return {"arguments": told, "same": "the same labels, of one sentence each" if several else "the same scores"}


job = "zero-shot image classification"
