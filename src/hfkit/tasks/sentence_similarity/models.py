"""Models of sentences: any encoder or decoder that reads texts, without a head; and what stands beside its weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.data.sources.weights.sentence_modules import read_modules, write_modules
from hfkit.models.adapting.padding import LONG, SHORT, settle_padding
from hfkit.models.loading import Built, read_config
from hfkit.models.names import check_folder, locate
from hfkit.tasks import Task
from hfkit.tasks.pretrained import pretrained
from hfkit.tasks.sentence_similarity.config import Config
from hfkit.tasks.sentence_similarity.task import SentenceSimilarity


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled.

    What a folder of sentence-transformers says of its vectors holds where no flag says other.

    Raises:
        HfkitError: The model writes texts of texts (T5, BART), or reads none; and what `read_modules` refuses."""
    if config.model.startswith("baseline:"):
        fix = "name a pretrained model, such as sentence-transformers/all-MiniLM-L6-v2 or demo:minilm"
        raise HfkitError("Vectors of texts are not learnt from scratch", where=f"--model {config.model}", fix=fix)
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    if read_config(folder, config.model, config.trust_remote_code).is_encoder_decoder:
        fix = "choose an encoder, such as BERT, or a decoder with --pooling last"
        raise HfkitError(f"{config.model} has an encoder and a decoder", where="--model", fix=fix)
    assert isinstance(task, SentenceSimilarity)
    model, processor, new = pretrained(
        config, _as_told(task, folder), MODEL_MAPPING, "model that reads texts",
        keeps_head=lambda settings: True, settle=_settle_padding,
    )  # fmt: skip
    if getattr(model, "pooler", None) is not None:
        # It is made for another job and takes no part. It stays with the weights: without it they would not be whole.
        model.pooler.requires_grad_(False)
    return model, processor, new


def _as_told(task: SentenceSimilarity, folder: Path) -> SentenceSimilarity:
    """The task, with what the model's modules.json says where the flags say nothing."""
    told = read_modules(folder)
    names = ("pooling", "max_length", "query_prefix", "document_prefix")
    return replace(task, **{name: getattr(told, name) for name in names if getattr(task, name) is None})


def _settle_padding(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """See `settle_padding`."""
    task = SentenceSimilarity.from_model(model.config, tokenizer)
    ids = task.tokens([SHORT, " ".join(LONG.split()[-4:]), LONG], tokenizer, None)["input_ids"]
    rows = [{"input_ids": row} for row in ids]

    def answer(filled: SentenceSimilarity, batch: dict[str, Any]) -> torch.Tensor:
        return filled.vectors(model, batch["texts"])

    return settle_padding(task, answer, rows, model, tokenizer, name)


def opened(model: Any, tokenizer: PreTrainedTokenizerBase, name: str | Path) -> None:
    """A model that was trained elsewhere: what its modules.json says is taken over, and how batches are filled."""
    settings = (model.get_base_model() if hasattr(model, "peft_config") else model).config
    if "padding" in (getattr(settings, "hfkit", None) or {}):
        return
    task = _as_told(SentenceSimilarity(), locate(name))
    settings.hfkit = task.model_kwargs()["hfkit"] | {"padding": tokenizer.padding_side}
    task.for_model(settings, tokenizer)
    _settle_padding(model, tokenizer, str(name))


def save_beside(folder: Path, config: Any) -> None:
    """Write what sentence-transformers opens the folder by."""
    write_modules(folder, config.hidden_size, config.hfkit)
