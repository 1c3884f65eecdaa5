"""Dropout on a CPU: torch's rule from 16 random bits a number and not 64, there four times as fast
(benchmarks/NOTES.md). torch's takes a tenth of an update of a BERT in bf16.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

LEVELS = 2**16  # a probability is one of so many: 0.1 becomes 6,554 of them, 0.1000061
SMALL = 2**16  # numbers up to which torch's way costs too little to matter, and its several steps less than ours


@contextmanager
def drawn_fast(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Inside, the model's `nn.Dropout` layers go by `drop` where they compute on a CPU."""
    layers = [layer for layer in model.modules() if type(layer) is nn.Dropout] if device.type == "cpu" else []
    for layer in layers:
        layer.forward = partial(drop, layer)  # type: ignore[method-assign]  # of this layer alone, and not for good
    try:
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def drop(layer: nn.Dropout, states: Tensor) -> Tensor:
    """`states`, of any shape, with a share `p` of its numbers zero and the others divided by 1 - p, in expectation the
    same. What is small or out of the ordinary is left to torch."""
    count, usual = states.numel(), 0 < layer.p < 1 and not layer.inplace and states.is_floating_point()
    if not layer.training or not usual or count <= SMALL:
        return nn.Dropout.forward(layer, states)
    dropped = min(round(layer.p * LEVELS), LEVELS - 1)
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    keep = words.view(torch.int16)[:count].ge_(dropped - LEVELS // 2)  # 1 or 0
    return states * keep.to(states.dtype).mul_(LEVELS / (LEVELS - dropped)).view(states.shape)
