"""What a model is made of: its layers in the order they run, with shapes, parameters and work."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.hooks import RemovableHandle

from hfkit.models.anatomy.flow import all_learning, flow_of

_NOTHING = (nn.Identity, nn.Dropout)


@dataclass(frozen=True)
class Layer:
    """One module that computes something, without what its parts do."""

    name: str  # its path in the model
    kind: str  # its class
    shape: tuple[int, ...]  # of its output for one example, without the batch; empty where the output is no tensor
    parameters: int  # numbers that it holds itself
    learning: int  # those of them that training changes
    flops: int
    """Of one example. A multiplication and an addition count as two; only matrix products, convolutions and attention
    are counted, which is nearly all. Papers often call the half of it "FLOPs"."""


@dataclass(frozen=True)
class Summary:
    """A model's layers, and their sums."""

    layers: list[Layer]
    parameters: int
    learning: int
    flops: int
    depth: int  # see `Flow`
    edges: list[tuple[str, str]]  # layers by name: from one to another that reads what it made


def summarise(model: nn.Module, inputs: Mapping[str, Tensor]) -> Summary:
    """Runs the model on one example, once without a gradient and once with, and notes what happens; it is left as it
    came, each part in its own mode.

    `inputs` are `forward`'s arguments, a batch: FLOPs are divided by its size. There is a row for every module that
    holds parameters, works, or changes the shape without parts of its own; one that runs twice has one, with the work
    of both. In the sums, shared weights count once."""
    rows = len(next(iter(inputs.values())))
    modes = [(module, module.training) for module in model.modules()]  # a frozen part may stand in another
    watch = _Watch(model)
    try:
        # As plain products: which of its attention kernels torch counts differs between its releases. Its counter fails
        # at a module that is given a parameter which learns.
        with all_learning(model, False), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), watch.counter:
            model.eval()(**inputs)
        watch.stop()
        shown = [name for name in watch.shapes if _is_shown(model.get_submodule(name), watch.flops[name])]
        flow = flow_of(model, inputs, shown)
    finally:
        watch.stop()
        for module, mode in modes:
            module.training = mode
    read = {name for name, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None}
    layers = []
    for name in shown + sorted(read - watch.shapes.keys()):  # the latter hold what another module computes with
        module, flops = model.get_submodule(name), watch.flops[name] // rows
        own = _count(module.parameters(recurse=False))
        layers.append(Layer(name, type(module).__name__, watch.shapes.get(name, ()), *own, flops))
    total = watch.counter.get_total_flops() // rows
    return Summary(layers, *_count(model.parameters()), total, flow.depth, flow.edges)


class _Watch:
    """Hooks on every module. Work belongs to the innermost module that runs, which need not be a part by its name."""

    def __init__(self, model: nn.Module) -> None:
        self.counter = FlopCounterMode(display=False)
        self.shapes: dict[str, tuple[int, ...]] = {}  # in the order in which the modules begin
        self.flops: Counter[str] = Counter()
        self._running: list[list[int]] = []  # the work done before each module began, and inside it by others
        self._handles = [handle for name, module in model.named_modules() for handle in self._hooks(name, module)]

    def stop(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _hooks(self, name: str, module: nn.Module) -> tuple[RemovableHandle, RemovableHandle]:
        def begins(*_: Any) -> None:
            self.shapes.setdefault(name, ())
            self._running.append([self.counter.get_total_flops(), 0])

        def ends(module: nn.Module, inputs: Any, output: Any) -> None:
            before, inside = self._running.pop()
            spent = self.counter.get_total_flops() - before
            self.flops[name] += spent - inside
            if self._running:
                self._running[-1][1] += spent
            self.shapes[name] = _shape(output)

        return module.register_forward_pre_hook(begins), module.register_forward_hook(ends)


def _is_shown(module: nn.Module, flops: int) -> bool:
    own = next(module.parameters(recurse=False), None) is not None
    return own or flops > 0 or not (isinstance(module, _NOTHING) or next(module.children(), None) is not None)


def _count(parameters: Iterable[nn.Parameter]) -> tuple[int, int]:
    """Their numbers, and those that training changes."""
    sizes = [(one.numel(), one.numel() * one.requires_grad) for one in parameters]
    return sum(size for size, _ in sizes), sum(learning for _, learning in sizes)


def _shape(output: Any) -> tuple[int, ...]:
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
