"""predict: a language model has no labels for the rows of a file; `hfkit generate` continues them."""

from typing import Any, NoReturn

from hfkit.base.errors import HfkitError


def predict(model: Any, *_: Any, **options: Any) -> NoReturn:
    """Say which command it is."""
    raise HfkitError(f"{model} continues texts, and gives no labels", fix="hfkit generate RUN --input FILE")
