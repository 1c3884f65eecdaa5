"""Merging: what a model says of overlapping views of a picture as one answer, each object once."""

from collections.abc import Sequence
from itertools import product

import torch
from torchvision.ops import batched_nms

from hfkit.data.vision.tiles import starts

View = tuple[int, int, int, int]
"""Left, top, width and height of a part of a picture."""

SAME = 0.6
"""Overlap from which two boxes of a class are one object."""

COVERED = 0.5
"""Share of a box at a view's inner edge that has to lie in another: then it is a piece of that one's object."""

EDGE = 3.0
"""Pixels from an inner edge of its view within which a box may have been cut off."""


def views(width: int, height: int, tile: int | None) -> list[View]:
    """The whole picture; of a larger one than a `tile` also tiles that overlap by a quarter."""
    whole = (0, 0, width, height)
    if tile is None or max(width, height) <= tile:
        return [whole]
    corners = product(starts(height, tile), starts(width, tile))
    return [whole, *((x, y, min(tile, width), min(tile, height)) for y, x in corners)]


def merged(found: Sequence[tuple[View, torch.Tensor]], size: tuple[int, int], most: int) -> torch.Tensor:
    """(boxes, 6) of a picture of this width and height, the surest first, at most so many; from what each view says:
    (boxes, 6), corners in pixels of the view, score and class.

    Of boxes of one class that overlap by more than `SAME` the surest stays, unless there was but one view: then the
    model has said all it has to say. A box at an inner edge of its view, of which another view shows more, goes."""
    width, height = size
    boxes, pieces = [], []
    for (left, top, wide, high), said in found:
        inner = torch.tensor([left > 0, top > 0, left + wide < width, top + high < height])
        ends = torch.tensor([0.0, 0.0, wide, high])
        pieces.append((((said[:, :4] - ends).abs() <= EDGE) & inner).any(1))
        boxes.append(torch.cat([said[:, :4] + torch.tensor([left, top, left, top]), said[:, 4:]], dim=1))
    every, cut = torch.cat(boxes), torch.cat(pieces)
    every[:, :4] = torch.minimum(every[:, :4].clamp(min=0), torch.tensor([width, height, width, height]))
    kept = (every[:, 2] > every[:, 0]) & (every[:, 3] > every[:, 1])
    every, cut = every[kept], cut[kept]
    if len(found) > 1 and len(every):
        whole = every[~cut]
        parts = [one for one in every[cut] if not _covered(one, whole)]
        every = torch.cat([whole, *(one[None] for one in parts)])
        every = every[batched_nms(every[:, :4], every[:, 4], every[:, 5].long(), SAME)]
    order = torch.argsort(every[:, 4], descending=True, stable=True)[:most]
    return every[order]


def _covered(piece: torch.Tensor, whole: torch.Tensor) -> bool:
    same = whole[whole[:, 5] == piece[5], :4]
    corner = torch.minimum(same[:, 2:], piece[2:4]) - torch.maximum(same[:, :2], piece[:2])
    area = (piece[2:4] - piece[:2]).prod()
    return bool((corner.clamp(min=0).prod(1) >= COVERED * area).any())
