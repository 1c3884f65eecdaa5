"""Seq2seq: what a model makes of a text, learnt token by token, and judged by the texts that it writes."""

import zlib
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.config import GenerationArguments
from hfkit.data.tables.table import counted
from hfkit.data.text.language_codes import set_languages
from hfkit.data.text.truncation import Truncation, positions_of
from hfkit.data.text.windows import IGNORED, padded
from hfkit.inference.generation.rewriter import Rewriter, seed_of
from hfkit.inference.generation.sampling import settle
from hfkit.models.inspection import say
from hfkit.tasks.base import BaseTask, check_reads, mapped
from hfkit.tasks.seq2seq.config import Config
from hfkit.tasks.texts import settle_tokens

CONTEXT = 512  # tokens of a source where neither --max_length nor the model says: what T5 was trained with

OUTPUTS = {
    "empty": "empty",
    "copied": "their source again",
    "looping": "ending in a loop",
    "unfinished": "cut off by --max_new_tokens",
}

_IDS = List(Value("int32"))


@dataclass(frozen=True)
class Seq2Seq(BaseTask):
    """Any AutoModelForSeq2SeqLM on pairs of a `source` and what it becomes.

    A look at the validation split takes the loss of the target alone, told token by token. A finished model writes a
    text to every row, and is judged by that beside the references as they stand in the data."""

    task: str = "translation"  # which of the names the job has
    max_length: int | None = None  # tokens of a source, special tokens included; None until `for_model`
    max_target_length: int | None = None  # and of a target
    source_prefix: str = ""  # what stands in front of every source
    source_lang: str | None = None  # as the next one the code of a tokenizer that has languages; else of no use here
    target_lang: str | None = None
    label_smoothing_factor: float = 0.0  # share of a target token's weight that all others share, in training
    seed: int = 0  # of what is drawn, where a model draws
    most: int = 0  # validation rows that are written at a look
    pad_token_id: int = 0  # of the tokenizer
    tokenizer: Any = None  # which makes texts of what is written
    writes: bool = False  # texts are written, as a finished model does

    MADE = ("tokenizer", "writes")
    READING = ("max_length", "max_target_length", "source_prefix", "source_lang", "target_lang")

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.task

    @property
    def best_metric(self) -> str:
        """The loss, which every look takes."""
        return "loss"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        check_reads(config.task, data)
        given = {name: getattr(config, name) for name in ("task", *cls.READING, "label_smoothing_factor", "seed")}
        return cls(**given, most=config.max_generate_samples if config.predict_with_generate else 0)

    @staticmethod
    def kept(model_config: PreTrainedConfig) -> dict[str, Any]:
        return {"task": (getattr(model_config, "hfkit", None) or {}).get("task") or "text2text-generation"}

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with the model's limits and the tokenizer, which is told the languages; the config is told `hfkit`.

        Special tokens that stand in a text are read as the text that they are. Raises HfkitError: more tokens are asked
        for than the model has positions, or have no room for text; a language that it does not know; a tokenizer
        without end token, so that no text would ever end."""
        positions = positions_of(model_config)
        for flag in ("max_length", "max_target_length"):
            if positions and (getattr(self, flag) or 0) > positions:
                what = f"The model has {positions} positions"
                raise HfkitError(what, where=f"--{flag} {getattr(self, flag)}", fix=f"--{flag} {positions}")
        if processor.eos_token_id is None:
            fix = "choose a model that writes texts, such as google-t5/t5-small; or set tokenizer.eos_token"
            raise HfkitError("The tokenizer has no end token, so no text would ever end", where="--model", fix=fix)
        settle_tokens(model_config, processor)
        processor.padding_side = processor.init_kwargs["padding_side"] = "right"
        set_languages(processor, self.source_lang, self.target_lang)
        cut = Truncation.settle(self.max_length, "head", 0, False, model_config, processor)
        if cut.max_length is None:
            cut = Truncation.settle(CONTEXT, "head", 0, False, model_config, processor)
        return self.telling(
            model_config,
            max_length=cut.max_length,
            max_target_length=self.max_target_length or cut.max_length,
            pad_token_id=processor.pad_token_id,
            tokenizer=processor,
        )

    def finished(self) -> Self:
        """A copy that writes a text to every row."""
        return replace(self, writes=True)

    def callbacks(self, config: Any, run: Any, encoded: DatasetDict, processor: Any) -> list[Any]:
        """With --predict_with_generate some rows are judged as a finished model is, at every look."""
        from hfkit.training.callbacks.sample import Sample

        return [Sample(self, encoded["validation"], self.most)] if self.most and "validation" in encoded else []

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """The tokens of a split's pairs. Returns a Dataset in the same order with `id`; `input_ids` of the source,
        prefix and special tokens included, and `targets`; `references`, whole; `length`, tokens of both; `truncated`
        and `target_truncated`, whether a side lost some; `unknown`, tokens of the target that the tokenizer does not
        know."""

        def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            found = self.sources(batch["source"], processor)
            targets, cut = self.targets(batch["target"], processor)
            unknown = [ids.count(processor.unk_token_id) for ids in targets]
            length = [len(one) + len(other) for one, other in zip(found["input_ids"], targets, strict=True)]
            told = {"references": batch["references"], "length": length, "truncated": found["truncated"]}
            told |= {"target_truncated": cut, "unknown": unknown}
            return {"id": batch["id"], "input_ids": found["input_ids"], "targets": targets, **told}

        kinds = {"id": Value("string"), "input_ids": _IDS, "targets": _IDS, "references": List(Value("string"))}
        kinds |= {"length": Value("int32"), "truncated": Value("bool"), "target_truncated": Value("bool")}
        if "references" not in dataset.column_names:
            dataset = dataset.add_column("references", [[text] for text in dataset["target"]])
        return mapped(dataset, rows, kinds | {"unknown": Value("int32")})

    def sources(self, texts: list[str], processor: PreTrainedTokenizerBase) -> dict[str, Any]:
        """`input_ids` of texts as the model reads them, the prefix in front; `length`; whether one was `truncated`."""
        return Truncation(self.max_length).encode(processor, [self.source_prefix + text for text in texts])

    def targets(self, texts: list[str], processor: PreTrainedTokenizerBase) -> tuple[list[list[int]], list[bool]]:
        """Token ids of what is to be written, each with an end, and whether some were cut before it."""
        special, end = set(processor.all_special_ids), processor.eos_token_id
        ids, cut = [], []
        whole = processor(text_target=texts, return_attention_mask=False, verbose=False)["input_ids"] if texts else []
        for row in whole:
            tail = next((at for at, token in enumerate(reversed(row)) if token not in special), len(row))
            ending = row[len(row) - tail :] if end in row[len(row) - tail :] else [end]
            said = row[: len(row) - tail]
            room = max(0, (self.max_target_length or len(row) + 1) - len(ending))
            ids.append(said[:room] + ending)
            cut.append(len(said) > room)
        return ids, cut

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """How many sources were cut; `notes` count targets that were, and what the tokenizer does not know of them."""
        rows, length = sum(encoded["truncated"]), self.max_target_length
        cut, unknown = sum(encoded["target_truncated"]), sum(encoded["unknown"])
        notes = [f"{counted(cut, 'target')} learnt up to {length} tokens (--max_target_length)"] if cut else []
        if unknown:
            share = unknown / max(1, sum(map(len, encoded["targets"])))
            notes += [
                f"{share:.2%} of the targets' tokens are unknown to the tokenizer: they can be neither learnt nor said"
            ]
        return {"rows": rows, "share": rows / max(1, len(encoded)), "max_length": self.max_length, "notes": notes}

    def by_example(self, encoded: Dataset, rows: Dataset, predictions: dict[str, Any]) -> dict[str, Any]:
        """The predictions, beside texts that were written the references as they stand in the data."""
        if "prediction" not in predictions:
            return predictions
        references = encoded["references"][:]
        return predictions | {"references": np.fromiter(references, dtype=object, count=len(references))}

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch, both sides filled on the right. Returns `input_ids`, `attention_mask` (rows, source tokens);
        `targets` (rows, target tokens), -100 where nothing is learnt; and `ids`, the rows' names."""
        return {
            "input_ids": padded([one["input_ids"] for one in features], self.pad_token_id),
            "attention_mask": padded([[1] * len(one["input_ids"]) for one in features], 0),
            "targets": padded([one["targets"] for one in features], IGNORED),
            "ids": [one["id"] for one in features],
        }

    def weight(self, batch: dict[str, Any]) -> float:
        """Target tokens."""
        return float((batch["targets"] != IGNORED).sum())

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, Any]
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """The SUM over target tokens of their cross-entropy, each told after the true ones before it; in evaluation of
        each row `nll` (nats) and `tokens`; of a finished model its `prediction` too, the text that it writes, with
        `written` (tokens of that) and `unfinished` (1 where it was cut off)."""
        targets, base = batch["targets"], getattr(model, "module", model)
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        inputs["decoder_input_ids"] = said_before(base, targets)
        logits, kept = model(**inputs, use_cache=False).logits, targets != IGNORED
        logits, wanted = logits[kept].float(), targets[kept]
        if model.training:
            losses = F.cross_entropy(logits, wanted, reduction="sum", label_smoothing=self.label_smoothing_factor)
            return losses, {}
        nats = F.cross_entropy(logits, wanted, reduction="none")
        row = torch.arange(len(targets), device=targets.device)[:, None].expand_as(targets)[kept]
        nll, tokens = nats.new_zeros(len(targets)).index_add(0, row, nats), kept.sum(dim=1)
        found = {"nll": nll, "tokens": tokens}
        return nats.sum(), found | (self.written(base, batch) if self.writes else {})

    def written(self, model: Any, batch: dict[str, Any]) -> dict[str, Any]:
        """What the model writes to each source of a batch."""
        config = settle(GenerationArguments(), model.generation_config, self.tokenizer)
        config.num_return_sequences = 1
        here = batch["attention_mask"].bool()
        sources = [ids[mask].tolist() for ids, mask in zip(batch["input_ids"], here, strict=True)]
        seeds = [seed_of(self.seed, zlib.crc32(one.encode("utf-8", "surrogatepass"))) for one in batch["ids"]]
        found = [one for (one,) in Rewriter(model, self.tokenizer, config).write(sources, seeds)]
        return {
            "prediction": [one.text for one in found],
            "written": torch.tensor([one.tokens for one in found]),
            "unfinished": torch.tensor([int(not one.ended) for one in found]),
        }

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        """Say how many texts are no answers: they are in the run's figures and predictions."""
        shares = {name: one["value"] for name, one in run.metrics.items() if name in OUTPUTS and "value" in one}
        shares["unfinished"] = float(np.mean(table["unfinished"].to_numpy()))
        told = [f"{round(share * len(table)):,} {OUTPUTS[name]}" for name, share in shares.items() if share]
        if told:
            say(f"of {counted(len(table), 'text')} written to test rows: {', '.join(told)}")


def said_before(model: Any, targets: torch.Tensor) -> torch.Tensor:
    """What a decoder has said before each target token, both (rows, tokens). M2M100 and NLLB have no method for it."""
    if own := getattr(model, "prepare_decoder_input_ids_from_labels", None):
        return torch.as_tensor(own(labels=targets))
    found = targets.new_full(targets.shape, model.config.decoder_start_token_id)
    found[:, 1:] = targets[:, :-1].masked_fill(targets[:, :-1] == IGNORED, model.config.pad_token_id)
    return found
