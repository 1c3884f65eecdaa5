"""The form of an image classifier: a picture in, bars or a number out."""

from functools import partial
from pathlib import Path
from typing import Any

from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import BARS, mistake, told
from hfkit.tasks import classification


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def ask(picture: Any) -> Any:
        if picture is None:
            raise mistake(gradio, "Choose a picture first.")
        with told(gradio):
            scores = {entry["label"]: entry["score"] for entry in answer(Path(picture), top_k=None)}
        return next(iter(scores.values())) if about.regression else scores

    shown = gradio.Number(label="Answer") if about.regression else gradio.Label(label="Answer", num_top_classes=BARS)
    # The file as it is: Gradio's own reading would cut 16 bits off at 255.
    asked = gradio.Image(type="filepath", image_mode=None, label="Picture", height=300)
    return {"fn": ask, "inputs": [asked], "outputs": [shown]}


example = '"picture.png"'
job = partial(classification.job, "image")
