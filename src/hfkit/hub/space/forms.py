"""What the forms of several tasks share: labels that are shown, how a mistake is told, and pictures."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hfkit.base.errors import HfkitError

BARS = 10  # labels that are shown, the likeliest first


def mistake(gradio: Any, what: str) -> Any:
    """Of a person, for the page; no traceback on the screen."""
    return gradio.Error(what, print_exception=False)


@contextlib.contextmanager
def told(gradio: Any) -> Iterator[None]:
    """Mistakes of a user, shown as such on the page."""
    try:
        yield
    except HfkitError as error:
        raise mistake(gradio, str(error.what)) from error


def asked_picture(gradio: Any) -> Any:
    """A field for a picture, given as the file that it is: Gradio's own reading would cut 16 bits off at 255."""
    return gradio.Image(type="filepath", image_mode=None, label="Picture", height=300)


def chosen(gradio: Any, picture: str | None) -> Path:
    """The file in such a field; a mistake where there is none."""
    if picture is None:
        raise mistake(gradio, "Choose a picture first.")
    return Path(picture)


def marked_form(gradio: Any, answer: Any, mark: Callable[[Any], tuple[Any, str]], label: str) -> dict[str, Any]:
    """The form of a pipeline that finds something in pictures: a picture in, the same with a `mark` and its name for
    each thing that is found out."""

    from hfkit.data.vision.given import picture_of  # of no use to forms of texts

    def ask(picture: Any) -> Any:
        file = chosen(gradio, picture)
        with told(gradio):
            found = answer(file)
            shown = picture_of(file, answer.reading.pixel_range).convert("RGB")
        return np.asarray(shown), list(map(mark, found))

    shown = [gradio.AnnotatedImage(label=label)]
    return {"fn": ask, "inputs": [asked_picture(gradio)], "outputs": shown}
