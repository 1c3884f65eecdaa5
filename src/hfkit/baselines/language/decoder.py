"""The decoder-only Transformer in plain torch: "Attention Is All You Need" without an encoder, as GPT has it."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hfkit.baselines.attention import Remember
from hfkit.baselines.transformer import EncoderLayer


class CausalLayer(EncoderLayer):
    """Causal self-attention, then the feed-forward layer, each inside a residual. Arguments as for an encoder layer.

    It is the paper's decoder layer less the attention to an encoder, hence an encoder layer that never looks ahead.
    """

    def forward(self, states: Tensor, mask: Tensor | None = None, remember: Remember | None = None) -> Tensor:
        """(batch, tokens, size) -> the same shape.

        Args:
            states: The layer's input.
            mask: Boolean, broadcast to (batch, heads, queries, keys); it must hide what comes after itself. None is the
                causal mask alone.
            remember: A cache of keys and values; once it holds some, it needs a mask.
        """
        causal = mask is None
        states = self.after_attention(
            states, lambda inputs: self.attention(inputs, mask=mask, causal=causal, remember=remember)
        )
        return self.after_feed_forward(states, self.feed_forward)


class CausalDecoder(nn.Module):
    """A stack of causal layers. Pre-norm needs one more norm at the end: the last sum is not normed otherwise."""

    def __init__(self, layers: list[CausalLayer], size: int, norm_first: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(size) if norm_first else nn.Identity()
        # The two names that transformers' switch for activation checkpointing sets.
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Callable[..., Tensor] = checkpoint

    def forward(
        self, states: Tensor, mask: Tensor | None = None, remember: Callable[[int], Remember] | None = None
    ) -> Tensor:
        """(batch, tokens, size) -> the same shape; `remember(number)` is the cache of the layer of that number."""
        for number, layer in enumerate(self.layers):
            if remember is not None:  # recomputing would remember twice
                states = layer(states, mask, remember(number))
            elif self.gradient_checkpointing and self.training:
                states = self._gradient_checkpointing_func(layer, states, mask)
            else:
                states = layer(states, mask)
        return self.norm(states)
