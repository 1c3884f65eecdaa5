"""Augmentation of pictures together with the boxes in them, through torchvision's `tv_tensors`; see `together`."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from hfkit.data.vision.tiles import filled
from hfkit.data.vision.together import STEPS as OF_MASKS
from hfkit.data.vision.together import Transpose

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "light": ("flip",),
    "medium": ("flip", "vertical_flip", "zoom", "color"),
    "strong": ("flip", "vertical_flip", "transpose", "affine", "zoom", "color", "blur"),
}
"""What --augment takes instead of a list."""

SEEN = 0.3
"""Share of a box that has to be left of it, or it is one of an object that cannot be told any more."""

LEAST = 2.0
"""Pixels of a side below which there is nothing to learn."""


class TransposeBoxes(Transpose):
    """As of masks, and the corners' coordinates change places."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.BoundingBoxes) or not params["swap"]:
            return super().transform(inpt, params)
        size = (inpt.canvas_size[1], inpt.canvas_size[0])
        return tv_tensors.BoundingBoxes(inpt[:, [1, 0, 3, 2]], format="XYXY", canvas_size=size)


class Zoom(v2.Transform):
    """A part of the picture of 0.6 to 1 of its sides, half of the time."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = flat_inputs[0].shape[-2:]
        share = 1.0 if float(torch.rand(1)) < 0.5 else 0.6 + 0.4 * float(torch.rand(1))
        high, wide = max(1, round(height * share)), max(1, round(width * share))
        top, left = (int(torch.randint(0, side + 1, ())) for side in (height - high, width - wide))
        return {"top": top, "left": left, "height": high, "width": wide}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return functional.crop(inpt, **params)


STEPS: dict[str, Callable[[int], v2.Transform]] = {
    **{name: step for name, step in OF_MASKS.items() if name not in ("elastic", "transpose")},
    "transpose": lambda side: TransposeBoxes(),
    "zoom": lambda side: Zoom(),
}
"""Name -> the transformation, in the order of their application."""

Changed = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
"""Bytes of a picture (channels, height, width) and corners (boxes, 4) -> those of what is learnt, and which boxes are
left, (left,)."""


def changed(names: Sequence[str]) -> Changed:
    """A function that changes a picture and its boxes at random."""
    change = v2.Compose([STEPS[name](0) for name in names]) if names else None

    def varied(pixels: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if change is None:
            return pixels, boxes, torch.arange(len(boxes))
        held = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=tuple(pixels.shape[-2:]))
        image, moved = change(tv_tensors.Image(pixels), held)
        image, moved = (one.as_subclass(torch.Tensor) for one in (image, moved))
        left = _visible(boxes, moved)
        return image, moved[left], left

    return varied


def cut(pixels: torch.Tensor, boxes: torch.Tensor, tile: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A tile at random, with the boxes of which enough is seen in it, cut off at its edge; as `Changed`."""
    pixels = filled(pixels, tile)
    y, x = (int(torch.randint(0, side - tile + 1, ())) for side in pixels.shape[-2:])
    moved = (boxes - torch.tensor([x, y, x, y])).clamp(0, tile)
    left = _visible(boxes, moved)
    return pixels[..., y : y + tile, x : x + tile], moved[left], left


def _visible(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """The rows of the boxes that are still to be told."""
    sides = [one[:, 2:] - one[:, :2] for one in (before, after)]
    kept = (sides[1] >= LEAST).all(1) & (sides[1].prod(1) >= SEEN * sides[0].prod(1))
    return kept.nonzero().flatten()
