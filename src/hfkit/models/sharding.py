"""Sharded weights (FSDP2): each process holds a slice of every tensor, and a file holds it whole, so that a checkpoint
does not know how many processes wrote it. The price is memory on the host of the first process: with AdamW 12 bytes for
each parameter that learns.
"""

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, DynamoBackend
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from hfkit.base.errors import HfkitError

Tensors = dict[str, torch.Tensor]


def check(accelerator: Accelerator, model: torch.nn.Module | None = None) -> None:
    """Refuse what a launcher's configuration may ask for and this loop, or `model`, does not do. Raises HfkitError:
    FSDP of the first version, weights that only one process loads, slices of four bits, DeepSpeed, or another engine
    that makes the step itself."""
    kind, launcher = accelerator.distributed_type, "the launcher's configuration"
    if kind in (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        what = f"{kind.value} makes the updates itself, and hfkit could neither guard nor resume them exactly"
        fix = "use recipes/clusters/fsdp2.yaml: it shards what ZeRO-3 shards, fsdp2_zero2.yaml what ZeRO-2 does"
        raise HfkitError(what, where=launcher, fix=fix)
    if kind != DistributedType.FSDP:
        return
    plugin: Any = accelerator.state.fsdp_plugin
    if plugin.fsdp_version != 2:
        raise HfkitError("this is FSDP of the first version", where=launcher, fix="set fsdp_version: 2")
    if plugin.cpu_ram_efficient_loading:
        what = "the weights would be loaded by one process alone, and the others could not check them"
        raise HfkitError(what, where=launcher, fix="set fsdp_cpu_ram_efficient_loading: false")
    if model is not None and any(hasattr(parameter, "quant_state") for parameter in model.parameters()):
        what = "FSDP2 would cut matrices of four bits apart from their scales"
        fix = "leave it out, as each process holds a slice; or start without FSDP2, each with all of the model"
        raise HfkitError(what, where="--load_in_4bit", fix=fix)


def compile_in_place(accelerator: Accelerator, model: torch.nn.Module) -> None:
    """Compile as the launcher asks (`ACCELERATE_DYNAMO_BACKEND`), before `accelerator.prepare`: that one would wrap the
    model, and call every weight of a checkpoint `_orig_mod.`..."""
    plugin = accelerator.state.dynamo_plugin
    if plugin.backend != DynamoBackend.NO:
        accelerator.print(f"compiled with {plugin.backend.value.lower()}, as the launcher asks")
        model.compile(**plugin.to_kwargs())
        plugin.backend = DynamoBackend.NO


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether processes hold slices of its weights."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def whole(tensors: Tensors, keep: bool) -> Tensors:
    """The tensors in one piece, on the CPU, for the processes that `keep` them. What is not sharded stays as it is.

    All processes have to call this, with the same names in the same order: the slices are sent around."""
    found = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, DTensor):
            gathered = tensor.full_tensor()
            tensor = gathered.cpu() if keep else gathered[:0]
        found[name] = tensor
    return found


def cut(value: Any, like: torch.Tensor) -> Any:
    """This process's slice of a tensor that was read whole, cut as `like` is; anything else as it is. Raises
    HfkitError: it has another shape than `like`, so that nobody knows how to cut it."""
    if not isinstance(like, DTensor) or not isinstance(value, torch.Tensor) or not value.ndim:
        return value
    if value.shape != like.shape:
        what = f"a tensor of shape {tuple(value.shape)} cannot be cut as one of shape {tuple(like.shape)} is"
        fix = "with sharded weights use an optimizer whose state has the shape of the weights, such as adamw or sgd"
        raise HfkitError(what, fix=fix)
    value = value.to(like.device, like.dtype)
    return distribute_tensor(value, like.device_mesh, like.placements, src_data_rank=None)


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This process's slice, as a plain tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def total_norm(gradients: list[torch.Tensor]) -> float:
    """The norm of all gradients together, over the slices of all processes."""
    norm = torch.nn.utils.get_total_norm(gradients)
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)


def ask_again(model: torch.nn.Module) -> None:
    """Let blocks that were frozen whole note what their gradients are: torch 2.10 asks once, before the first batch."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            group: Any = getattr(module._get_fsdp_state(), "_fsdp_param_group", None)
            if group is not None and getattr(group, "_orig_dtype", group) is None:
                group._init_mp_dtypes()


def let_go(model: torch.nn.Module) -> None:
    """Free the weights that a forward pass has gathered and no backward pass has let go of.

    The next forward pass would use them again, also where the slices have changed since (averaged weights)."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
