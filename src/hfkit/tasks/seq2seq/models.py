"""Models that make one text of another: pretrained encoder-decoders, and one from scratch."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.baselines.language.tokenizers import train_for_pairs
from hfkit.config import DecodingArguments, GenerationArguments
from hfkit.data.text.language_codes import codes_of
from hfkit.inference.generation.sampling import settle
from hfkit.models.build import untrained
from hfkit.models.inspection import refusing, say, trial
from hfkit.models.loading import Built
from hfkit.models.settings import override, set_dropout, set_labels, settle_generation
from hfkit.tasks import Task
from hfkit.tasks.discover import find
from hfkit.tasks.pretrained import pretrained
from hfkit.tasks.seq2seq.config import Config
from hfkit.tasks.seq2seq.task import said_before

SUCH = "google-t5/t5-small"

CONTEXT = 256  # tokens of a baseline's texts where --max_length does not say

BEAMS = 4
"""Beams of translations and summaries where neither --num_beams nor the model says: T5's, BART's and the Transformer's
papers all have 4."""

LONGEST = 100  # training targets, of most characters, whose tokens say how long a text may get

WRITING = (*DecodingArguments.__dataclass_fields__, "forced_bos_token_id", "decoder_start_token_id")
"""What an adapter's config keeps of how texts are written: a whole model has its generation_config.json."""


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    if config.model.startswith("baseline:"):
        model, processor, new = *_from_scratch(config, task, data), list[str]()
    else:
        model, processor, new = pretrained(
            config, task, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, "model that makes one text of another",
            keeps_head=lambda settings: True, such=SUCH,
        )  # fmt: skip
        _say_prefix(model.config, config)
    model.config.use_cache = True  # writing would read all that was written at each token
    _settle_writing(config, model, processor, data)
    _try_out(model, processor, config.model)
    return model, processor, new


def opened(model: Any, tokenizer: PreTrainedTokenizerBase, name: str | Path) -> None:
    """An adapter's folder has no generation config: it writes as its config says."""
    if hasattr(model, "peft_config"):
        base = model.get_base_model()
        for field, value in ((getattr(base.config, "hfkit", None) or {}).get("writing") or {}).items():
            if field in WRITING:
                setattr(base.generation_config, field, value)


def _settle_writing(
    config: Config, model: PreTrainedModel, processor: PreTrainedTokenizerBase, data: DatasetDict | None
) -> None:
    """Have the model's generation config say how texts are written: as the flags say, else as it is said there."""
    own: Any = model.generation_config
    given = {name: getattr(config, name) for name in DecodingArguments.__dataclass_fields__}
    if given["num_beams"] is None and (own.num_beams or 1) == 1 and not (given["do_sample"] or own.do_sample):
        given["num_beams"] = 1 if config.task == "text2text-generation" else BEAMS
    for name in ("min_length", "min_new_tokens"):  # of the texts that it was tuned on before
        if getattr(own, name, None):
            say(f"generation config: {name} {getattr(own, name)} is left out: it is of other texts")
            setattr(own, name, None)
    if given["max_new_tokens"] is None and data is not None:
        task: Any = find(config.task).task_class.from_model(model.config, processor)
        longest = sorted(set(data["train"]["target"]), key=len)[-LONGEST:]
        given["max_new_tokens"] = max(map(len, task.targets(longest, processor)[0])) + 1
    target = codes_of(processor).get(getattr(processor, "tgt_lang", None) or "")
    if target is not None:
        written: Any = processor(text_target="a")["input_ids"]
        first = written[0] == target
        setattr(own, "forced_bos_token_id" if first else "decoder_start_token_id", target)
        if not first:  # mBART's first edition begins a text with its language
            model.config.decoder_start_token_id = target
    model.generation_config = settle(GenerationArguments(**given), own, processor)
    settled: Any = model.generation_config
    settled._from_model_config = False  # else transformers would make it anew of the config, which says none of this
    settle_generation(model, processor)
    kept = {name: getattr(model.generation_config, name, None) for name in WRITING}
    known: Any = model.config
    known.hfkit = {**known.hfkit, "writing": {name: value for name, value in kept.items() if value is not None}}


def _say_prefix(settings: Any, config: Config) -> None:
    """T5 learnt several jobs at once, and is told which by how a text begins."""
    if "t5" not in settings.model_type or config.source_prefix:
        return
    params = getattr(settings, "task_specific_params", None) or {}
    known = [str(one["prefix"]) for one in params.values() if isinstance(one, dict) and one.get("prefix")]
    such = ", ".join(map(repr, known[:4])) or "'summarize: ', 'translate English to German: '"
    say(f"note: T5 models are told their job in front of a text, such as {such}: --source_prefix does that")


def _try_out(model: Any, processor: PreTrainedTokenizerBase, name: str) -> None:
    """Shows the model a short pair, so that one that cannot begin a text, or lacks a part, is not trained. Raises
    HfkitError: it refuses it."""
    ids = torch.tensor([[processor.eos_token_id] * 3])
    fix = f"its config.json may lack decoder_start_token_id; else choose another model, such as {SUCH}"
    with refusing(f"{name} cannot write a text", "--model", fix), trial(model) as ready, torch.inference_mode():
        ready(input_ids=ids, decoder_input_ids=said_before(model, ids), use_cache=False)


def _from_scratch(
    config: Config, task: Task, data: DatasetDict | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """An untrained encoder-decoder and its tokenizer, which learns both sides of the training pairs. Raises HfkitError:
    there are no pairs, or `--model_args` do not fit."""
    config_class, fields = find(config.task).baseline_config(config.model)
    if data is None:
        raise HfkitError(f"{config.model} trains its tokenizer on the training split: give build_model the data")
    length = config.max_length or CONTEXT
    texts: Iterator[str] = chain([config.source_prefix], data["train"]["source"], data["train"]["target"])
    processor = train_for_pairs(texts, config.vocab_size, length, config.tokenizer)
    settings: Any = config_class(**fields | {"max_position_embeddings": max(length, config.max_target_length or 0)})
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    settings.vocab_size, settings.pad_token_id = len(processor), processor.pad_token_id
    settings.bos_token_id = settings.eos_token_id = settings.decoder_start_token_id = processor.eos_token_id
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    return untrained(AutoModelForSeq2SeqLM, settings), processor
