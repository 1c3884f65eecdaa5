"""The form of a detector: a picture in, the picture with its boxes out."""

from collections.abc import Mapping
from typing import Any

from hfkit.data.vision.boxes.voc import SIDES
from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import marked_form


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def mark(one: dict[str, Any]) -> tuple[Any, str]:
        return tuple(one["box"][side] for side in SIDES), f"{one['label']} {one['score']:.2f}"

    return marked_form(gradio, answer, mark, "Objects")


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    tiles = info["task_settings"].get("tile_size")
    return {"same": "other answers for large pictures, which hfkit looks at in tiles"} if tiles else {
        "same": "the same boxes, with a threshold of 0.5"
    }  # fmt: skip


example = '"picture.png"'
job = "object detection"
