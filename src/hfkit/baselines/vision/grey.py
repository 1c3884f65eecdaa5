"""Brightness: how a grey model reads a picture in colour."""

import torch
from torch import Tensor

# ITU-R 601, what PIL's mode "L" weighs a colour with.
_LUMA = (0.299, 0.587, 0.114)


def brightness(pixels: Tensor) -> Tensor:
    """(batch, 3, height, width) -> (batch, 1, height, width)."""
    return torch.einsum("bchw,c->bhw", pixels, pixels.new_tensor(_LUMA))[:, None]
