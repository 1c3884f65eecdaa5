"""Tiles: small pictures as the bytes of a file, and numbers of a model as pictures."""

import io

import numpy as np
import torch
from PIL import Image

SIDE = 144  # pixels of the longer side at most: what a page shows in a column of tiles, and about 8 kB as JPEG

LOSSLESS = 64
"""Up to so many pixels a side a picture is kept as PNG: JPEG would blur the few that there are, and save nothing."""

# From cold to hot, to be read in grey as well: each colour is lighter than the one before.
_HEAT = np.array([[30, 20, 70], [130, 30, 110], [220, 70, 60], [250, 160, 40], [255, 245, 170]], dtype=np.float32)


def tile(image: Image.Image) -> bytes:
    """A picture, made smaller where it is larger than `SIDE`, as PNG or JPEG without any metadata."""
    small = image if image.mode in ("L", "RGB") else image.convert("RGB")
    if max(small.size) > SIDE:
        share = SIDE / max(small.size)
        size = max(1, round(small.width * share)), max(1, round(small.height * share))
        small = small.resize(size, Image.Resampling.LANCZOS)
    if max(small.size) <= LOSSLESS:
        return png(small)
    written = io.BytesIO()
    small.save(written, "JPEG", quality=85, exif=b"")
    return written.getvalue()


def png(image: Image.Image) -> bytes:
    """The picture as it is, pixel for pixel."""
    written = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(written, "PNG", optimize=True)  # the array leaves texts and profiles behind
    return written.getvalue()


def picture(numbers: torch.Tensor, mean: list[float], std: list[float]) -> Image.Image:
    """What a model is given, (channels, height, width), as the picture that it was before it was normalised."""
    scale, shift = torch.tensor(std)[:, None, None], torch.tensor(mean)[:, None, None]
    pixels = (numbers.detach().float().cpu() * scale + shift).clamp(0, 1).mul(255).round().to(torch.uint8).numpy()
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def heated(image: Image.Image, heat: np.ndarray) -> Image.Image:
    """A map laid over the picture in grey: where it is hot the picture is coloured, where it is cold it is dark. A
    small picture is made larger, so that the map's gradient can be seen. `heat` is (cells, cells), not negative; its
    largest value is the hottest colour."""
    share = SIDE / max(image.size)
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    enlarging = Image.Resampling.NEAREST if share > 1 else Image.Resampling.LANCZOS
    grey = np.asarray(image.convert("L").resize(size, enlarging), dtype=np.float32)[..., None]
    scaled = heat / max(float(heat.max()), 1e-12)
    smooth = Image.fromarray(scaled.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    hot = np.clip(np.asarray(smooth, dtype=np.float32), 0, 1)
    at = np.linspace(0, 1, len(_HEAT))
    colours = np.stack([np.interp(hot, at, _HEAT[:, channel]) for channel in range(3)], axis=-1)
    return Image.fromarray(np.round(0.45 * grey + 0.55 * colours).astype(np.uint8))
