"""Pictures that a pipeline is given: paths, bytes, addresses or PIL images."""

import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from hfkit.base.errors import HfkitError
from hfkit.data.vision.decode import BadImage, as_stored
from hfkit.data.vision.pixels import PixelRange, is_flattened, plain, upright

FLATTENED = (
    "16 bits a pixel, of which 99 % come to fewer than 64 grey levels of 256: the model learnt from pictures of 8 bits."
    " Scale such pictures to 8 bits first"
)


def seen_of(file: Path, pixel_range: PixelRange | None) -> tuple[Image.Image, bool]:
    """The picture of a file as `decode` gives it, and whether it `is_flattened`. Raises as `decode`."""
    image, _ = as_stored(file)
    return plain(image, pixel_range), is_flattened(image, pixel_range)


def picture_of(given: Any, pixel_range: list[float] | None) -> Image.Image:
    """A picture in any form that transformers' pipeline takes, decoded as at training; an address by transformers.
    One that `is_flattened` is warned of. Raises HfkitError: it is none."""
    if isinstance(given, str) and given.startswith(("http://", "https://", "data:")):
        from transformers.image_utils import load_image

        given = load_image(given)
    try:
        if isinstance(given, Image.Image | str | Path | bytes):
            image = given if isinstance(given, Image.Image) else as_stored(given)[0]
            if is_flattened(image, pixel_range):
                warnings.warn(f"A picture has {FLATTENED}", stacklevel=2)
            return upright(image, pixel_range)
    except BadImage as error:
        raise HfkitError(f"{given if not isinstance(given, bytes) else 'The image'} {error}") from error
    raise HfkitError(f"No image: {type(given).__name__}", fix="give paths, bytes or PIL images")
