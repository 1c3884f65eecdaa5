"""How a model's layers follow each other, read from what autograd notes to go back through them."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

WEIGHTED = ("ConvolutionBackward", "AddmmBackward", "MmBackward", "LinearBackward")
"""Autograd's names of products with weights. Those of attention, of two activations, are called otherwise."""


@dataclass(frozen=True)
class Flow:
    """Which layers read what others made, and how deep the model is."""

    edges: list[tuple[str, str]]
    """From a layer to one that reads what it made. Where several ways meet outside a layer, in an addition say, there
    is a junction between them, called "Add 3": what autograd calls it, and a number."""
    depth: int  # convolutions and linear layers on the longest way through, as the papers count: ResNet-18 has 18


def flow_of(model: nn.Module, inputs: Mapping[str, Tensor], layers: Collection[str]) -> Flow:
    """Runs the model once, in `eval()` and with gradients, and goes back from what it gives. `inputs` are `forward`'s
    arguments, `layers` names of modules. What is computed between two of them is passed through, but for junctions."""
    made: dict[Any, str] = {}  # autograd's note of a layer's output, which has to stay alive to be known again

    def watch(name: str) -> Any:
        def ends(module: nn.Module, arguments: Any, output: Any) -> None:
            for tensor in _tensors(output):
                made.setdefault(tensor.grad_fn, name)

        return ends

    handles = [model.get_submodule(name).register_forward_hook(watch(name)) for name in layers]
    try:
        with all_learning(model, True), torch.enable_grad():
            given = {name: one.detach().requires_grad_(one.is_floating_point()) for name, one in inputs.items()}
            ends = [tensor.grad_fn for tensor in _tensors(model.eval()(**given))]
    finally:
        for handle in handles:
            handle.remove()
    made.pop(None, None)
    return _followed(ends, made)


def _followed(ends: list[Any], made: Mapping[Any, str]) -> Flow:
    """Autograd's graph from its ends to the inputs, each note once and after all that it follows on."""
    sources: dict[Any, set[str]] = {}  # the layers whose outputs a note's result was computed from
    depth: dict[Any, int] = {None: 0}
    edges: dict[tuple[str, str], None] = {}
    numbers = count(1)
    waiting = list(ends)
    while waiting:
        note = waiting[-1]
        before = [] if note is None else [one for one, _ in note.next_functions if one is not None]
        if missing := [one for one in before if one not in depth]:
            waiting += missing
            continue
        waiting.pop()
        if note in depth:
            continue
        depth[note] = max(map(depth.__getitem__, before), default=0) + note.name().startswith(WEIGHTED)
        sources[note] = set().union(*(sources[one] for one in before))
        if note in made or len(sources[note]) > 1:
            name = made.get(note) or f"{note.name().split('Backward')[0]} {next(numbers)}"
            edges |= dict.fromkeys((source, name) for source in sources[note] if source != name)
            sources[note] = {name}
    return Flow(list(edges), max(depth.values()))


@contextmanager
def all_learning(model: nn.Module, wanted: bool) -> Iterator[None]:
    """For a while every parameter learns, or none does. Of what is frozen autograd notes nothing."""
    others = [one for one in model.parameters() if one.is_floating_point() and one.requires_grad != wanted]
    for parameter in others:
        parameter.requires_grad_(wanted)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(not wanted)


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, tuple | list | Mapping):
        for part in output.values() if isinstance(output, Mapping) else output:
            yield from _tensors(part)
