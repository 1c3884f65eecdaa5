"""Pictures that a pipeline is given: paths, bytes, addresses or PIL images."""

import warnings
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from PIL import Image

from hfkit.base.errors import HfkitError
from hfkit.data.vision.decode import BadImage, as_stored
from hfkit.data.vision.pixels import PixelRange, is_flattened, plain, upright

ADDRESSES = ("http://", "https://", "data:")
LARGEST = 100_000_000
"""Bytes that are taken from an address: a stranger's server may send without end."""

SECONDS = 20
"""A server may be silent for so long."""

FLATTENED = (
    "16 bits a pixel, of which 99 % come to fewer than 64 grey levels of 256: the model learnt from pictures of 8 bits."
    " Scale such pictures to 8 bits first"
)


def seen_of(file: Path, pixel_range: PixelRange | None) -> tuple[Image.Image, bool]:
    """The picture of a file as `decode` gives it, and whether it `is_flattened`. Raises as `decode`."""
    image, _ = as_stored(file)
    return plain(image, pixel_range), is_flattened(image, pixel_range)


def picture_of(given: Any, pixel_range: list[float] | None) -> Image.Image:
    """A picture in any form that transformers' pipeline takes, decoded as at training. One that `is_flattened` is
    warned of. Raises HfkitError: it is none, or an address gives none."""
    try:
        if isinstance(given, Image.Image | str | Path | bytes):
            there = _fetched(given) if isinstance(given, str) and given.startswith(ADDRESSES) else given
            image = there if isinstance(there, Image.Image) else as_stored(there)[0]
            if is_flattened(image, pixel_range):
                warnings.warn(f"A picture has {FLATTENED}", stacklevel=2)
            return upright(image, pixel_range)
    except BadImage as error:
        name = "The image" if isinstance(given, bytes) else given if len(str(given)) < 200 else f"{str(given)[:200]}..."
        raise HfkitError(f"{name} {error}") from error
    raise HfkitError(f"No image: {type(given).__name__}", fix="give paths, bytes or PIL images")


def _fetched(address: str) -> bytes:
    """The bytes that an address gives, `LARGEST` at most; it is read as a file's are, whatever it calls itself. Raises
    BadImage: nobody answers, or with something else."""
    try:
        with urlopen(Request(address, headers={"User-Agent": "hfkit"}), timeout=SECONDS) as answer:
            found: bytes = answer.read(LARGEST + 1)
    except HTTPError as error:
        raise BadImage(f"was answered with {error.code} {error.reason}") from error
    except (OSError, ValueError, HTTPException) as error:  # no such host, a port that is no number, a broken answer
        raise BadImage(f"cannot be fetched: {getattr(error, 'reason', None) or error}") from error
    if len(found) > LARGEST:
        raise BadImage(f"gives more than {LARGEST:,} bytes")
    return found
