"""The image processor of a from-scratch baseline: size, channels, mean and deviation are those of training pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from datasets import Dataset
from PIL.Image import Image
from transformers import ViTImageProcessor

from hfkit.data.vision.decode import decode_again, undecoded


def sample(train: Dataset, count: int, pixel_range: Sequence[float] | None = None) -> list[Image]:
    """At most `count` decoded pictures from all over the split: files often stand in the order of their classes."""
    rows = np.unique(np.linspace(0, len(train) - 1, min(count, len(train))).astype(int))
    return [decode_again(stored, pixel_range=pixel_range) for stored in undecoded(train.select(rows), "image")["image"]]


def native_shape(images: Sequence[Image], largest: int = 64) -> tuple[int, int]:
    """Pixels a side, at most `largest`, and channels that suit some training pictures, at least one: the longer side
    where all are alike (28 for MNIST), else the median of the longer sides, rounded down to a multiple of 8; 1 channel
    where no pixel has a colour (whatever the files' mode), else 3."""
    sides = sorted(max(image.size) for image in images)
    side = min(sides[len(sides) // 2], largest)
    if sides[0] != sides[-1]:
        side = max(8, side - side % 8)
    return side, 1 if all(_grey(image) for image in images) else 3


def make_processor(image_size: int, num_channels: int, images: Sequence[Image]) -> ViTImageProcessor:
    """Resize to a square (bilinear, not cropped: nothing of the picture is lost), scale to 0..1, normalise.

    Mean and deviation of each channel are those of `images`. With 3 channels, pictures of every mode become RGB; with
    1, a colour picture keeps its channels and the model takes its brightness."""
    size = {"height": image_size, "width": image_size}
    processor = ViTImageProcessor(size=size, do_convert_rgb=num_channels == 3 or None)
    same = [image.convert("L" if num_channels == 1 else "RGB") for image in images]
    with torch.device("cpu"):  # wherever the model is built, these are data
        pixels = processor(same, do_normalize=False, return_tensors="pt")["pixel_values"]
    # Four decimals: finer is noise of the sample. An even picture has no deviation to divide by.
    processor.image_mean = [round(float(mean), 4) for mean in pixels.mean(dim=(0, 2, 3))]
    processor.image_std = [round(float(std), 4) or 1.0 for std in pixels.std(dim=(0, 2, 3))]
    return processor


def _grey(image: Image) -> bool:
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
    return bool((red == green).all() and (green == blue).all())
