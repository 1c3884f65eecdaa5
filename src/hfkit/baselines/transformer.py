"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017) in plain torch: attention, positions, layers.

Masks are boolean and say where a query **may** look: True is seen, False is hidden. They broadcast to (batch, heads,
queries, keys).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

KeysAndValues = tuple[Tensor, Tensor]  # each (batch, heads, tokens, size of a head)

Remember = Callable[[Callable[[], KeysAndValues]], KeysAndValues]
"""Takes what makes the keys and values of the tokens at hand, and gives those to look at: earlier calls' among them."""

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),  # GPT-2's, from before torch had the exact one
    "quick_gelu": lambda states: states * torch.sigmoid(1.702 * states),  # CLIP's
}


def padding_mask(attention_mask: Tensor) -> Tensor:
    """(batch, keys) of 1 for tokens and 0 for padding -> boolean (batch, 1, 1, keys)."""
    return attention_mask.bool()[:, None, None, :]


class MultiHeadAttention(nn.Module):
    """Attention in `heads` subspaces at once, section 3.2.2 of the paper, by torch's fused kernel, which training with
    `dropout` of the attention weights leaves. Raises ValueError: `size`, the width of inputs and outputs, is not a
    multiple of `heads`."""

    def __init__(self, size: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if size % heads:
            raise ValueError(f"attention of size {size} does not split into {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.output = nn.Linear(size, size)

    def forward(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
        remember: Remember | None = None,
        memory: Tensor | None = None,
    ) -> Tensor:
        """(batch, tokens, size) -> the same shape. The `mask` says where each token may look, None everywhere; with
        `causal` in its place token i sees tokens 0 to i, and the kernel skips half of the work. Queries are made of
        `inputs`, keys and values of the `memory`, (batch, other tokens, size), None: of `inputs`, self-attention;
        `remember` is a cache of both."""
        query = self._split(self.query(inputs))
        make = partial(self._keys_and_values, inputs if memory is None else memory)
        key, value = make() if remember is None else remember(make)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _keys_and_values(self, inputs: Tensor) -> KeysAndValues:
        return self._split(self.key(inputs)), self._split(self.value(inputs))

    def _split(self, states: Tensor) -> Tensor:
        """(batch, tokens, size) -> (batch, heads, tokens, size of a head)."""
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def position_codes(positions: Tensor, size: int) -> Tensor:
    """The paper's fixed codes, sines in the even columns, cosines in the odd; (...) of positions -> (..., size)."""
    rates = torch.exp(torch.arange(0, size, 2, device=positions.device) * (-math.log(10000.0) / size))
    angles = positions[..., None] * rates
    codes = torch.zeros(*positions.shape, size, device=positions.device)
    codes[..., 0::2] = angles.sin()
    codes[..., 1::2] = angles.cos()[..., : size // 2]
    return codes


class TokenEmbeddings(nn.Module):
    """Token vectors plus position codes. `max_position_embeddings` ends learned positions only; sinusoidal codes have
    no end. The vector of `padding_idx` stays zero; None where vectors are tied to an output layer."""

    def __init__(self, config: Any, padding_idx: int | None) -> None:
        super().__init__()
        size, learned = config.hidden_size, config.positions == "learned"
        self.tokens = nn.Embedding(config.vocab_size, size, padding_idx=padding_idx)
        self.positions = nn.Embedding(config.max_position_embeddings, size) if learned else None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, input_ids: Tensor, position_ids: Tensor | None = None) -> Tensor:
        """(batch, tokens) of ids, and each one's position, (batch, tokens) or (1, tokens), by default counted from 0 ->
        (batch, tokens, size). Raises ValueError: a position is past the last learned one."""
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
            known = self.positions.num_embeddings
            raise ValueError(f"the model has learned {known} positions, and a text here is longer") from error


class FeedForward(nn.Module):
    """Two linear layers on each position by itself, section 3.3; (..., size) -> (..., size)."""

    def __init__(self, size: int, hidden: int, dropout: float, activation: str) -> None:
        super().__init__()
        self.expand = nn.Linear(size, hidden)
        self.contract = nn.Linear(hidden, size)
        self.dropout = nn.Dropout(dropout)
        self.activation = _ACTIVATIONS[activation]

    def forward(self, states: Tensor) -> Tensor:
        return self.contract(self.dropout(self.activation(self.expand(states))))


class _Residual(nn.Module):
    """states + dropout(sublayer(states)), with the norm before the sublayer or, as in the paper, after the sum."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.norm_first = config.norm_first

    def forward(self, states: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        if self.norm_first:
            return states + self.dropout(sublayer(self.norm(states)))
        return self.norm(states + self.dropout(sublayer(states)))


class TransformerLayer(nn.Module):
    """Self-attention, attention to a memory where it has one (`cross`), then the feed-forward layer, each inside a
    residual. The config is as for `Transformer`."""

    def __init__(self, config: Any, cross: bool = False) -> None:
        super().__init__()
        size, heads, dropout = config.hidden_size, config.num_attention_heads, config.dropout
        self.attention = MultiHeadAttention(size, heads, config.attention_dropout)
        self.feed_forward = FeedForward(size, config.intermediate_size, dropout, config.hidden_act)
        self.after_attention = _Residual(config)
        self.after_feed_forward = _Residual(config)
        if cross:
            self.cross_attention = MultiHeadAttention(size, heads, config.attention_dropout)
            self.after_cross_attention = _Residual(config)

    def forward(
        self,
        states: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
        remember: Remember | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        recall: Remember | None = None,
    ) -> Tensor:
        """(batch, tokens, size) -> the same shape; the last three arguments are of attention to the memory."""
        states = self.after_attention(states, lambda inputs: self.attention(inputs, mask, causal, remember))
        if memory is not None:
            states = self.after_cross_attention(
                states, lambda inputs: self.cross_attention(inputs, memory_mask, remember=recall, memory=memory)
            )
        return self.after_feed_forward(states, self.feed_forward)


class Transformer(nn.Module):
    """A stack of layers: the paper's encoder, its decoder, or one without an encoder to look at, as GPT has it.

    Pre-norm (`norm_first`) trains without a long warm-up, because the residual path stays clean. It needs one more norm
    at the end: the last sum is not normed otherwise.

    The config has `hidden_size`, `num_hidden_layers` (for which `layers` may stand), `num_attention_heads`,
    `intermediate_size`, `dropout` (of the sublayers' outputs), `attention_dropout`, `norm_first` and `hidden_act`. In a
    `causal` one no token sees what comes after it; a decoder with `cross` looks at what an encoder has read."""

    def __init__(self, config: Any, causal: bool = False, layers: int | None = None, cross: bool = False) -> None:
        super().__init__()
        count = config.num_hidden_layers if layers is None else layers
        self.layers = nn.ModuleList(TransformerLayer(config, cross) for _ in range(count))
        self.norm = nn.LayerNorm(config.hidden_size) if config.norm_first else nn.Identity()
        self.causal = causal
        # The two names that transformers' switch for activation checkpointing sets.
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Callable[..., Tensor] = checkpoint

    def forward(
        self,
        states: Tensor,
        mask: Tensor | None = None,
        cache: Any = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """(batch, tokens, size) of token vectors -> the same shape. The `mask` says where each token may look; a causal
        stack's hides what comes after, and None is the causal mask alone. `cache` is transformers' of keys and values,
        with a memory its EncoderDecoderCache; once it holds some, there has to be a mask. `memory` is what the encoder
        has read, (batch, other tokens, size), and `memory_mask` where in it each token may look."""
        causal = self.causal and mask is None
        for number, layer in enumerate(self.layers):
            if cache is not None:  # recomputing would remember twice
                own = cache if memory is None else cache.self_attention_cache
                keep, recall = partial(_append, own, number), partial(_once, cache, number)
                states = layer(states, mask, causal, keep, memory, memory_mask, recall)
            elif self.gradient_checkpointing and self.training:
                states = self._gradient_checkpointing_func(layer, states, mask, causal, None, memory, memory_mask)
            else:
                states = layer(states, mask, causal, None, memory, memory_mask)
        return self.norm(states)


def _append(cache: Any, layer: int, make: Callable[[], KeysAndValues]) -> KeysAndValues:
    """The keys and values of a layer's earlier tokens, and behind them those at hand."""
    keys, values = cache.update(*make(), layer)
    return keys, values


def _once(cache: Any, layer: int, make: Callable[[], KeysAndValues]) -> KeysAndValues:
    """The keys and values of the memory, which are made for the first token written and stay for the others."""
    if not cache.is_updated.get(layer):
        cache.cross_attention_cache.update(*make(), layer)
        cache.is_updated[layer] = True
    kept = cache.cross_attention_cache.layers[layer]
    return kept.keys, kept.values
