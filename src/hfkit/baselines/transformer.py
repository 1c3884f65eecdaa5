"""The Transformer of "Attention Is All You Need" in plain torch: positions, encoder and decoder layers, stacks.

Both orders of normalisation are here: the paper's (`norm_first=False`, each sublayer's output is added, then normed)
and the later pre-norm, which trains without a long warm-up because the residual path stays clean.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hfkit.baselines.attention import MultiHeadAttention, causal_mask, padding_mask

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),  # GPT-2's, from before torch had the exact one
}


def position_codes(positions: Tensor, size: int) -> Tensor:
    """The paper's fixed codes, sines in the even columns, cosines in the odd; (...) of positions -> (..., size)."""
    rates = torch.exp(torch.arange(0, size, 2, device=positions.device) * (-math.log(10000.0) / size))
    angles = positions[..., None] * rates
    codes = torch.zeros(*positions.shape, size, device=positions.device)
    codes[..., 0::2] = angles.sin()
    codes[..., 1::2] = angles.cos()[..., : size // 2]
    return codes


def sinusoidal_positions(length: int, size: int, device: torch.device | None = None) -> Tensor:
    """The codes of positions 0 to length - 1; (length, size)."""
    return position_codes(torch.arange(length, device=device), size)


class TokenEmbeddings(nn.Module):
    """Token vectors plus position codes.

    Args:
        vocab_size: Entries of the vocabulary.
        size: Width of the vectors.
        max_positions: Longest text, for learned positions only; sinusoidal codes have no end.
        positions: "sinusoidal" or "learned".
        dropout: Dropout of the sum.
        pad_token_id: The token whose vector stays zero; None where vectors are tied to an output layer.
    """

    def __init__(
        self,
        vocab_size: int,
        size: int,
        max_positions: int,
        positions: str = "sinusoidal",
        dropout: float = 0.1,
        pad_token_id: int | None = 0,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, size, padding_idx=pad_token_id)
        self.positions = nn.Embedding(max_positions, size) if positions == "learned" else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, position_ids: Tensor | None = None) -> Tensor:
        """(batch, tokens) of ids -> (batch, tokens, size).

        Args:
            input_ids: The tokens.
            position_ids: Each token's position, (batch, tokens) or (1, tokens); None counts from 0.

        Raises:
            ValueError: A position is past the last learned one. (On a GPU it is the kernel that stops.)
        """
        vectors = self.tokens(input_ids)
        length, size = vectors.shape[1:]
        if position_ids is None:
            position_ids = torch.arange(length, device=vectors.device)
        if self.positions is None:
            # Section 3.4: token vectors are scaled up, so that the codes, of size 1, do not drown them.
            return self.dropout(vectors * math.sqrt(size) + position_codes(position_ids, size).to(vectors.dtype))
        try:
            return self.dropout(vectors + self.positions(position_ids))
        except IndexError as error:
            raise ValueError(
                f"the model has learned {self.positions.num_embeddings} positions, and a text here is longer"
            ) from error


class FeedForward(nn.Module):
    """Two linear layers on each position by itself, section 3.3; (..., size) -> (..., size)."""

    def __init__(self, size: int, hidden: int, dropout: float = 0.1, activation: str = "relu") -> None:
        super().__init__()
        self.expand = nn.Linear(size, hidden)
        self.contract = nn.Linear(hidden, size)
        self.dropout = nn.Dropout(dropout)
        self.activation = _ACTIVATIONS[activation]

    def forward(self, states: Tensor) -> Tensor:
        return self.contract(self.dropout(self.activation(self.expand(states))))


class _Residual(nn.Module):
    """states + dropout(sublayer(states)), with the norm before the sublayer or after the sum."""

    def __init__(self, size: int, dropout: float, norm_first: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, states: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        if self.norm_first:
            return states + self.dropout(sublayer(self.norm(states)))
        return self.norm(states + self.dropout(sublayer(states)))


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward layer, each inside a residual.

    Args:
        size: Width of the states.
        heads: Attention heads.
        hidden: Width inside the feed-forward layer; the paper takes 4 * size.
        dropout: Dropout of the sublayers' outputs.
        attention_dropout: Dropout of the attention weights; above 0 it leaves the fast kernel.
        norm_first: Pre-norm instead of the paper's post-norm.
        activation: "relu" (the paper) or "gelu".
    """

    def __init__(
        self,
        size: int,
        heads: int,
        hidden: int,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        norm_first: bool = False,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(size, heads, attention_dropout)
        self.feed_forward = FeedForward(size, hidden, dropout, activation)
        self.after_attention = _Residual(size, dropout, norm_first)
        self.after_feed_forward = _Residual(size, dropout, norm_first)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, tokens, size) -> the same shape; `mask` broadcasts to (batch, heads, tokens, tokens)."""
        states = self.after_attention(states, lambda inputs: self.attention(inputs, mask=mask))
        return self.after_feed_forward(states, self.feed_forward)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder's output, then the feed-forward layer. Arguments as above."""

    def __init__(
        self,
        size: int,
        heads: int,
        hidden: int,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        norm_first: bool = False,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(size, heads, attention_dropout)
        self.cross_attention = MultiHeadAttention(size, heads, attention_dropout)
        self.feed_forward = FeedForward(size, hidden, dropout, activation)
        self.after_attention = _Residual(size, dropout, norm_first)
        self.after_cross_attention = _Residual(size, dropout, norm_first)
        self.after_feed_forward = _Residual(size, dropout, norm_first)

    def forward(
        self, states: Tensor, memory: Tensor, mask: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> Tensor:
        """(batch, tokens, size), (batch, memory tokens, size) -> (batch, tokens, size).

        Position i never sees a position after i. `mask` hides padding among the tokens, `memory_mask` among the
        memory's; both broadcast to (batch, heads, queries, keys).
        """
        causal = causal_mask(states.size(1), states.device)
        mask = causal if mask is None else causal & mask
        states = self.after_attention(states, lambda inputs: self.attention(inputs, mask=mask))
        states = self.after_cross_attention(
            states, lambda inputs: self.cross_attention(inputs, memory=memory, mask=memory_mask)
        )
        return self.after_feed_forward(states, self.feed_forward)


class Encoder(nn.Module):
    """A stack of encoder layers. Pre-norm needs one more norm at the end: the last sum is not normed otherwise."""

    def __init__(self, layers: list[EncoderLayer], size: int, norm_first: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(size) if norm_first else nn.Identity()
        # The two names that transformers' switch for activation checkpointing sets.
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Callable[..., Tensor] = checkpoint

    def forward(self, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(batch, tokens, size), (batch, tokens) of 1 and 0 -> (batch, tokens, size)."""
        mask = None if attention_mask is None else padding_mask(attention_mask)
        for layer in self.layers:
            if self.gradient_checkpointing and self.training:
                states = self._gradient_checkpointing_func(layer, states, mask)
            else:
                states = layer(states, mask)
        return self.norm(states)


class Decoder(nn.Module):
    """A stack of decoder layers."""

    def __init__(self, layers: list[DecoderLayer], size: int, norm_first: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(size) if norm_first else nn.Identity()

    def forward(
        self,
        states: Tensor,
        memory: Tensor,
        attention_mask: Tensor | None = None,
        memory_attention_mask: Tensor | None = None,
    ) -> Tensor:
        """(batch, tokens, size), (batch, memory tokens, size) and their masks of 1 and 0 -> (batch, tokens, size)."""
        mask = None if attention_mask is None else padding_mask(attention_mask)
        memory_mask = None if memory_attention_mask is None else padding_mask(memory_attention_mask)
        for layer in self.layers:
            states = layer(states, memory, mask, memory_mask)
        return self.norm(states)
