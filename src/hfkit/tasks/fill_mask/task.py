"""Fill-mask: a model that sees both sides of a hidden word learns to say it."""

import math
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import counted
from hfkit.data.text.special_tokens import keep_pieces_apart
from hfkit.data.text.truncation import around, limit
from hfkit.data.text.windows import IGNORED, padded
from hfkit.tasks.base import check_reads, mapped
from hfkit.tasks.fill_mask.config import Config
from hfkit.tasks.fill_mask.words import NONE, Asked, cut, numbered, read_words, shown, some, text_of, told, windows_of
from hfkit.tasks.texts import TextTask, added_up, check_fast, rows_of

CONTEXT = 512  # tokens of a window where neither --max_length nor the model says
BYTE = math.log(256)  # nats that a byte takes which an unknown token stands for: nobody has told it by that token

_IDS = List(Value("int32"))


@dataclass(frozen=True)
class FillMask(TextTask):
    """Any AutoModelForMaskedLM on texts.

    Texts are read whole, in windows side by side, and no window shows two texts. What is judged are words, all of whose
    pieces are hidden behind mask tokens; which words is decided by (seed, row) and the text, never by the tokenizer."""

    max_length: int | None = None  # tokens of a window with its special tokens; None until `for_model`
    mask_probability: float = 0.15  # share of the words that are hidden
    whole_words: bool = True  # in training words are hidden whole; false: piece by piece
    seed: int = 0  # in training what is hidden is a function of (seed, epoch, row)
    hiding_seed: int = 0  # and of (hiding_seed, row) and the text where a model is judged: the data's, not the run's
    mask_token_id: int = 0  # of the tokenizer, as the next four
    pad_token_id: int = 0
    vocab_size: int = 0
    before: list[int] = field(default_factory=list)  # special tokens around a text
    after: list[int] = field(default_factory=list)
    padding: str = "right"  # the side that is filled, or none where the model reads padding

    READING = ("max_length", "padding")
    name = "fill-mask"
    problem_type = "masked_language_modeling"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        check_reads(cls.name, data)
        return cls(config.max_length, config.mask_probability, config.whole_words, config.seed, config.data_seed)

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        """What the model says of hidden words in some test texts."""
        from hfkit.tasks.fill_mask.guesses import keep

        keep(run.path, self, processor, model, data["test"], encoded["test"])

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with the model's limit and special tokens; the config is told `hfkit`. Raises HfkitError: `max_length`
        is above what the model can read or has no room for a word; the tokenizer has no mask token, or cannot say where
        its tokens stand in a text."""
        if processor.mask_token_id is None:
            what = "The tokenizer has no mask token: the model was not made to say hidden words"
            fix = "choose a masked language model, such as google-bert/bert-base-uncased"
            raise HfkitError(what, where="--model", fix=fix)
        check_fast(processor)
        keep_pieces_apart(processor)
        saved = getattr(model_config, "hfkit", None) or {}
        length, (before, after) = limit(self.max_length, model_config, processor) or CONTEXT, around(processor)
        if length <= len(before) + len(after):
            what = "No word fits beside the special tokens."
            raise HfkitError(what, where=f"--max_length {length}", fix="64 or more")
        return self.telling(
            model_config,
            max_length=length,
            mask_token_id=processor.mask_token_id,
            pad_token_id=processor.pad_token_id or 0,
            vocab_size=len(processor),
            before=before,
            after=after,
            padding=saved.get("padding") or processor.padding_side,
        )

    @property
    def around(self) -> int:
        """Special tokens of a window; the rest has room for text."""
        return len(self.before) + len(self.after)

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """The tokens of a split's texts, and the words that they belong to. Returns a Dataset in the same order with
        `id`; `input_ids` without special tokens; `words`, of each token the number of its word, or -1; `unknown`, the
        bytes that an unknown token stands for, else 0; of each word `units`, the number that it goes by (words that
        share a token have one), and `sizes`, its bytes; `length`, tokens; `truncated`, always false."""

        def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            each = [{name: values[place] for name, values in batch.items()} for place in range(len(batch["id"]))]
            return {"id": batch["id"], **read_words([text_of(row) for row in each], processor)}

        features = {"id": Value("string"), "input_ids": _IDS, "words": _IDS, "unknown": _IDS, "units": _IDS}
        features |= {"sizes": _IDS, "length": Value("int32"), "truncated": Value("bool")}
        return mapped(dataset, rows, features)

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """Nothing is cut; `notes` count the texts without a word that could be hidden."""
        empty = sum(not sizes for sizes in encoded["sizes"][:])
        notes = [f"{counted(empty, 'text')} without a word: nothing is learnt from them"] if empty else []
        return {"rows": 0, "share": 0.0, "max_length": self.max_length, "long_text": "windows", "notes": notes}

    def to_train(self, encoded: Dataset) -> Dataset:
        """Windows of the texts, those without a word left out: `id`, `input_ids`, `words`, `length`."""
        names = encoded["id"][:]
        rows = [
            (names[row], ids, words, len(ids) + self.around)
            for row, ids, words, _ in cut(encoded, (self.max_length or CONTEXT) - self.around)
            if (words != NONE).any()
        ]
        return some(windows_of(("id", "input_ids", "words", "length"), rows))

    def to_evaluate(self, encoded: Dataset) -> Dataset:
        """See `asked`; a split without any word is refused."""
        return some(self.asked(encoded))

    def asked(self, encoded: Dataset, first: int = 0) -> Dataset:
        """Windows with hidden words, of a split or of its rows from `first` on: `document`, the row; `input_ids`,
        `words`, `length`; `hidden`, the words' numbers; `weights`, for how many of the text's words each stands (0
        where a window before began it), `sayable` the same but 0 for one with an unknown token; their `bytes`, and
        those that are `spelled`, because no token or an unknown one stands for them."""
        columns = ("document", "input_ids", "words", "hidden", "weights", "sayable", "bytes", "spelled", "length")
        read = zip(*(encoded[name][:] for name in ("units", "sizes", "words")), strict=True)
        texts = [
            Asked(units, sizes, tokens, self.mask_probability, self.hiding_seed, at)
            for at, (units, sizes, tokens) in enumerate(read, first)
        ]
        rows = [
            (row, ids, words, *of, len(ids) + self.around)
            for row, ids, words, unknown in cut(encoded, (self.max_length or CONTEXT) - self.around)
            if (of := texts[row].of_window(words, unknown)) is not None
        ]
        return windows_of(columns, rows)

    by_example = added_up

    def read(self, dataset: Dataset, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Windows with what the model sees, `input_ids`, and what it has to say there, `targets`, special tokens
        around; in evaluation `group`, at each hidden token the number of its word among those hidden."""
        found = []
        for row, feature in zip(rows, super().read(dataset, rows, epoch), strict=True):
            ids, words = (np.asarray(feature.pop(name), dtype=np.int64) for name in ("input_ids", "words"))
            if epoch is None:
                group = numbered(words, feature.pop("hidden"))
                here = group != NONE
                seen = np.where(here, self.mask_token_id, ids)
                feature["group"] = self._around(group, NONE)
            else:
                units = words if self.whole_words else np.where(words == NONE, NONE, np.arange(len(words)))
                key = [self.seed, epoch, row]
                seen, here = shown(ids, units, self.mask_token_id, self.vocab_size, self.mask_probability, key)
            targets = self._around(np.where(here, ids, IGNORED), IGNORED)
            found.append(feature | {"input_ids": [*self.before, *seen, *self.after], "targets": targets})
        return found

    def _around(self, values: np.ndarray, fill: int) -> list[int]:
        return [fill] * len(self.before) + values.tolist() + [fill] * len(self.after)

    def collate(self, features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch, padded to its longest window. Returns `input_ids`, `attention_mask`, `targets` (windows, tokens).
        In evaluation `group` (windows, tokens), the number of a hidden token's word in the batch, else -1; `weights`
        and `sayable` of these words; `counts` of them, their `bytes`, and those that are `spelled`, (windows,)."""
        left = self.padding == "left"
        batch = {
            "input_ids": padded([one["input_ids"] for one in features], self.pad_token_id, left),
            "attention_mask": padded([[1] * len(one["input_ids"]) for one in features], 0, left),
            "targets": padded([one["targets"] for one in features], IGNORED, left),
        }
        if "group" in features[0]:
            counts = [len(one["weights"]) for one in features]
            starts = zip(features, np.cumsum([0, *counts]).tolist(), strict=False)
            places = [[at if at == NONE else at + start for at in one["group"]] for one, start in starts]
            batch["group"], batch["counts"] = padded(places, NONE, left), torch.tensor(counts)
            for name in ("weights", "sayable"):
                batch[name] = torch.tensor([number for one in features for number in one[name]])
            for name in ("bytes", "spelled"):
                batch[name] = torch.tensor([one[name] for one in features])
        return batch

    def weight(self, batch: dict[str, torch.Tensor]) -> float:
        """Tokens that are learnt."""
        return float((batch["targets"] != IGNORED).sum())

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The sum of the losses of all hidden tokens, and in evaluation of each window the sums that its metrics read:
        nats, those that are spelled byte by byte, tokens, words, those of which every token is told right, bytes."""
        targets = batch["targets"]
        kept = targets != IGNORED
        logits, wanted = self.logits(model, batch), targets[kept]
        losses = F.cross_entropy(logits, wanted, reduction="none")
        if model.training:
            return losses.sum(), {}
        row = torch.arange(len(targets), device=targets.device)[:, None].expand_as(targets)[kept]
        zeros = losses.new_zeros(len(targets))
        told = (logits.argmax(dim=-1) == wanted).float()
        right = told.new_ones(len(batch["weights"])).scatter_reduce(0, batch["group"][kept], told, "amin")
        word_row, spelled = rows_of(batch["counts"]), BYTE * batch["spelled"]
        return losses.sum(), {
            "nll": zeros.index_add(0, row, losses.detach()) + spelled,
            "spelled": spelled,
            "tokens": kept.sum(dim=1),
            "words": zeros.index_add(0, word_row, batch["weights"].float()),
            "right": zeros.index_add(0, word_row, right * batch["sayable"]),
            "bytes": batch["bytes"],
        }

    def logits(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """(hidden tokens, vocabulary) in float32, in the order in which they stand in `targets`."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "targets")}
        found, order = [], []
        for rows, part in self.parts(inputs):
            kept = part.pop("targets") != IGNORED
            found.append(told(model, part, kept).float())
            order.append(rows.repeat_interleave(kept.sum(1)))
        if len(found) == 1:  # without a copy of it
            return found[0]
        return torch.cat(found)[torch.cat(order).argsort(stable=True)]
