"""Pictures that a pipeline is given: paths, bytes, addresses or PIL images."""

from pathlib import Path
from typing import Any

from PIL import Image

from hfkit.base.errors import HfkitError
from hfkit.data.vision.decode import BadImage, decode, upright


def picture_of(given: Any, pixel_range: list[float] | None) -> Image.Image:
    """A picture in any form that transformers' pipeline takes, decoded as at training; an address by transformers.
    Raises HfkitError: it is none."""
    if isinstance(given, str) and given.startswith(("http://", "https://", "data:")):
        from transformers.image_utils import load_image

        given = load_image(given)
    try:
        if isinstance(given, Image.Image):
            return upright(given, pixel_range)
        if isinstance(given, str | Path | bytes):
            return decode(given, pixel_range=pixel_range)
    except BadImage as error:
        raise HfkitError(f"{given if not isinstance(given, bytes) else 'The image'} {error}") from error
    raise HfkitError(f"No image: {type(given).__name__}", fix="give paths, bytes or PIL images")
