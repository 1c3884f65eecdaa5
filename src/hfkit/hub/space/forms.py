"""What the forms of several tasks share: how many labels they show, and how a mistake is told on the page."""

import contextlib
from collections.abc import Iterator
from typing import Any

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
