"""The form of a tagger: a text in, the same text with its names marked out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hfkit.hub.space.forms import mistake, told
from hfkit.tasks.token_classification.words.schemes import has_scheme

if TYPE_CHECKING:
    from hfkit.hub.space.facts import Facts


def form(gradio: Any, answer: Any, about: "Facts") -> dict[str, Any]:
    """Arguments of a gradio.Interface over a pipeline."""

    def ask(text: str) -> dict[str, Any]:
        if not text.strip():
            raise mistake(gradio, "Write a text first.")
        with told(gradio):
            names = answer(text)
        marked = [{"entity": one["entity_group"], "start": one["start"], "end": one["end"]} for one in names]
        return {"text": text, "entities": marked}

    return {
        "fn": ask,
        "inputs": [gradio.Textbox(label="Text", lines=5)],
        "outputs": [gradio.HighlightedText(label="Names")],
    }


def example(info: Mapping[str, Any]) -> str:
    """An input for the snippets of a card, as Python."""
    return '"Write your text here."'


def job(info: Mapping[str, Any]) -> str:
    """What the model of a run does, in words."""
    return "recognition of names" if has_scheme(map(str, info["task_settings"]["labels"])) else "tagging of words"
