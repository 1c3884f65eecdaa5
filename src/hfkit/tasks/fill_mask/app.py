"""The form of a masked language model: a text with a gap in, the likeliest words out."""

from typing import Any

from hfkit.base.sanitize import line
from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import BARS, mistake, told
from hfkit.runs.run import Run

GAP = "___"  # what people may write for a hidden word, whatever the model's mask token is


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    mask = answer.tokenizer.mask_token

    def ask(text: str) -> dict[str, float]:
        text = text.replace(GAP, mask)
        if text.count(mask) != 1:
            raise mistake(gradio, f"Write a text with one gap: {GAP}")
        with told(gradio):
            found = answer(text, top_k=BARS)
        return {one["token_str"]: one["score"] for one in found}

    return {
        "fn": ask,
        "inputs": [gradio.Textbox(label=f"Text with a gap, {GAP} or {mask}", lines=4)],
        "outputs": [gradio.Label(label="Likeliest words", num_top_classes=BARS)],
    }


def examples(run: Run, at_most: int) -> list[list[str]]:
    """Sentences of test texts for the form, a word in the middle of each left out."""
    found = []
    for text in run.predictions()["text"].to_pylist() if "text" in run.predictions().column_names else ():
        words = line(text, 200).split()[:12]
        if len(words) > 6:
            found.append([" ".join([*words[:5], GAP, *words[6:]])])
    return found[:at_most]


example = 'f"Write a text with a {model.tokenizer.mask_token} in it."'
job = "masked language modelling"
