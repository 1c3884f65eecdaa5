"""LoRA (Hu et al. 2021) through PEFT: a low-rank adapter learns, and the head beside it."""

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hfkit.base.errors import HfkitError, nearest
from hfkit.base.untrusted import read_json_file
from hfkit.config import ModelArguments
from hfkit.models.adapting.freezing import in_head
from hfkit.models.inspection import refusing, say, token_ends
from hfkit.tasks import discover

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

ALL_LINEAR = "all-linear"  # as in PEFT: every layer that multiplies by a matrix, but the head and the embeddings

UNTOUCHED = 1e-3
"""How near the mean of all token vectors one lies that no training has moved, as a share of their spread."""


def add_lora(
    model: "PreTrainedModel", config: ModelArguments, new: Collection[str] = (), processor: Any = None
) -> "PeftModel":
    """Wrap a classifier or a language model in a LoRA adapter; its head learns in full and is saved with the adapter.

    `model_revision` is written into the adapter beside its base, the model's `name_or_path`, which can be found again
    and is no path of this machine. The modules of `new`, parameters of the backbone that no checkpoint has filled,
    learn too. So do the vectors of `lora_tokens`, by default those of added tokens of the tokenizer, `processor`, that
    no training has touched: a low-rank adapter could not reach them. Raises HfkitError: no layer or token has the
    wanted name, or PEFT does not know the architecture."""
    from peft import LoraConfig, get_peft_model

    # PEFT's classes for texts want token ids; the plain one passes everything on.
    spec = discover.of_model(model)
    job, speaks = spec.peft if spec else "", model.can_generate()
    layers, experts = _targets(model, config)
    # A language model's output layer, often the token vectors once more, stays what it was.
    learning = None if speaks else _learning_modules(model, new, bool(job))
    settings = LoraConfig(
        task_type=job or None,
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=layers,
        target_parameters=experts or None,
        use_dora=config.use_dora,
        use_rslora=config.use_rslora,
        modules_to_save=learning,
        revision=config.model_revision,
        **_token_settings(model, config, processor, [*layers, *(learning or [])]),
    )
    with quiet_peft():
        return _with_all_inputs(get_peft_model(model, settings, revision=config.model_revision))


def _targets(model: "PreTrainedModel", config: ModelArguments) -> tuple[list[str], list[str]]:
    """Names of the layers that get an adapter, and of the parameters that do: fused experts are no layers."""
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as DEFAULTS

    backbone = getattr(model.config, "backbone_config", None) or model.config
    wanted = list(config.lora_target_modules) or list(DEFAULTS.get(backbone.model_type, ()))
    linear = {name for name, module in model.named_modules() if _takes_lora(module) and not in_head(model, name)}
    fused = {name for name, _ in model.named_parameters() if _is_fused(model, name) and not in_head(model, name)}
    known = {name.rsplit(".", 1)[-1] for name in linear | fused}
    if not wanted:  # timm's ViTs call their attention qkv, transformers' query and value
        wanted = [name for name in ("qkv", "query", "value", "q_proj", "v_proj") if name in known]
    if not wanted:
        fix = f"name them with --lora_target_modules: {', '.join(sorted(known))}"
        raise HfkitError(f"PEFT has no default layers for a {backbone.model_type}", where="--lora", fix=fix)
    layers: set[str] = set()
    experts: set[str] = set()
    for target in wanted:
        matched = _matched(model, target, linear | fused)
        if not matched:
            what = f"no linear layer is called {target!r}"
            raise HfkitError(what, where="--lora_target_modules", fix=nearest(target, known))
        if found := matched & linear:
            layers |= found if any(mark in target for mark in "*?[") or target == ALL_LINEAR else {target}
        experts |= matched & fused
    barred = bool(experts and (config.lora_dropout or config.use_dora))
    experts = set() if barred else experts
    way = "without --lora_dropout and --use_dora" if barred else f"with --lora_target_modules {ALL_LINEAR}"
    if not layers and not experts:
        raise HfkitError(f"fused experts get an adapter {way} alone", where="--lora_target_modules", fix="drop these")
    if left := len(fused - experts):
        say(f"LoRA: {left} parameters that hold fused experts get no adapter; they would {way}")
    return sorted(layers), sorted(experts)


def _matched(model: "PreTrainedModel", target: str, linear: Collection[str]) -> set[str]:
    """Names of the layers that `target` means."""
    if target == ALL_LINEAR:
        tables = {name for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
        return set(linear) - tables
    return {name for name in linear if name == target or name.endswith(f".{target}") or fnmatchcase(name, target)}


def _takes_lora(module: nn.Module) -> bool:
    # GPT-2 writes its linear layers as a Conv1D of its own. Grouped convolutions have no low-rank form in PEFT.
    plain = isinstance(module, nn.Conv2d) and module.groups == 1
    return plain or isinstance(module, nn.Linear | nn.Embedding) or type(module).__name__ == "Conv1D"


def _is_fused(model: nn.Module, name: str) -> bool:
    """Whether a parameter holds a matrix an expert: three dimensions, in a module that is none of torch's own."""
    shape, owner = model.get_parameter(name).shape, type(model.get_submodule(name.rpartition(".")[0]))
    return len(shape) == 3 and min(shape) > 1 and not owner.__module__.startswith("torch.")


def _token_settings(
    model: "PreTrainedModel", config: ModelArguments, processor: Any, taken: Collection[str]
) -> dict[str, Any]:
    """What LoraConfig has to know of the token vectors; `taken` are the layers that get an adapter or learn whole."""
    table, output = token_ends(model)
    if not isinstance(table, nn.Embedding):
        return {}
    names = {module: name for name, module in model.named_modules()}
    place, tied = names[table], output is not None and output.weight is table.weight
    if any(place == name or place.endswith(f".{name}") for name in taken):
        return {"ensure_weight_tying": True} if tied else {}
    known = processor.get_vocab() if hasattr(processor, "get_added_vocab") else {}
    asked = getattr(config, "lora_tokens", [])
    for token in asked:
        if token not in known:
            fix = nearest(token, list(processor.get_added_vocab()))
            raise HfkitError(f"{token!r} is no token of the model", where="--lora_tokens", fix=fix)
    tokens = asked or _untouched(table.weight, processor)
    if not tokens:
        return {}
    say(f"LoRA: the vectors of {len(tokens)} tokens learn beside the adapter: {', '.join(tokens[:5])}")
    places = [place] if tied or output is None else [place, names[output]]
    return {"trainable_token_indices": {name: sorted(known[token] for token in tokens) for name in places}}


def _untouched(vectors: torch.Tensor, processor: Any) -> list[str]:
    """Added tokens whose vectors are all zeros, or the mean of the others, as transformers makes them when it resizes
    a model."""
    added = processor.get_added_vocab() if hasattr(processor, "get_added_vocab") else {}
    added = {token: row for token, row in added.items() if token != processor.pad_token and row < len(vectors)}
    with torch.no_grad():
        own = vectors[list(added.values())]
        far = (own - vectors.mean(dim=0)).norm(dim=1) > UNTOUCHED * vectors.std(dim=0).norm()
        moved = (far & own.any(dim=1)).tolist()
    return [token for token, learnt in zip(added, moved, strict=True) if not learnt]


def _learning_modules(model: "PreTrainedModel", new: Collection[str], added: bool) -> list[str]:
    """Modules that learn in full: the head, which PEFT may have `added`, and what the checkpoint lacked."""
    timm = hasattr(model, "timm_model")
    head = {
        name.rsplit(".", 1)[0] if timm else name.split(".")[0]
        for name, _ in model.named_parameters()
        if in_head(model, name)
    }
    lacked = {name.rsplit(".", 1)[0] for name in new if not in_head(model, name)}
    return sorted((head | lacked) - ({"classifier", "score", "qa_outputs"} if added else set()))


def read_adapter(folder: Path) -> tuple[str, str | None]:
    """The base model's name, and its revision, that the adapter in `folder` was trained on. Raises HfkitError: it is
    damaged, its weights are no safetensors (PEFT would unpickle them, or ask the Hub), or it names a module for PEFT to
    import (`megatron_core`)."""
    place = folder / "adapter_config.json"
    content = read_json_file(place)
    if not isinstance(content, dict) or not isinstance(content.get("base_model_name_or_path"), str):
        raise HfkitError("The adapter's config does not name its base model", where=str(place))
    if content.get("megatron_config"):
        what = "adapter_config.json sets megatron_config, by which PEFT would import any module"
        raise HfkitError(what, where=str(place), fix="take the line out, and read what else the folder asks for")
    if not (folder / "adapter_model.safetensors").is_file():
        what = "The adapter has no adapter_model.safetensors; hfkit reads safetensors, which cannot run code"
        fix = "save it as such once where you trust it: model.save_pretrained(folder)"
        raise HfkitError(what, where=str(folder), fix=fix)
    return content["base_model_name_or_path"], content.get("revision")


def put_adapter(model: "PreTrainedModel", folder: Path) -> "PeftModel":
    """The adapter that `folder` holds, on its base, ready to answer. Raises HfkitError: its weights are damaged, or do
    not fit the base."""
    from peft import PeftModel

    with refusing("The adapter cannot be put on its base", str(folder)), quiet_peft():
        return _with_all_inputs(PeftModel.from_pretrained(model, str(folder)))


def _with_all_inputs(model: "PeftModel") -> "PeftModel":
    """PEFT's class for questions takes `token_type_ids` and forgets to pass them on; its plain one passes on all."""
    from peft import PeftModel

    if "token_type_ids" in signature(type(model).forward).parameters:
        model.forward = PeftModel.forward.__get__(model)  # type: ignore[method-assign]
    return model


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Without the warnings that PEFT asks for a property which transformers is renaming, and that it knows GPT-2's way
    of writing a linear layer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", message="(?s).*tie_word_embeddings")  # `adapters.summed` sees to that
        warnings.filterwarnings("ignore", message="fan_in_fan_out")  # which is then set as GPT-2 needs it
        yield
