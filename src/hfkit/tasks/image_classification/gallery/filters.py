"""What the first layer of a picture model looks for: its filters as pictures."""

import math

import numpy as np
from torch import Tensor, nn

SHOWN = 64  # filters of a grid at most

_GAP = 1


def first_filters(model: nn.Module) -> Tensor | None:
    """The weights of the first layer that reads the picture, as (filters, channels, height, width): a convolution's
    kernels (a ViT's patches are one), or, where a linear layer reads all pixels, a picture for each unit. None where
    the first layer is neither."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.weight.detach().float().cpu() if module.in_channels in (1, 3) else None
        if isinstance(module, nn.Linear):
            config = getattr(model, "config", None)
            channels, size = getattr(config, "num_channels", 0), getattr(config, "image_size", 0)
            if module.in_features != channels * size**2 or not channels:
                return None
            return module.weight.detach().float().cpu().reshape(-1, channels, size, size)
    return None


def filter_grid(filters: Tensor, columns: int = 8) -> np.ndarray:
    """Filters, (filters, 1 or 3, height, width), side by side as one small picture, to be enlarged without smoothing:
    uint8, (height, width[, 3]), with lines of white between the filters, `columns` of which are a line.

    Each is scaled by its own largest weight: middle grey is zero. Of more than 64 those of the largest norm are shown.
    """
    weights = filters.numpy()
    if len(weights) > SHOWN:
        norms = np.linalg.norm(weights.reshape(len(weights), -1), axis=1)
        weights = weights[np.sort(np.argsort(-norms, kind="stable")[:SHOWN])]
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    tiles = np.round(127.5 + 127.5 * weights / np.where(largest > 0, largest, 1.0)).astype(np.uint8)
    count, channels, height, width = tiles.shape
    columns = min(columns, count)
    lines = math.ceil(count / columns)
    grid = np.full((lines * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels), 255, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + _GAP), number % columns * (width + _GAP)
        grid[top : top + height, left : left + width] = tile.transpose(1, 2, 0)
    return grid[..., 0] if channels == 1 else grid
