"""Gradient cache: a loss over the representations of a whole update, with the activations of one batch in memory (Gao
et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup").

All representations are made without activations; then the loss and its gradient by each of them; then every batch is
read once more, with the same dropout, and its part of that gradient goes back through it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object, send_to_device

if TYPE_CHECKING:
    from hfkit.training.engine import Engine, Share

Part = tuple[torch.Tensor, dict[str, torch.Tensor], bool]
"""A batch's representations, what the loss reads beside them, and whether the batch counts."""


def losses(engine: "Engine", share: "Share") -> Callable[[int, Any], torch.Tensor]:
    """What gives the loss of this process's batches, by their place and the batch, for an update's joint loss. The
    values add up to this process's part of the summed loss, which the first process holds; the gradients are those of
    the joint loss over the batches of all processes. A single batch is its own update: nothing is computed twice."""
    task, model, accelerator = engine.task, engine.model, engine.accelerator
    if len(share) == 1 and accelerator.num_processes == 1:
        return lambda place, batch: task.joint_loss([task.represent(model, batch)])
    own: list[Part] = []
    with torch.no_grad():
        for place, (batch, real) in enumerate(share):
            engine.seed(engine.state.step, place * accelerator.num_processes + accelerator.process_index)
            own.append((*task.represent(model, batch), real))
    value, gradients = _gradients(engine, own)

    def loss(place: int, batch: Any) -> torch.Tensor:
        found, _ = task.represent(model, batch)
        along = (found * gradients[place]).sum()
        return along - along.detach() + (value if place == 0 else 0.0)

    return loss


def _gradients(engine: "Engine", own: list[Part]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """This process's part of the summed loss, and its gradient by the representations of each of its batches."""
    accelerator = engine.accelerator
    device, rank = accelerator.device, accelerator.process_index
    # A list a process of equally many batches; what is made on another device comes as it is on the CPU.
    every = gather_object([send_to_device(own, "cpu")]) if accelerator.num_processes > 1 else [own]
    order = [(process, place) for place in range(len(own)) for process in range(len(every))]
    parts = {where: send_to_device(every[where[0]][where[1]], device) for where in order}
    leaves = {where: found.requires_grad_() for where, (found, _, real) in parts.items() if real}
    loss = engine.task.joint_loss([(leaf, parts[where][1]) for where, leaf in leaves.items()])
    found = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
    # A batch that only stands in takes part in the all-reduce, and gives nothing.
    gradients = [found.get((rank, place), torch.zeros_like(part[0])) for place, part in enumerate(own)]
    return loss.detach() * float(rank == 0), gradients
