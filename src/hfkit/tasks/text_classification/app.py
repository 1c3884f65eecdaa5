"""The form of a text classifier: a text or a pair in; bars or a number out, and the windows that decided."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import BARS, mistake, told
from hfkit.tasks import classification

DECIDING = 5  # windows of a long text that are shown, the most telling first


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def ask(text: str, pair: str | None = None) -> Any:
        from hfkit.tasks.text_classification.windows import windows

        if not text.strip():
            raise mistake(gradio, "Write a text first.")
        with told(gradio):
            row = {"text": text, "text_pair": pair} if about.pair else text
            scores = {entry["label"]: entry["score"] for entry in answer(row, top_k=None)}
            parts = windows(answer, text, pair) if reads_windows else []
        best = max(scores, key=lambda name: scores[name])
        shown = scores[best] if about.regression else scores
        if not reads_windows:
            return shown
        ranked = sorted(parts, key=lambda part: -part.scores[best])[:DECIDING]
        return shown, [[f"{part.scores[best]:.3f}", part.text] for part in ranked]

    reads_windows = answer.reading.long_text == "windows"
    inputs = [gradio.Textbox(label="Text", lines=5)]
    if about.pair:
        inputs.append(gradio.Textbox(label="Second text", lines=5))
    said = gradio.Number(label="Answer") if about.regression else gradio.Label(label="Answer", num_top_classes=BARS)
    outputs = [said]
    if reads_windows:
        columns = {"headers": ["probability", "window"], "column_widths": ["20%", "80%"], "wrap": True}
        outputs.append(gradio.Dataframe(label="The windows that decided", **columns))
    return {"fn": ask, "inputs": inputs, "outputs": outputs}


def example(info: Mapping[str, Any]) -> str:
    if info["task_settings"].get("pair"):
        return '{"text": "The first text.", "text_pair": "The second text."}'
    return '"Write your text here."'


job = partial(classification.job, "text")
plain = {"arguments": ", truncation=True"}  # transformers' own pipeline cuts a text only when it is told to
