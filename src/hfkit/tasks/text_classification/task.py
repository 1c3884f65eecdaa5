"""Text classification: a text, or a pair of texts, gets one label, several labels, or a number."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from datasets import Dataset, DatasetDict, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.labels.problem import SINGLE
from hfkit.data.text.truncation import MODEL_INPUTS, Truncation
from hfkit.data.text.windows import padded
from hfkit.tasks.base import Tensors, mapped
from hfkit.tasks.classification import Classification
from hfkit.tasks.text_classification.config import Config
from hfkit.tasks.text_classification.few_shot import Head, pair_loss
from hfkit.tasks.texts import TextTask, means, settle_tokens


@dataclass(frozen=True)
class TextClassification(TextTask, Classification):
    """Any AutoModelForSequenceClassification on one text or a pair."""

    labels: list[str]  # in the order of the model's outputs; one name for a regression
    # transformers' name for what is learnt: cross-entropy, binary cross-entropy of each label, or `regression_loss`
    problem_type: str = SINGLE
    pair: bool = False  # rows have a `text_pair` as well
    # Tokens of a text with its special tokens. Until `for_model` takes the model's limit, and without one, None: no cut
    max_length: int | None = None
    long_text: str = "head"  # what is kept of a longer text: head, tail, head_tail, or all of it in windows
    stride: int = 128  # tokens that two neighbouring windows share
    class_weights: list[float] | None = None  # for each label; in multi-label problems of the label's positives
    label_smoothing: float = 0.0  # share of a label's weight that is spread over all classes in training
    regression_loss: str = "mse"  # mse or mae: what a regression learns to make small
    pad_token_id: int = 0  # what fills the shorter rows of a batch
    pad_token_type_id: int = 0
    # The side that is filled, left or right; or none, for a model whose answer to a text depends on what fills its row:
    # then rows of one length are computed together.
    padding: str = "right"
    few_shot: str = "none"  # contrastive: what the encoder learns is which texts have the same label

    calibration: dict[str, Any] | None = None  # what `hfkit calibrate` chose

    READING = ("max_length", "long_text", "stride", "padding", "calibration")
    name = "text-classification"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        train = data["train"]
        learnt = cls.learnt(config, train)
        pair = "text_pair" in train.column_names
        if pair and config.long_text == "windows":
            what = "Windows are for single texts: these rows are pairs."
            fix = "choose head, tail or head_tail, which shorten the longer text of a pair first"
            raise HfkitError(what, where="--long_text windows", fix=fix)
        if config.few_shot != "none" and learnt["problem_type"] != SINGLE:
            what = f"Few-shot learning asks whether two texts have the same label; this is a {learnt['problem_type']}."
            raise HfkitError(what, where="--few_shot", fix="drop the flag")
        asked = {name: getattr(config, name) for name in ("max_length", "long_text", "stride", "few_shot")}
        return cls(**learnt, pair=pair, **asked)

    @property
    def joint(self) -> bool:  # type: ignore[override]
        """Whether the rows of an update are held against each other."""
        return self.few_shot != "none"

    def callbacks(self, config: Any, run: Any, encoded: DatasetDict, processor: Any) -> list[Any]:
        """The head, where the loss leaves it alone."""
        return [Head(self, encoded["train"])] if self.joint else []

    def represent(self, model: torch.nn.Module, batch: Tensors) -> tuple[torch.Tensor, Tensors]:
        """The means of the token vectors, (rows, size), and their labels."""
        inputs = {key: batch[key] for key in MODEL_INPUTS if key in batch}
        rows, parts = zip(*self.parts(inputs), strict=True)
        vectors = torch.cat([model(**part).pooled for part in parts])[torch.cat(rows).argsort()]
        return vectors, {"labels": batch["labels"]}

    def joint_loss(self, parts: list[tuple[torch.Tensor, Tensors]]) -> torch.Tensor:
        """See `pair_loss`."""
        vectors, labels = zip(*((found, beside["labels"]) for found, beside in parts), strict=True)
        return pair_loss(torch.cat(vectors), torch.cat(labels))

    @property
    def truncated(self) -> Truncation:
        """How texts become token ids."""
        return Truncation(self.max_length, self.long_text, self.stride)

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with the labels in the model's order (matched by name), and the model's limit and padding. Both
        arguments are told what was settled, because both are saved: the tokenizer's `model_max_length` and
        `truncation_side` have plain `transformers.pipeline(..., truncation=True)` keep the same head or tail. Raises
        HfkitError: `max_length` is above what the model can read, or too small for a text and its windows."""
        settle_tokens(model_config, processor)
        reading = Truncation.settle(self.max_length, self.long_text, self.stride, self.pair, model_config, processor)
        labels, weights = self.in_order_of(model_config)
        tokens = {"max_length": reading.max_length, "pad_token_type_id": processor.pad_token_type_id}
        return self.fitted(model_config, processor, labels=labels, class_weights=weights, **tokens)

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """Token ids and labels of a split, in the same order: `id`, `input_ids` (a list of numbers; of lists for
        windows), `token_type_ids` where the tokenizer makes them, `length` (tokens, of all windows together),
        `truncated` (something was cut off) and, where the split has labels, `labels`, see `label_ids`. Raises
        HfkitError: a label is unknown."""
        labels, kind = self.label_ids(dataset) if "label" in dataset.column_names else (None, None)

        def rows(batch: dict[str, list[Any]], places: list[int]) -> dict[str, list[Any]]:
            encoded = self.truncated.encode(processor, batch["text"], batch.get("text_pair"))
            if labels is not None:
                encoded["labels"] = [labels[place] for place in places]
            return {"id": batch["id"], **encoded}

        ids = List(Value("int32"))
        features = {"id": Value("string"), "input_ids": List(ids) if self.long_text == "windows" else ids}
        if "token_type_ids" in processor.model_input_names:
            features["token_type_ids"] = features["input_ids"]
        features |= {"length": Value("int32"), "truncated": Value("bool")}
        if kind is not None:
            features["labels"] = kind
        return mapped(dataset, rows, features, places=True)

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """Of an encoded split: `rows` that lost tokens, their `share`, and the setting that cut them."""
        cut = sum(encoded["truncated"][:])
        share = cut / max(len(encoded), 1)
        return {"rows": cut, "share": share, "max_length": self.max_length, "long_text": self.long_text}

    def collate(self, features: list[dict[str, Any]]) -> Tensors:
        """One batch, padded to its longest row: `input_ids`, `attention_mask` and perhaps `token_type_ids` of shape
        (rows, tokens), `labels` where there are any. With windows the shape is (windows, tokens) and `window_of`
        (windows,) holds each one's row."""
        batch: Tensors = {}
        ids = [feature["input_ids"] for feature in features]
        types = [feature["token_type_ids"] for feature in features if "token_type_ids" in feature]
        if self.long_text == "windows":
            batch["window_of"] = torch.tensor([row for row, windows in enumerate(ids) for _ in windows])
            ids = [window for windows in ids for window in windows]
            types = [window for windows in types for window in windows]
        left = self.padding == "left"
        batch["input_ids"] = padded(ids, self.pad_token_id, left)
        batch["attention_mask"] = padded([[1] * len(row) for row in ids], 0, left)
        if types:
            batch["token_type_ids"] = padded(types, self.pad_token_type_id, left)
        if "labels" in features[0]:
            batch["labels"] = self.label_batch(features)
        return batch

    def logits(self, model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
        """(rows, labels) in float32, in training and in the pipeline. A text in windows gets the mean of its windows'
        logits, not probabilities: a window that is sure counts for more than one that is not."""
        inputs = {key: batch[key] for key in MODEL_INPUTS if key in batch}
        rows, parts = zip(*self.parts(inputs), strict=True)
        logits = torch.cat([model(**part).logits for part in parts])[torch.cat(rows).argsort()].float()
        return means(logits, torch.bincount(batch["window_of"])) if "window_of" in batch else logits
