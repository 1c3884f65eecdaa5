"""Tiles: large pictures cut into parts that a model can see, and what it says of them put together again."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import torch
from torch.nn.functional import interpolate, pad

OVERLAP = 0.25
"""Share of a tile that it has in common with the next one, at least: what lies at an edge is seen whole in another."""


def starts(length: int, tile: int, overlap: float = OVERLAP) -> list[int]:
    """Where tiles begin along a side: evenly spread, the last one ends where the side does.

    >>> starts(512, 256), starts(100, 256)
    ([0, 128, 256], [0])
    """
    steps = -(-max(length - tile, 0) // max(1, int(tile * (1 - overlap))))
    return [round(step * (length - tile) / steps) for step in range(steps + 1)] if steps else [0]


def filled(pixels: torch.Tensor, tile: int) -> torch.Tensor:
    """(..., rows, columns), each side at least a tile, the edge repeated to the right and below where it is not."""
    right, below = max(0, tile - pixels.shape[-1]), max(0, tile - pixels.shape[-2])
    if not right and not below:
        return pixels
    made = pad(pixels.reshape(1, -1, *pixels.shape[-2:]).float(), (0, right, 0, below), mode="replicate")
    return made.to(pixels.dtype).reshape(*pixels.shape[:-2], *made.shape[-2:])


def blended(run: Callable[[torch.Tensor], torch.Tensor], pixels: torch.Tensor, tile: int, at_once: int) -> torch.Tensor:
    """What `run` says of a picture, (channels, height, width) -> (classes, height, width), from tiles that overlap.

    A place counts the more the further it lies from its tile's edge. What a smaller picture is filled up with is cut
    off again.

    Args:
        run: (tiles, channels, tile, tile) -> (tiles, classes, tile, tile); not more than `at_once` tiles each time.
    """
    height, width = pixels.shape[-2:]
    whole = filled(pixels, tile)
    ramp = torch.arange(tile, device=pixels.device)
    ramp = torch.minimum(ramp + 1, tile - ramp).float() / tile
    weight, total, sums = ramp[:, None] * ramp, torch.zeros(whole.shape[-2:], device=pixels.device), None
    corners = list(product(starts(whole.shape[-2], tile), starts(whole.shape[-1], tile)))
    for some in (corners[first : first + at_once] for first in range(0, len(corners), at_once)):
        said = run(torch.stack([whole[..., y : y + tile, x : x + tile] for y, x in some]))
        for (y, x), one in zip(some, said, strict=True):
            if sums is None:
                sums = torch.zeros(len(one), *whole.shape[-2:], device=one.device)
            sums[:, y : y + tile, x : x + tile] += one.float() * weight
            total[y : y + tile, x : x + tile] += weight
    assert sums is not None
    return (sums / total)[:, :height, :width]


Way = Callable[[torch.Tensor], torch.Tensor]


def turned(ways: str) -> Iterator[tuple[Way, Way]]:
    """The ways to look at a picture, each with its way back: as it is; with flip mirrored too; with turn all eight."""
    for mirrored in (False, True) if ways != "none" else (False,):
        for quarters in range(4) if ways == "turn" else (0,):
            yield partial(_there, mirrored, quarters), partial(_back, mirrored, quarters)


def _there(mirrored: bool, quarters: int, planes: torch.Tensor) -> torch.Tensor:
    return torch.rot90(planes.flip(-1) if mirrored else planes, quarters, (-2, -1))


def _back(mirrored: bool, quarters: int, planes: torch.Tensor) -> torch.Tensor:
    planes = torch.rot90(planes, -quarters, (-2, -1))
    return planes.flip(-1) if mirrored else planes


def resized(planes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(batch, planes, rows, columns) -> (batch, planes, height, width)."""
    if tuple(planes.shape[-2:]) == (height, width):
        return planes
    return interpolate(planes, (height, width), mode="bilinear", align_corners=False)
