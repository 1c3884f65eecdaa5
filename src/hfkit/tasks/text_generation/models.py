"""Language models by name: pretrained causal models, tried out before anything is trained, and baselines."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from datasets import DatasetDict
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from hfkit.base.errors import HfkitError, check_known
from hfkit.baselines.language.tokenizers import TOKENIZERS
from hfkit.data.text.packing import segments
from hfkit.models.adapting import four_bit
from hfkit.models.build import untrained
from hfkit.models.inspection import check_vocabulary, first_line, trial
from hfkit.models.loading import Built, read_config, read_tokenizer, read_weights
from hfkit.models.names import check_folder, locate
from hfkit.models.settings import override, set_dropout, settle_generation
from hfkit.tasks import Task
from hfkit.tasks.text_generation import SPEC
from hfkit.tasks.text_generation.config import Config

CONTEXT = 256  # tokens of a baseline's training text when --max_length does not say


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, its tokenizer, which of a baseline learns the training texts, and no
    parameters that a checkpoint has not filled. Raises HfkitError: nothing has the name, it is no language model,
    weights are missing or do not fit (words would be said at random), or it cannot keep documents of one row apart."""
    if config.model.startswith("baseline:"):
        if data is None:
            raise HfkitError(f"{config.model} trains its tokenizer on the training split: give build_model the data")
        length = task.model_kwargs()["hfkit"].get("max_length")
        model, processor = from_scratch(config, _texts(data), config.tokenizer, length)
        task.for_model(model.config, processor)  # which tells the config how it is read
        _begin_texts(processor)
        settle_generation(model, processor)
        return model, processor, []
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    _check_kind(settings, config)
    processor = read_tokenizer(folder, config.model, config.trust_remote_code)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    settled = task.for_model(settings, processor)
    four_bit.mark(settings, config.load_in_4bit)
    _begin_texts(processor)
    check_vocabulary(processor, settings, folder)
    code, fewer = config.trust_remote_code, bool(config.model_args)
    model, new = read_weights(folder, settings, code, fewer, auto_model=AutoModelForCausalLM)
    if new:
        what = f"the folder has no weights for {', '.join(new[:3])}: it is no language model"
        raise HfkitError(what, where=str(folder), fix="choose one, such as openai-community/gpt2")
    settle_generation(model, processor)
    try_out(model, config.model, packing=bool(settled.settings()["packing"]))
    return model, processor, []


def from_scratch(
    config: Config, texts: Iterable[str], tokenizer: str = "bpe", max_length: int | None = None
) -> tuple[PreTrainedModel, Tokenizer]:
    """An untrained language model and its tokenizer, which learns the training `texts`, read once.

    Of `config`, `model` (`baseline:<name>`), `vocab_size`, `dropout`, `attention_dropout` and `model_args` count. The
    tokenizer is "bpe", pairs of bytes, or "char"; `max_length` are the tokens of a training text, the Transformer's
    context, None 256. Raises HfkitError: no baseline or tokenizer has the name, or `--model_args` do not fit."""
    config_class, fields = SPEC.baseline_config(config.model)
    check_known(tokenizer, TOKENIZERS, f"there is no tokenizer {tokenizer!r}", "--tokenizer")
    context = max_length or CONTEXT
    if "max_position_embeddings" in config_class.__annotations__:
        fields = {**fields, "max_position_embeddings": context}
    settings: Any = config_class(**fields)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    context = getattr(settings, "max_position_embeddings", context)
    processor = TOKENIZERS[tokenizer](texts, config.vocab_size, context)
    settings.vocab_size = len(processor)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(settings, name, getattr(processor, name))
    return untrained(AutoModelForCausalLM, settings), processor


def _begin_texts(processor: Tokenizer) -> None:
    """Let prompts begin as documents do in training, with the start token, in plain transformers too."""
    own: Any = processor
    begin = processor.bos_token_id
    if processor.is_fast and begin is not None and processor("a")["input_ids"][:1] != [begin]:
        own.add_bos_token = True


def try_out(model: PreTrainedModel, name: str, packing: bool) -> None:
    """Shows the model six tokens, so that one that looks ahead, or from one document into another, is not trained. Of
    packed rows it sees two: flash attention in transformers keeps documents apart in a single row alone. Raises
    HfkitError: it does either."""
    size = int(model.get_input_embeddings().weight.shape[0])  # type: ignore[index]
    one, other = torch.arange(6)[None] % size, torch.arange(6)[None] % size

    def logits(ids: torch.Tensor, **places: Any) -> torch.Tensor:
        with torch.inference_mode():
            found: torch.Tensor = model(input_ids=ids, use_cache=False, **places).logits
        return found.float()

    try:
        with trial(model):
            other[0, 5] = (other[0, 5] + 3) % size
            ahead = _moved(logits(one)[:, :5], logits(other)[:, :5])
            other = one.clone()
            other[0, :3] = (other[0, :3] + 3) % size
            places = {"position_ids": torch.tensor([[0, 1, 2, 0, 1, 2]] * 2)}
            pair = (logits(ids.repeat(2, 1), **places)[:, 3:] for ids in (one, other))
            across = packing and _moved(*pair)
    except TypeError as error:
        raise _leaks(name, f" ({first_line(error)})") from error
    if ahead:
        what = f"{name} looks ahead: what it says of a token depends on the tokens after it"
        raise HfkitError(what, where="--model", fix="choose a causal language model, such as openai-community/gpt2")
    if across:
        raise _leaks(name)


def _leaks(name: str, why: str = "") -> HfkitError:
    what = f"{name} cannot keep the documents of one row apart by their positions{why}"
    return HfkitError(what, where="--packing", fix="--packing false, which gives each document a row")


def _moved(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether logits differ by more than rounding."""
    return bool((first - second).abs().max() > 1e-4 * first.abs().max())


def _check_kind(settings: PreTrainedConfig, config: Config) -> None:
    remote = config.trust_remote_code and "AutoModelForCausalLM" in getattr(settings, "auto_map", {})
    if type(settings) not in MODEL_FOR_CAUSAL_LM_MAPPING and not remote:
        built_as = (settings.architectures or [settings.model_type])[0]
        what = f"{config.model} is a {built_as}, and there is no causal language model of its kind"
        raise HfkitError(what, where="--model", fix="choose one, such as openai-community/gpt2")


def _texts(data: DatasetDict) -> Iterator[str]:
    """All that the training rows say."""
    for row in data["train"]:
        yield from (part.text for part in segments(row))
