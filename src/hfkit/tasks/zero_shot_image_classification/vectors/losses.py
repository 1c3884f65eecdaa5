"""What is learnt of pictures and their captions: softmax over the update, both ways, or a sigmoid for each pair."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from hfkit.training.callbacks import Callback

Parts = list[tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""Of each batch of an update (2 * rows + 1, numbers): the pictures' vectors, their captions', and a row that holds the
learnt scale's log and the bias, so that their gradient takes the same way; and `keys` and `right` of the captions."""

LARGEST = math.log(100)
"""Of the scale's log under softmax: beyond it training becomes unstable (Radford et al. 2021, section 2.5)."""


def joint_loss(loss: str, parts: Parts) -> torch.Tensor:
    """(rows,) losses of an update's pictures, in the order of its batches.

    softmax (Radford et al. 2021): the mean of the cross-entropies of each picture's own caption among all captions of
    the update, and of the caption's own picture among all pictures. sigmoid (Zhai et al. 2023): of each picture the sum
    over all captions of the log-loss of whether they belong together. A caption that is another one of the same
    picture, or has the words of one, is no negative: it takes no part."""
    vectors = [found[:-1].chunk(2) for found, _ in parts]
    pictures, captions = (torch.cat(side) for side in zip(*vectors, strict=True))
    scale, bias = parts[0][0][-1, 0].exp(), parts[0][0][-1, 1]
    keys = torch.cat([facts["keys"] for _, facts in parts])
    # (rows, rows): whether a caption is right for a picture, beside its own.
    also = torch.stack([torch.isin(keys, right) for _, facts in parts for right in facts["right"]])
    also.fill_diagonal_(False)
    logits = pictures @ captions.T * scale + bias
    if loss == "sigmoid":
        signs = 2 * torch.eye(len(logits), device=logits.device) - 1
        return -F.logsigmoid(signs * logits).masked_fill(also, 0.0).sum(dim=1)
    logits = logits.masked_fill(also, -torch.inf)
    own = torch.arange(len(logits), device=logits.device)
    one, other = (F.cross_entropy(each, own, reduction="none") for each in (logits, logits.T))
    return (one + other) / 2


def scale_row(model: torch.nn.Module, width: int) -> torch.Tensor:
    """(1, width): the scale's log and the bias of a model, filled with zeros."""
    own: Any = getattr(model, "module", model)
    bias = getattr(own, "logit_bias", None)
    scale = own.logit_scale.float().reshape(1)
    held = torch.cat([scale, torch.zeros_like(scale) if bias is None else bias.float().reshape(1)])
    return F.pad(held[None], (0, width - 2))


class Bounded(Callback):
    """Holds the learnt scale at 100 at most, as CLIP's authors do."""

    def on_update_end(self, engine: Any, update: Any) -> None:
        own = getattr(engine.model, "module", engine.model)
        with torch.no_grad():
            own.logit_scale.clamp_(max=LARGEST)
