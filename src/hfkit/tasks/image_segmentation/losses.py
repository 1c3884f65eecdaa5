"""What a segmenter makes small: cross-entropy, Dice, both, or focal loss; a number for each tile."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from hfkit.data.vision.masks.values import VOID

SMOOTH = 1e-5
"""Added above and below, as in MONAI: a class that is neither there nor said costs nothing."""

GAMMA = 2.0
"""How much less a pixel counts the surer its class is, as in Lin et al. 2017."""


def by_tile(
    logits: torch.Tensor, labels: torch.Tensor, kind: str, class_weights: Sequence[float] | None = None
) -> torch.Tensor:
    """The loss of each tile, (tiles,), of (tiles, classes, height, width) and (tiles, height, width).

    The mean over its pixels, those of `VOID` apart, so that an update's loss does not depend on how its tiles are
    batched; a tile of nothing else has 0. `class_weights` weigh pixels by their class in the first and last.

    `dice` is 1 - 2 |A and B| / (|A| + |B|), the mean over classes, of probabilities (Milletari, Navab and Ahmadi 2016):
    MONAI's DiceLoss with softmax and to_onehot_y. `both` is the sum with cross-entropy, as in nnU-Net.
    """
    logits, known = logits.float(), labels != VOID
    loss = logits.new_zeros(len(logits))
    if kind != "dice":
        pixels = F.cross_entropy(logits, labels, ignore_index=VOID, reduction="none")
        if kind == "focal":
            pixels = pixels * (1 - torch.exp(-pixels)) ** GAMMA
        if class_weights:
            pixels = pixels * logits.new_tensor(class_weights)[labels.where(known, 0)]
        loss = loss + pixels.sum((1, 2)) / known.sum((1, 2)).clamp(min=1)
    if kind in ("dice", "both"):
        loss = loss + dice(logits, labels)
    return loss


def dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """See `by_tile`; (tiles,)."""
    known = (labels != VOID)[:, None]
    said = logits.softmax(1) * known
    there = F.one_hot(labels.where(labels != VOID, 0), logits.shape[1]).permute(0, 3, 1, 2) * known
    shared, sizes = (said * there).sum((2, 3)), (said + there).sum((2, 3))
    return (1 - (2 * shared + SMOOTH) / (sizes + SMOOTH)).mean(1)
