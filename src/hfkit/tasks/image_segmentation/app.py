"""The form of a segmenter: a picture in, the picture with its classes laid over it out."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hfkit.data.vision.given import picture_of
from hfkit.hub.space.forms import mistake, told

if TYPE_CHECKING:
    from hfkit.hub.space.facts import Facts


def form(gradio: Any, answer: Any, about: "Facts") -> dict[str, Any]:
    def ask(picture: Any) -> Any:
        if picture is None:
            raise mistake(gradio, "Choose a picture first.")
        with told(gradio):
            found = answer(Path(picture))
            shown = picture_of(Path(picture), answer.reading.pixel_range).convert("RGB")
        return np.asarray(shown), [(np.asarray(one["mask"]) / 255, one["label"]) for one in found]

    asked = gradio.Image(type="filepath", image_mode=None, label="Picture", height=300)
    return {"fn": ask, "inputs": [asked], "outputs": [gradio.AnnotatedImage(label="Classes")]}


def example(info: Mapping[str, Any]) -> str:
    return '"picture.png"'


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    return {"same": "nearly the same answers: it looks at the whole picture at once, hfkit at overlapping tiles"}


def job(info: Mapping[str, Any]) -> str:
    return "semantic segmentation"
