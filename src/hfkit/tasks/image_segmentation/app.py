"""The form of a segmenter: a picture in, the picture with its classes laid over it out."""

from typing import Any

import numpy as np

from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import marked_form


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    return marked_form(gradio, answer, lambda one: (np.asarray(one["mask"]) / 255, one["label"]), "Classes")


example = '"picture.png"'
job = "semantic segmentation"
plain = {"same": "nearly the same answers: it looks at the whole picture at once, hfkit at overlapping tiles"}
