"""Augmentation of pictures together with what is marked in them, through torchvision's `tv_tensors`.

A transformation draws once for a picture and its mask, as in `augment` from torch's generator, which is seeded for each
sample: what a row looks like in an epoch is a function of (seed, epoch, row).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import interpolate
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from hfkit.data.vision.masks.values import VOID
from hfkit.data.vision.tiles import filled

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "light": ("flip",),
    "medium": ("flip", "vertical_flip", "transpose", "affine"),
    "strong": ("flip", "vertical_flip", "transpose", "affine", "elastic", "color", "blur"),
}
"""What --augment takes instead of a list."""

GRID, BENT = 32, 4.0
"""Pixels between the places that move on their own, and by how many they move (a standard deviation)."""

MARGIN = 1.5
"""By how much the window is larger than a tile that is turned and zoomed inside it: a square's diagonal, and some."""


class Transpose(v2.Transform):
    """Rows become columns, half of the time: with both flips all eight ways to lay a square."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"swap": float(torch.rand(1)) < 0.5}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return tv_tensors.wrap(inpt.transpose(-1, -2), like=inpt) if params["swap"] else inpt


class Bend(v2.Transform):
    """Places move at random, smoothly; see Simard, Steinkraus and Platt 2003. What moves is drawn on a coarse grid:
    torchvision's ElasticTransform smooths noise at every pixel, with kernels that take longer than the network."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        sides = flat_inputs[0].shape[-2:]
        coarse = torch.randn(1, 2, *(side // GRID + 2 for side in sides))
        moves = interpolate(coarse, sides, mode="bicubic") * (2 * BENT / torch.tensor(sides[::-1]))[:, None, None]
        return {"displacement": moves.permute(0, 2, 3, 1)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return functional.elastic(inpt, fill=VOID if isinstance(inpt, tv_tensors.Mask) else 0, **params)


def _affine(tile: int) -> v2.Transform:
    fill: Any = {tv_tensors.Image: 0, tv_tensors.Mask: VOID}
    how: Any = {"interpolation": v2.InterpolationMode.BILINEAR, "fill": fill}
    return v2.RandomApply([v2.RandomAffine(20, scale=(0.85, 1.35), shear=8, **how)], p=0.75)


STEPS: dict[str, Callable[[int], v2.Transform]] = {
    "affine": _affine,
    "elastic": lambda tile: v2.RandomApply([Bend()], p=0.5),
    "flip": lambda tile: v2.RandomHorizontalFlip(),
    "vertical_flip": lambda tile: v2.RandomVerticalFlip(),
    "transpose": lambda tile: Transpose(),
    "color": lambda tile: v2.ColorJitter(0.3, 0.3, 0.3),
    "blur": lambda tile: v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], p=0.2),
}
"""Name -> the transformation, for tiles of so many pixels; in the order of their application."""


Changed = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Bytes of a picture (channels, height, width) and of its mask (height, width) -> those of a tile."""


def tile_of(names: Sequence[str], tile: int) -> Changed:
    """A function that cuts a tile at random and changes it. A smaller picture is filled up with its edge, of which the
    mask says nothing."""
    window = int(tile * MARGIN) if "affine" in names or "elastic" in names else tile
    change = v2.Compose([*(STEPS[name](tile) for name in names), v2.CenterCrop(tile)])

    def cut(pixels: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = mask.shape
        pixels, void = filled(pixels, tile), torch.full((max(height, tile), max(width, tile)), VOID, dtype=torch.uint8)
        void[:height, :width] = mask
        sides = [min(side, window) for side in void.shape]
        y, x = (int(torch.randint(0, side - part + 1, ())) for side, part in zip(void.shape, sides, strict=True))
        at = (slice(y, y + sides[0]), slice(x, x + sides[1]))
        image, marked = change(tv_tensors.Image(pixels[..., at[0], at[1]]), tv_tensors.Mask(void[at]))
        return image.as_subclass(torch.Tensor), marked.as_subclass(torch.Tensor)

    return cut
