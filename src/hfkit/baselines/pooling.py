"""Many token vectors -> one vector of the text."""

import torch
from torch import Tensor


def masked_mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens that are not padding: (batch, tokens, size), (batch, tokens) -> (batch, size).

    A row without any token gives zeros."""
    mask = attention_mask[..., None].to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)


def pooled(states: Tensor, attention_mask: Tensor, pooling: str) -> Tensor:
    """The `mean` over the tokens that are not padding, the first one (`cls`) or the `last`: (batch, tokens, size),
    (batch, tokens) -> (batch, size), on whichever side batches are filled."""
    if pooling == "mean":
        return masked_mean(states, attention_mask)
    places = torch.arange(states.shape[1], device=states.device).expand_as(attention_mask)
    gone = attention_mask == 0
    cls = pooling == "cls"
    ends = places.masked_fill(gone, states.shape[1] - 1).amin(1) if cls else places.masked_fill(gone, 0).amax(1)
    return states[torch.arange(len(states), device=states.device), ends]
