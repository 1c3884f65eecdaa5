"""Pixels: an opened picture -> upright, of 8 bits a channel."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

PixelRange = Sequence[float]  # two numbers: what becomes black and what becomes white, of pixels that are no bytes


FEW = 64  # grey levels of 256 that the middle 99 % of the pixels may share without a word


class BadImage(ValueError):
    """The reason why something is no picture, as the end of a sentence about it."""


def upright(image: Image.Image, pixel_range: PixelRange | None = None) -> Image.Image:
    """An opened picture, which stays as it is, in the form that `decode` gives. Raises as `plain`."""
    return plain(ImageOps.exif_transpose(image), pixel_range)


def turned(image: Image.Image) -> Image.Image:
    """The same picture, decoded and upright, in the mode of its file."""
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return image


def is_deep(image: Image.Image) -> bool:
    """Whether its pixels are numbers of more than 8 bits; Pillow has no such mode for colours."""
    return image.mode.startswith(("I", "F"))


def is_halved(image: Image.Image) -> bool:
    """Whether the file, which is not decoded yet, has 16 bits a colour: Pillow takes the upper 8 of them."""
    return not is_deep(image) and any(";16" in str(tile) for tile in getattr(image, "tile", ()))


def plain(image: Image.Image, pixel_range: PixelRange | None = None) -> Image.Image:
    """In RGB, or L, without anything but pixels. Raises BadImage as `numbers`, and without a `pixel_range` for what is
    neither 16 bits nor 0 to 1."""
    if is_deep(image):
        return _eight_bits(image, pixel_range)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        mode = "L" if image.mode in ("L", "LA", "La") else "RGB"
        return Image.alpha_composite(white, layered).convert(mode)
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)


def numbers(image: Image.Image) -> np.ndarray:
    """The pixels of a deep picture, (rows, columns) in float64. Raises BadImage where one is not finite."""
    pixels = np.asarray(image, dtype=np.float64)
    if not np.isfinite(pixels).all():
        raise BadImage("holds numbers that are not finite")
    return pixels


def middle(pixels: np.ndarray) -> tuple[float, float]:
    """The ends of the middle 99 % of a picture's numbers, of 100,000 of them at most."""
    first, last = np.percentile(pixels.reshape(-1)[:: 1 + pixels.size // 100_000], [0.5, 99.5])
    return float(first), float(last)


def is_flattened(image: Image.Image, pixel_range: PixelRange | None) -> bool:
    """Whether a model that was trained on 8 bits sees next to nothing of a picture that has more: 12 bits of a scanner
    in a file of 16 come to 16 grey levels of 256."""
    if pixel_range is not None or not is_deep(image):
        return False
    first, last = middle(numbers(image))
    return last > 1 and first < last and 255 * (last - first) / 65535 < FEW


def _eight_bits(image: Image.Image, pixel_range: PixelRange | None) -> Image.Image:
    """Pillow would cut 16 bits off at 255: an X-ray would be white."""
    pixels = numbers(image)
    if pixel_range is None:
        low, high = float(pixels.min()), float(pixels.max())
        most = 1.0 if image.mode == "F" and high <= 1 else 65535.0 if high > 255 or image.mode != "F" else 255.0
        if low < 0 or high > most:
            raise BadImage(f"holds numbers from {low:g} to {high:g}, which are neither 0 to 1 nor 16 bits")
        pixel_range = 0.0, most
    first, last = pixel_range
    return Image.fromarray(np.round((pixels.clip(first, last) - first) * (255.0 / (last - first))).astype(np.uint8))
