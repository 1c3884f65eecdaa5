"""Which parameters learn: freezing by name, and letting all of them learn again."""

from collections.abc import Collection, Iterable
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from hfkit.base.errors import HfkitError, nearest

EMBEDDING_MODULES = {"embeddings", "embedding", "embed_tokens", "embed_positions", "word_embeddings", "wte", "wpe"}
"""What the models of transformers, and ours, call their token and position vectors."""

CLASS_HEADS = {"class_embed", "enc_score_head", "denoising_class_embed"}
"""What says classes inside of a detector's own model: RT-DETR's and its kin's."""


def freeze(model: nn.Module, patterns: Iterable[str], new: Collection[str] = ()) -> int:
    """Stop parameters from learning; returns how many numbers.

    `patterns` are `backbone` (all but the head), `embeddings` (token and position vectors), or shell patterns over the
    names of parameters or modules, such as `*.layer.0.*`. `backbone` leaves `new` free, which no checkpoint has filled:
    frozen, they would stay noise. Raises HfkitError: a pattern that matches nothing, or nothing is left that learns."""
    parameters = dict(model.named_parameters())
    frozen: set[str] = set()
    for pattern in patterns:
        matched = {name for name in parameters if _matches(model, name, pattern, new)}
        if not matched:
            modules = {".".join(name.rsplit(".", 1)[0].split(".")[:4]) for name in parameters}  # short enough to read
            fix = nearest(pattern, {"backbone", "embeddings", *modules})
            raise HfkitError(f"no parameter is called {pattern!r}", where="--freeze", fix=fix)
        frozen |= matched
    if frozen == set(parameters):
        what = "every parameter is frozen, nothing is left to learn"
        raise HfkitError(what, where="--freeze", fix="drop one of the patterns")
    for name in frozen:
        parameters[name].requires_grad_(False)
    return sum(parameters[name].numel() for name in frozen)


def unfreeze(model: nn.Module, names: Collection[str] | None = None) -> int:
    """Let parameters learn, by default all; returns how many numbers of them were frozen before."""
    named = model.named_parameters()
    frozen = [one for name, one in named if not one.requires_grad and (names is None or name in names)]
    for parameter in frozen:
        parameter.requires_grad_(True)
    model.train(model.training)  # norms that stood still count again
    return sum(parameter.numel() for parameter in frozen)


def _matches(model: nn.Module, name: str, pattern: str, new: Collection[str]) -> bool:
    if pattern == "backbone":
        return not in_head(model, name) and name not in new
    if pattern == "embeddings":
        return not EMBEDDING_MODULES.isdisjoint(name.split("."))
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def in_head(model: nn.Module, name: str) -> bool:
    """Whether the parameter belongs to the head: what stands beside the backbone, in transformers' own naming, but for
    the baselines' embeddings. A timm model says itself what its classifiers are called."""
    timm = getattr(model, "timm_model", None)
    if timm is not None:
        return any(name.startswith(f"timm_model.{head}.") for head in timm_heads(timm))
    first, prefix = name.split(".")[0], getattr(model, "base_model_prefix", "")
    kind = type(model).__name__
    if not kind.endswith("Model") and not hasattr(model, prefix):
        prefix = "model"  # RT-DETR's has another name than it says, before transformers 5.11
    if kind.endswith("Model") and kind != "PeftModel" and not hasattr(model, prefix):  # a bare backbone
        return False
    if first in ("encoder", "decoder") and not hasattr(model, prefix):  # T5's stand beside its output layer
        return False
    inside = not CLASS_HEADS.isdisjoint(name.split("."))
    return inside or (first != prefix and first not in EMBEDDING_MODULES)


def timm_heads(model: nn.Module) -> list[str]:
    """Names of a timm model's classifiers: one, or two for a distilled model."""
    named = model.pretrained_cfg.get("classifier") or []  # type: ignore[union-attr, operator]
    return [named] if isinstance(named, str) else list(named)


def still_norms(model: nn.Module) -> None:
    """Keep batch norms whose parameters do not learn as they are, in training too: their running mean and variance
    would drift to the new data under weights that stay. Norms that begin to learn again count again."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(_stand_still)


def fewest_rows(model: nn.Module, unfreezes: bool = False) -> int:
    """Rows that a batch needs to be learnt from: 2 under a batch norm that counts, now or when all is unfrozen."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    return 2 if any(unfreezes or not _is_still(norm) for norm in norms) else 1


def check_single(model: nn.Module, picture: torch.Tensor, name: str, unfreezes: bool = False) -> None:
    """Refuses batch norms that see one value a channel where training shows a model one picture at a time: torch would
    end the training. `picture` is an empty one, (1, channels, height, width); `unfreezes` says that all of the model
    will learn."""
    if fewest_rows(model, unfreezes) == 1:
        return
    tried = deepcopy(model).train()  # the norms of the model itself would count the empty picture
    if unfreezes:
        tried.requires_grad_(True)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            tried(pixel_values=picture)
    except ValueError as error:
        size = f"{picture.shape[2]} x {picture.shape[3]} pixels"
        what = f"{name} cannot learn from one picture at a time: of {size} its batch norms see one value a channel"
        fix = "give 2 or more, and as many rows; or a larger --image_size, or --freeze backbone"
        raise HfkitError(what, where="--per_device_train_batch_size", fix=fix) from error


def _is_still(norm: nn.Module) -> bool:
    own = list(norm.parameters(recurse=False))
    return bool(own) and not any(parameter.requires_grad for parameter in own)


def _stand_still(module: nn.Module, inputs: Any) -> None:
    if _is_still(module):
        module.eval()
