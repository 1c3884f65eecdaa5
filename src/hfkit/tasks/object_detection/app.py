"""The form of a detector: a picture in, the picture with its boxes out."""

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
        sides = ("xmin", "ymin", "xmax", "ymax")
        return np.asarray(shown), [
            (tuple(one["box"][side] for side in sides), f"{one['label']} {one['score']:.2f}") for one in found
        ]

    asked = gradio.Image(type="filepath", image_mode=None, label="Picture", height=300)
    return {"fn": ask, "inputs": [asked], "outputs": [gradio.AnnotatedImage(label="Objects")]}


def example(info: Mapping[str, Any]) -> str:
    return '"picture.png"'


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    tiles = info["task_settings"].get("tile_size")
    return {"same": "other answers for large pictures, which hfkit looks at in tiles"} if tiles else {
        "same": "the same boxes, with a threshold of 0.5"
    }  # fmt: skip


def job(info: Mapping[str, Any]) -> str:
    return "object detection"
