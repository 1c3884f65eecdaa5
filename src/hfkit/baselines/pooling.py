"""Many token vectors -> one vector of the text."""

from torch import Tensor


def masked_mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens that are not padding: (batch, tokens, size), (batch, tokens) -> (batch, size).

    A row without any token gives zeros."""
    mask = attention_mask[..., None].to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
