"""Where documents begin and end in a row of tokens, read off the positions: packed rows and padded ones alike.

A position that does not follow the one before it begins a document. So documents that share a row count from 0 each,
and padding, whose positions stand still, is a row of documents of one token that nobody looks at.
"""

import torch
from torch import Tensor


def positions_from_mask(attention_mask: Tensor) -> Tensor:
    """(batch, tokens) of 1 for tokens and 0 for padding on either side -> each token's position, padding's 0 first."""
    return (attention_mask.long().cumsum(dim=-1) - 1).clamp(min=0)


def documents(position_ids: Tensor) -> Tensor:
    """(batch, tokens) of positions -> (batch, tokens), the number of the document in its row, from 0."""
    return (position_ids.diff(dim=-1, prepend=position_ids[:, :1] - 1) != 1).cumsum(dim=-1)


def packed_mask(position_ids: Tensor) -> Tensor:
    """Boolean (batch, 1, tokens, tokens): a token sees itself and what stands before it in its own document."""
    number = documents(position_ids)
    return (number[:, :, None] == number[:, None, :]).tril()[:, None]


def remembered_mask(attention_mask: Tensor | None, queries: int, keys: int, device: torch.device) -> Tensor:
    """Boolean, broadcast to (batch, 1, queries, keys), for the last `queries` of `keys` tokens in a cache.

    A query sees itself and every earlier token that is not padding, so no query is ever blind.
    """
    at = torch.arange(keys - queries, keys, device=device)[:, None]
    key = torch.arange(keys, device=device)
    if attention_mask is None:
        return (key <= at)[None, None]
    seen = attention_mask[:, None, :keys].bool() & (key < at)
    return (seen | (key == at))[:, None]
