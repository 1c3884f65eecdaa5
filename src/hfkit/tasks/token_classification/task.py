"""Token classification: each word of a text gets a tag."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import ClassLabel, Dataset, DatasetDict, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.atomic import write_json
from hfkit.base.errors import HfkitError
from hfkit.data.labels.names import ids_of
from hfkit.data.tables.table import counted
from hfkit.data.text.special_tokens import space_before_words
from hfkit.data.text.truncation import limit
from hfkit.data.text.windows import IGNORED, padded
from hfkit.tasks.base import Tensors, mapped
from hfkit.tasks.classification import in_order_of, label_names, named
from hfkit.tasks.texts import AT_ONCE, TextTask, means, settle_tokens
from hfkit.tasks.token_classification.config import Config
from hfkit.tasks.token_classification.errors import by_training
from hfkit.tasks.token_classification.words.schemes import has_scheme, scheme_of_labels
from hfkit.tasks.token_classification.words.windows import Reader, apart, firsts, targets

_IDS = List(Value("int32"))


@dataclass(frozen=True)
class TokenClassification(TextTask):
    """Any AutoModelForTokenClassification on the words of a text.

    Words are judged, not pieces: what the model says of a word's first piece. No word is ever lost, see `Reader`."""

    labels: list[str]  # the tags in the order of the model's outputs: `O`, `B-X`, `I-X` of names, or any tags
    # Pieces of a window with its special tokens. Until `for_model` takes the model's limit, and without one, None.
    max_length: int | None = None
    stride: int | None = None  # pieces that two windows of a text share; None: a quarter of a window
    label_all_pieces: bool = False  # the other pieces of a word learn its tag too (`I-X` where the first has `B-X`)
    scheme: str = "iob2"  # of the labels; iob2 or plain where it was trained here, else as `scheme_of_labels` has it
    pad_token_id: int = 0  # what fills the shorter windows of a batch
    padding: str = "right"  # on which side

    READING = ("max_length", "stride", "scheme", "padding")
    name = "token-classification"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        feature = data["train"].features.get("label")
        if not isinstance(getattr(feature, "feature", None), ClassLabel) or "tokens" not in data["train"].column_names:
            what = f"A tagger learns tokens and their tags, and the rows have {', '.join(data['train'].column_names)}"
            raise HfkitError(what, fix="load them with hfkit.load_data(..., task='token-classification')")
        labels = list(feature.feature.names)
        scheme = "iob2" if has_scheme(labels) else "plain"
        return cls(labels, config.max_length, config.stride, config.label_all_pieces, scheme)

    @staticmethod
    def kept(model_config: PreTrainedConfig) -> dict[str, Any]:
        labels = label_names(model_config)
        return {"labels": labels, "scheme": scheme_of_labels(labels)}

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        """How many names are found of those that training showed, and of others."""
        write_json(run.path / "names.json", by_training(data["train"], table, self.labels))

    @property
    def classes(self) -> list[str]:
        return self.labels

    def model_kwargs(self) -> dict[str, Any]:
        return named(self.labels) | {"hfkit": self.reading()}

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with the tags in the model's order (matched by name), its limit and its padding. See `settle_tokens`;
        and words are given a space before them where the tokenizer marks words by one. Raises HfkitError: `max_length`
        is above what the model can read; and what `Reader` refuses."""
        settle_tokens(model_config, processor)
        space_before_words(processor)
        length = limit(self.max_length, model_config, processor)
        Reader(processor, length, self.stride)
        return self.fitted(model_config, processor, labels=in_order_of(self.labels, model_config), max_length=length)

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """The windows of a split's texts, in the same order: `id`, `input_ids` and `words`, a list of numbers for each
        window (`words` as in `Window`), `length` (pieces, of all windows), `truncated` (never), `count` of words and,
        where the split has tags, `labels`, see `tag_ids`. Raises HfkitError: a tag is unknown."""
        reader = Reader(processor, self.max_length, self.stride)
        ids = self.tag_ids(dataset.features["label"]) if "label" in dataset.column_names else None

        def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            found = {"id": batch["id"], **reader.columns(batch["tokens"]), "truncated": [False] * len(batch["id"])}
            return found | ({} if ids is None else {"labels": [[ids[tag] for tag in tags] for tags in batch["label"]]})

        features = {"id": Value("string"), "input_ids": List(_IDS), "words": List(_IDS), "length": Value("int32")}
        features |= {"truncated": Value("bool"), "count": Value("int32")} | ({} if ids is None else {"labels": _IDS})
        return mapped(dataset, rows, features)

    def tag_ids(self, feature: Any) -> list[int]:
        """The model's id of each tag of a data set, by name."""
        return ids_of(feature.feature.names, self.labels, "tags")

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """Nothing is cut; `notes` count the texts that are read in windows."""
        longer = sum(len(windows) > 1 for windows in encoded["input_ids"])
        said = f"{counted(longer, 'text')} of more than {self.max_length} tokens: read in overlapping windows, whole"
        return {"rows": 0, "share": 0.0, "max_length": self.max_length, "notes": [said] if longer else []}

    def to_train(self, encoded: Dataset) -> Dataset:
        """Each window a row, with the tags of the words that are answered in it: a batch holds no more than it says."""
        if all(len(windows) == 1 for windows in encoded["input_ids"]):
            return encoded
        rows = [row for text in encoded for row in apart(text)]
        return Dataset.from_list(rows, features=encoded.features)

    def collate(self, features: list[dict[str, Any]]) -> Tensors:
        """One batch, padded to its longest window: `input_ids`, `attention_mask` (windows, pieces); `words` (windows,
        pieces), at the first piece of each word that is answered there its number among all words of the batch, else
        -1; `counts` (rows,) words of each row. Where there are tags, `targets` (windows, pieces), what is learnt, and
        `tags` (words,)."""
        starts = np.cumsum([0, *(feature["count"] for feature in features)])
        windows = [
            (ids, words, row)
            for row, feature in enumerate(features)
            for ids, words in zip(feature["input_ids"], feature["words"], strict=True)
        ]
        ids = [window for window, *_ in windows]
        answered = [firsts(words, int(starts[row])) for _, words, row in windows]
        left = self.padding == "left"
        batch = {
            "input_ids": padded(ids, self.pad_token_id, left),
            "attention_mask": padded([[1] * len(window) for window in ids], 0, left),
            "words": padded(answered, -1, left),
            "counts": torch.tensor([feature["count"] for feature in features]),
        }
        if "labels" in features[0]:
            how = self.labels, self.label_all_pieces
            learnt = [targets(words, features[row]["labels"], *how) for _, words, row in windows]
            batch["targets"] = padded(learnt, IGNORED, left)
            batch["tags"] = torch.tensor([tag for feature in features for tag in feature["labels"]])
        return batch

    def weight(self, batch: Tensors) -> float:
        """Pieces that are learnt."""
        return float((batch["targets"] != IGNORED).sum())

    def loss_and_predictions(self, model: torch.nn.Module, batch: Tensors) -> tuple[torch.Tensor, dict[str, Any]]:
        """The SUM over pieces of the model's loss; and in evaluation of each row `prediction`, the tags of its words,
        and `loss`, the mean over them of minus the log of the probability of the right tag."""
        if model.training:
            inputs = {"labels": batch["targets"]} | {name: batch[name] for name in ("input_ids", "attention_mask")}
            learnt = [(part, int((part["labels"] != IGNORED).sum())) for _, part in self.parts(inputs)]
            return torch.stack([model(**part).loss.float() * count for part, count in learnt if count]).sum(), {}
        logits, tags = self.answers(model, batch)
        losses = F.cross_entropy(logits, batch["tags"], reduction="none")
        tags_of_rows = list(tags.split(batch["counts"].tolist()))
        return losses.sum(), {"prediction": tags_of_rows, "loss": means(losses, batch["counts"])}

    def answers(self, model: torch.nn.Module, batch: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
        """What the model says of each word of a batch: logits (words, labels) in float32, and the tags (words,): the
        likeliest of each word, or what a model that tells whole sequences (a CRF) decodes."""
        decode = getattr(getattr(model, "get_base_model", lambda: model)(), "decode", None)
        logits = torch.zeros(int(batch["counts"].sum()), len(self.labels), device=batch["words"].device)
        tags = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "words")}
        for _, part in self.parts(inputs, AT_ONCE):
            words = part.pop("words")
            here = words >= 0
            part |= {} if decode is None else {"word_starts": here}
            told = model(**part).logits[here].float()
            logits[words[here]] = told
            tags[words[here]] = told.argmax(dim=1) if decode is None else decode(**part)[here]
        return logits, tags
