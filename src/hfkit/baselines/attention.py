"""Scaled dot-product and multi-head attention of "Attention Is All You Need" (Vaswani et al. 2017), in plain torch.

Masks are boolean and say where a query **may** look: True is seen, False is hidden. Padding and causal masks are made
here, and both broadcast to (batch, heads, queries, keys).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Remember = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Takes the keys and values of new tokens and gives those of all tokens so far; each (batch, heads, tokens, size)."""


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ / √d) V, equation 1 of the paper, written out.

    Args:
        query: (..., queries, size).
        key: (..., keys, size).
        value: (..., keys, value size).
        mask: Boolean, broadcast to (..., queries, keys); True where the query may look. None hides nothing.
        dropout: Share of the weights that is dropped.

    Returns:
        The mixed values (..., queries, value size) and the weights (..., queries, keys) before dropout.
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))
    if mask is not None:
        # The lowest finite number, not -inf: a query that sees no key would turn into NaN.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    return F.dropout(weights, dropout) @ value, weights


def padding_mask(attention_mask: Tensor) -> Tensor:
    """(batch, keys) of 1 for tokens and 0 for padding -> boolean (batch, 1, 1, keys)."""
    return attention_mask.bool()[:, None, None, :]


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Boolean (length, length): position i sees positions 0 to i."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


class MultiHeadAttention(nn.Module):
    """Attention in `heads` subspaces at once, section 3.2.2 of the paper.

    Self-attention when `memory` is not given, cross-attention from `inputs` to `memory` when it is.

    Args:
        size: Width of the inputs and outputs. Must be a multiple of `heads`.
        heads: Number of subspaces, each `size // heads` wide.
        dropout: Dropout of the attention weights, in training only.
        kernel: True runs torch's fused kernel, False the formula above; both give the same figures, and only the
            formula can return the weights.

    Raises:
        ValueError: `size` is not a multiple of `heads`.
    """

    def __init__(self, size: int, heads: int, dropout: float = 0.0, kernel: bool = True) -> None:
        super().__init__()
        if size % heads:
            raise ValueError(f"attention of size {size} does not split into {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.kernel = kernel
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.output = nn.Linear(size, size)

    def forward(
        self,
        inputs: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        causal: bool = False,
        remember: Remember | None = None,
    ) -> Tensor:
        """(batch, queries, size) [, (batch, keys, size)] -> (batch, queries, size).

        Args:
            inputs: What the queries are made of.
            memory: What the keys and values are made of; None takes `inputs`.
            mask: Boolean, broadcast to (batch, heads, queries, keys).
            causal: In place of a mask: query i sees keys 0 to i. The kernel then skips half of the work.
            remember: A cache, which puts the keys and values of earlier calls in front.
        """
        memory = inputs if memory is None else memory
        query = self._split(self.query(inputs))
        key, value = self._split(self.key(memory)), self._split(self.value(memory))
        if remember is not None:
            key, value = remember(key, value)
        dropout = self.dropout if self.training else 0.0
        if self.kernel:
            mixed = F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal
            )
        else:
            mask = causal_mask(query.size(2), query.device) if causal else mask
            mixed, _ = scaled_dot_product_attention(query, key, value, mask, dropout)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _split(self, states: Tensor) -> Tensor:
        """(batch, length, size) -> (batch, heads, length, size of a head)."""
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)
