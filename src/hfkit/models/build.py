"""build_model: a model that fits the task, and its tokenizer."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate.utils import set_seed  # transformers' own brings peft along, and whatever peft can use
from datasets import DatasetDict
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.baselines.tokenizer import train_tokenizer
from hfkit.baselines.word_vectors import WordVectors, read_word_vectors
from hfkit.config import LoopArguments, ModelArguments
from hfkit.config.rules import check
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.freezing import freeze, still_norms
from hfkit.models.adapting.lora import add_lora
from hfkit.models.inspection import check_memory, first_line, refusing, say
from hfkit.models.loading import Built
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks import Task
from hfkit.tasks.discover import find


def build_model(config: ModelArguments, task: Task, data: DatasetDict | None = None) -> tuple[PreTrainedModel, Any]:
    """A model that fits the task, with what may learn decided, and its tokenizer or image processor.

    A pretrained classifier whose labels have the task's names keeps its head and its order of the labels; any other
    model gets a new head. Weights are float32, from safetensors; with `config.lora` a PeftModel stands around it.

    `config` has the model's knobs; of a whole TrainConfig, `seed` decides what starts at random. `task` is from
    `hfkit.build_task`. `data` are the splits, of which a `baseline:...` trains its tokenizer on the first. Raises
    HfkitError: nothing has the name, a part of the model is missing, it is a model for another task, or a knob does not
    fit it."""
    check(config)
    if isinstance(config, LoopArguments):
        set_seed(config.seed)
    spec = find(task.name)
    model, processor, new = spec.room("models").build(config, task, data)
    _rename(model, config.model)
    if getattr(config, "load_in_4bit", False):
        four_bit.compute_in(model, torch.bfloat16)
    if config.gradient_checkpointing:
        _checkpoint_activations(model, config.model)
    if config.lora:
        model = add_lora(model, config, new, processor)
    elif getattr(config, "linear_probe", False):
        freeze(model, ["backbone"])
    elif config.freeze:
        freeze(model, config.freeze, new)
    still_norms(model)
    if check_training := spec.offers("models", "check_training"):
        check_training(config, task, model, processor, data)
    say(describe(model, config.model))
    return model, processor


def from_scratch(
    config: Any,
    task: Task,
    texts: Callable[[], Iterable[str]] | None,
    length: int,
    lowercase: bool = True,
    mask: bool = False,
) -> Built:
    """A baseline that reads texts, untrained; its tokenizer, trained on them; and no parameters that a file lacked.

    `config.model` is the baseline's name; `texts` are those of the training split. A text may have `length` tokens
    where neither the task nor a flag says; for `lowercase` see `train_tokenizer`; with `mask` it has a token that hides
    others. Raises HfkitError: there are no texts, or a knob does not fit the network."""
    spec = find(task.name)
    config_class, fields = spec.baseline_config(config.model)
    if texts is None:
        raise HfkitError(f"{config.model} trains its tokenizer on the training split: give build_model the data")
    length = task.model_kwargs()["hfkit"].get("max_length") or length
    processor = train_tokenizer(texts(), config.vocab_size, length, lowercase)
    if mask:
        processor.add_special_tokens({"mask_token": "[MASK]"})
    known = getattr(config_class, "max_position_embeddings", None)
    if known is not None:
        fields = {**fields, "max_position_embeddings": max(length, known)}
    settings = config_class(**fields)
    set_dropout(settings, config.dropout, config.attention_dropout)
    vectors = _word_vectors(config, settings, processor)
    override(settings, config.model_args)
    settings.vocab_size = len(processor)
    settings.pad_token_id = processor.pad_token_id
    set_labels(settings, task.model_kwargs())
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    model = untrained(getattr(transformers, spec.auto_model), settings)
    if vectors:
        if vectors.size != settings.embedding_size:
            what = f"The vectors have {vectors.size} numbers, and embedding_size is {settings.embedding_size}"
            raise HfkitError(what, where=config.word_vectors, fix="take embedding_size out of --model_args")
        vectors.fill(model.get_input_embeddings())
    return model, processor, []


def untrained(auto_model: Any, settings: PreTrainedConfig) -> Any:
    """A model of this config with its start values; what the network refuses is the user's --model_args."""
    try:
        check_memory(auto_model, settings)
        return auto_model.from_config(settings)
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise HfkitError(first_line(error), where="--model_args") from error


def _word_vectors(config: Any, settings: Any, processor: PreTrainedTokenizerBase) -> WordVectors | None:
    """The vectors that `--word_vectors` names; the config is told their size, and how many words have one."""
    path = getattr(config, "word_vectors", None)
    if path is None:
        return None
    if not hasattr(settings, "embedding_size"):
        what = f"{config.model} has no token vectors of a size of their own"
        raise HfkitError(what, where="--word_vectors", fix="choose a recurrent one, such as baseline:bilstm")
    vectors = read_word_vectors(Path(path), processor)
    settings.embedding_size, settings.word_vectors = vectors.size, vectors.told
    say(f"word vectors: {vectors.told}")
    return vectors


def _rename(model: PreTrainedModel, name: str) -> None:
    """Call the model what the user called it: transformers noted the folder, and would publish this machine's path."""
    configs = [part.config for part in model.modules() if isinstance(part, PreTrainedModel)]
    for config in [*configs, getattr(model.config, "backbone_config", None) or model.config]:
        config.name_or_path = name
    model.name_or_path = name


def _checkpoint_activations(model: PreTrainedModel, name: str) -> None:
    own: Any = model
    # transformers is renaming the switch.
    enable = getattr(own, "activation_checkpointing_enable", None) or own.gradient_checkpointing_enable
    fix = "drop the flag; --gradient_accumulation_steps saves memory too"
    with refusing(f"{name} cannot recompute its activations", "--gradient_checkpointing", fix, ValueError):
        enable()


def describe(model: nn.Module, name: str) -> str:
    """One line: class, parameters, and the share of them that learns."""
    total = sum(map(four_bit.size, model.parameters()))
    learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    base = getattr(model, "get_base_model", lambda: model)()
    kind = f"LoRA on {type(base).__name__}" if base is not model else type(model).__name__
    share = "all learn" if learning == total else f"{learning:,} ({learning / total:.1%}) learn"
    return f"model: {kind} from {name}, {total:,} parameters, {share}"
