"""Attention in bf16 on a CPU: plain matrix products, there two to four times as fast as torch's flash kernel.

The kernel saves memory and not time (benchmarks/NOTES.md); in float32 it is the faster one, and on a GPU by far.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

LARGEST = 2**26  # scores of a layer above which memory counts for more: 128 MiB of them are kept for the way back

SPECIAL = ("position_bias", "cache", "softcap")
"""What some models add to attention, and this one leaves to transformers."""

wanted: ContextVar[bool] = ContextVar("wanted", default=False)
"""Whether this thread is inside `products`: another thread's models attend as they always did."""


@contextmanager
def products(device: torch.device, mixed_precision: str) -> Iterator[None]:
    """Inside, models attend by plain products where they compute in bf16 on a CPU. It goes by the kernel's own name:
    under another one Falcon would add its mask of truths to the scores. It is not taken back, as another thread may be
    inside; outside of `products` it is transformers' own function that answers."""
    AttentionInterface.register("sdpa", attend)
    before = wanted.set(device.type == "cpu" and mixed_precision == "bf16")
    try:
        yield
    finally:
        wanted.reset(before)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """transformers' sdpa_attention_forward, which still does whatever is out of the ordinary: (batch, heads, tokens,
    width of a head) thrice -> (batch, tokens, heads, width of a head). The mask is True where a token may be looked at.
    """
    scores = query.shape[0] * query.shape[1] * query.shape[2] * key.shape[2]
    on_cpu = wanted.get() and query.device.type == "cpu" and query.dtype == torch.bfloat16
    plain = query.shape[1] == key.shape[1] and (attention_mask is None or attention_mask.dtype == torch.bool)
    if not on_cpu or not plain or dropout or scores > LARGEST or any(more.get(name) is not None for name in SPECIAL):
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, is_causal, **more)
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if attention_mask is None and causal and query.shape[2] > 1:
        attention_mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril()
    weights = (query * (query.shape[-1] ** -0.5 if scaling is None else scaling)) @ key.transpose(-1, -2)
    if attention_mask is not None:
        least = torch.finfo(weights.dtype).min
        weights += torch.zeros_like(attention_mask, dtype=weights.dtype).masked_fill_(~attention_mask, least)
    return (weights.softmax(dim=-1) @ value).transpose(1, 2).contiguous(), None
