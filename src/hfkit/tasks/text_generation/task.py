"""Text generation: a causal language model learns to say the next token of texts, of completions or of answers."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict, Features, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import counted
from hfkit.data.text.chat_samples import samples
from hfkit.data.text.packing import enclosed, measured, tokenised
from hfkit.data.text.special_tokens import keep_pieces_apart
from hfkit.data.text.truncation import limit
from hfkit.data.text.windows import IGNORED, Piece, cut_prompts, documents_of, packed, padded, pieces
from hfkit.tasks.base import BaseTask, Tensors, check_reads, mapped
from hfkit.tasks.text_generation import hardest_documents
from hfkit.tasks.text_generation.config import Config
from hfkit.tasks.text_generation.samples import Samples
from hfkit.tasks.texts import added_up

CONTEXT = 1024
"""Tokens of a row when --max_length does not say and the model could read more: what a step's memory allows."""

_IDS = List(Value("int32"))


@dataclass(frozen=True)
class TextGeneration(BaseTask):
    """Any AutoModelForCausalLM on `text`, on `prompt` and `completion`, or on `messages`. A document is read as start
    token (`bos_token`, else the end token: a document has just ended), text, end token. The end is always learnt, also
    where it doubles as padding: what is padding is known by its place."""

    max_length: int | None = None  # tokens that a row holds, and of a document that a window shows; by `for_model`
    eval_stride: int | None = None  # tokens between two windows in evaluation; None: windows side by side
    packing: bool = True  # training rows hold several documents, none of which sees another
    start_token_id: int | None = None  # of the model's tokenizer, as the others: by `for_model`
    end_token_id: int | None = None
    pad_token_id: int = 0

    READING = ("max_length",)
    name = "text-generation"
    problem_type = "language_modeling"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        check_reads(cls.name, data)
        return cls(max_length=config.max_length, eval_stride=config.eval_stride, packing=config.packing)

    def callbacks(self, config: Any, run: Any, encoded: DatasetDict, processor: Any) -> list[Any]:
        if "validation" not in encoded:
            return []
        return [Samples(run.path, self, processor, encoded["validation"], config.sample_prompts)]

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        hardest_documents.keep(run.path, self, processor, model, encoded["test"], table)

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with the model's limit and special tokens. The config is told `hfkit`, the tokenizer its padding.
        Raises HfkitError: `max_length` is above what the model can read, `eval_stride` above `max_length`, or the
        tokenizer has no end token."""
        length = limit(self.max_length, model_config, processor, CONTEXT, tell=False) or CONTEXT
        if self.eval_stride and self.eval_stride > length:
            what = f"Windows of {length} tokens cannot be {self.eval_stride} apart."
            fix = f"at most {length}, such as {length // 2}"
            raise HfkitError(what, where=f"--eval_stride {self.eval_stride}", fix=fix)
        if processor.eos_token_id is None:
            fix = "choose a causal language model, such as openai-community/gpt2; or set tokenizer.eos_token"
            raise HfkitError("The tokenizer has no end token, so texts would never end", fix=fix)
        keep_pieces_apart(processor)
        if processor.pad_token_id is None:
            processor.pad_token = processor.eos_token  # for batches of prompts; training knows padding by its place
        start = processor.bos_token_id if processor.bos_token_id is not None else processor.eos_token_id
        marks: dict[str, Any] = {"end_token_id": processor.eos_token_id, "pad_token_id": processor.pad_token_id}
        task = replace(self, max_length=length, start_token_id=start, **marks)
        model_config.hfkit = {**(getattr(model_config, "hfkit", None) or {}), **task.reading()}
        return task

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """The tokens of a split's documents, in the same order: `id`; `input_ids`, start and end token included;
        `learnt`, which of them are; `sizes` of the documents in it, more than one where each answer of a chat is one;
        `length`, tokens that are read; `truncated`, always false; `note`, what is to be said of the row; `bytes` and
        `words` of what is learnt. Line ends count as words, as in WikiText's literature."""

        def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            found: dict[str, list[Any]] = {name: [] for name in features if name != "id"}
            each = [{name: values[place] for name, values in batch.items()} for place in range(len(batch["id"]))]
            read = [samples(row, processor) for row in each]
            tokens = iter(tokenised([parts for documents, _ in read for parts in documents], processor))
            for row, (documents, note) in zip(each, read, strict=True):
                end = self.end_token_id if row.get("ends", True) else None
                whole = [enclosed(parts, *next(tokens), self.start_token_id, end) for parts in documents]
                ids, learnt = ([value for part in whole for value in part[place]] for place in (0, 1))
                sizes = [len(part) for part, _ in whole]
                values = (ids, learnt, sizes, len(ids) - len(sizes), False, note, *measured(row))
                for name, value in zip(found, values, strict=True):
                    found[name].append(value)
            return {"id": batch["id"], **found}

        features = {"id": Value("string"), "input_ids": _IDS, "learnt": List(Value("bool")), "sizes": _IDS}
        features |= {"length": Value("int32"), "truncated": Value("bool"), "note": Value("string")}
        features |= {"bytes": Value("int64"), "words": Value("int64")}
        return mapped(dataset, rows, features)

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """Nothing that is learnt is cut: what is longer than `max_length` is read in windows. `notes` count the rows
        whose answers see a part of their prompts only, and what the rows' own notes say."""
        length = self.max_length or CONTEXT
        found = [f"{counted(rows, 'row')}: {note}" for note, rows in Counter(encoded["note"][:]).items() if note]
        found += cut_prompts(documents_of(encoded), length)
        return {"rows": 0, "share": 0.0, "max_length": self.max_length, "long_text": "windows", "notes": found}

    def to_train(self, encoded: Dataset) -> Dataset:
        """Rows to learn: windows of the documents and, with `packing`, as many as fit in each row. `id` (of each
        document in the row), `input_ids`, `targets`, `lengths` of the windows in it, `length`."""
        flat = self._pieces(encoded, self.max_length or CONTEXT)
        sizes = np.array([len(piece.input_ids) for _, piece in flat])
        groups = packed(sizes, self.max_length or CONTEXT) if self.packing else [[row] for row in range(len(flat))]
        ids = encoded["id"][:]
        return _dataset(
            {
                "id": [", ".join(ids[flat[row][0]] for row in group) for group in groups],
                "input_ids": [np.concatenate([flat[row][1].input_ids for row in group]) for group in groups],
                "targets": [np.concatenate([flat[row][1].targets for row in group]) for group in groups],
                "lengths": [[int(sizes[row]) for row in group] for group in groups],
                "length": [int(sizes[group].sum()) for group in groups],
            }
        )

    def to_evaluate(self, encoded: Dataset) -> Dataset:
        """Windows of the documents, each a row: `document`, its number; `input_ids`, `targets`, `lengths`, `length`;
        and of a document's first window its `bytes` and `words`, which the others have as 0."""
        flat = self._pieces(encoded, self.eval_stride or self.max_length or CONTEXT)
        whole = {name: encoded[name][:] for name in ("bytes", "words")}
        first = [place == 0 or flat[place - 1][0] != row for place, (row, _) in enumerate(flat)]
        sizes = [len(piece.input_ids) for _, piece in flat]
        columns: dict[str, Any] = {
            "document": [row for row, _ in flat],
            "input_ids": [piece.input_ids for _, piece in flat],
            "targets": [piece.targets for _, piece in flat],
            "lengths": [[size] for size in sizes],
            "length": sizes,
        }
        for name, values in whole.items():
            columns[name] = [values[row] if begins else 0 for (row, _), begins in zip(flat, first, strict=True)]
        return _dataset(columns)

    def _pieces(self, encoded: Dataset, stride: int) -> list[tuple[int, Piece]]:
        length = self.max_length or CONTEXT
        documents = documents_of(encoded)
        return [(row, piece) for row, ids, learnt in documents for piece in pieces(ids, learnt, length, stride)]

    by_example = added_up

    def collate(self, features: list[dict[str, Any]]) -> Tensors:
        """One batch, filled on the right. There is no attention mask: what stands on the right is never seen.
        `input_ids` and `targets` (rows, tokens); where a row holds several documents `position_ids`, which count from 0
        in each: by these the models keep documents apart. In evaluation `bytes` and `words` (rows,)."""
        batch = {
            "input_ids": padded([feature["input_ids"] for feature in features], self.pad_token_id),
            "targets": padded([feature["targets"] for feature in features], IGNORED),
        }
        if any(len(feature["lengths"]) > 1 for feature in features):
            places = [[place for size in feature["lengths"] for place in range(size)] for feature in features]
            batch["position_ids"] = padded(places, 0)
        for name in ("bytes", "words"):
            if name in features[0]:
                batch[name] = torch.tensor([feature[name] for feature in features])
        return batch

    def weight(self, batch: Tensors) -> float:
        """Tokens that are learnt."""
        return float((batch["targets"] != IGNORED).sum())

    def loss_and_predictions(self, model: torch.nn.Module, batch: Tensors) -> tuple[torch.Tensor, Tensors]:
        """The sum of the losses of all tokens that are learnt, and in evaluation of each row the sums
        that its metrics read: nats, tokens, those told right, and the size of the text."""
        inputs = {name: batch[name] for name in ("input_ids", "position_ids") if name in batch}
        targets, settings = batch["targets"], getattr(getattr(model, "module", model), "config", None)
        if "position_ids" in inputs and "flash" in str(getattr(settings, "_attn_implementation", "")):
            # transformers' flash attention keeps documents apart in a single row alone: all rows are one.
            inputs = {name: value.reshape(1, -1) for name, value in inputs.items()}
        # A cache would only hold memory, and transformers looks at position_ids only where there is none.
        logits = model(**inputs, use_cache=False).logits.reshape(*targets.shape, -1)
        kept = targets != IGNORED
        # Logits are a batch's largest tensor, and picking rows out of it copies it.
        logits, wanted = (logits.flatten(0, 1) if kept.all() else logits[kept]).float(), targets[kept]
        losses = F.cross_entropy(logits, wanted, reduction="none")
        if model.training:
            return losses.sum(), {}
        row = torch.arange(len(targets), device=targets.device)[:, None].expand_as(targets)[kept]
        right = (logits.argmax(dim=-1) == wanted).float()
        zeros = torch.zeros(len(targets), device=targets.device)
        found = {"nll": zeros.index_add(0, row, losses.detach()), "tokens": kept.sum(dim=1)}
        found["right"] = zeros.index_add(0, row, right)
        return losses.sum(), found | {name: batch[name] for name in ("bytes", "words") if name in batch}


def _dataset(columns: dict[str, Any]) -> Dataset:
    kinds = {"input_ids": _IDS, "targets": _IDS, "lengths": _IDS, "id": Value("string")}
    features = Features({name: kinds.get(name, Value("int64")) for name in columns})
    return Dataset.from_dict(columns, features=features)
