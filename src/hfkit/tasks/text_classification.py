"""Text classification: a text, or a pair of texts, gets one label, several labels, or a number."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict, Features, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.config import TaskArguments
from hfkit.errors import HfkitError
from hfkit.tasks.labels import MULTI, REGRESSION, SINGLE, balanced, encoder, problem_of
from hfkit.tasks.truncation import Truncation

MODEL_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class TextClassification:
    """Any AutoModelForSequenceClassification on one text or a pair.

    Attributes:
        labels: Names in the order of the model's outputs; one name for a regression.
        problem_type: transformers' name for what is learnt, which picks the loss: cross-entropy, binary
            cross-entropy of each label, or mean squared error.
        pair: Rows have a `text_pair` as well.
        max_length: Tokens of a text with its special tokens. None until `for_model` takes the model's limit; it
            stays None where the model has none, and then nothing is cut.
        long_text: What is kept of a longer text: head, tail, head_tail, or all of it in windows.
        stride: Tokens that two neighbouring windows share.
        class_weights: A weight for each label, or None. In multi-label problems it weighs the label's positives.
        label_smoothing: Share of a label's weight that is spread over all classes in training.
        pad_token_id, pad_token_type_id: What fills the shorter rows of a batch.
    """

    labels: list[str]
    problem_type: str = SINGLE
    pair: bool = False
    max_length: int | None = None
    long_text: str = "head"
    stride: int = 128
    class_weights: list[float] | None = None
    label_smoothing: float = 0.0
    pad_token_id: int = 0
    pad_token_type_id: int = 0

    name = "text-classification"
    auto_model = "AutoModelForSequenceClassification"

    @classmethod
    def build(cls, config: TaskArguments, data: DatasetDict) -> Self:
        """See `hfkit.build_task`."""
        train = data["train"]
        problem, labels = problem_of(train.features["label"], config.problem_type)
        pair = "text_pair" in train.column_names
        if pair and config.long_text == "windows":
            raise HfkitError(
                "Windows are for single texts: these rows are pairs.",
                where="--long_text windows",
                fix="choose head, tail or head_tail, which shorten the longer text of a pair first",
            )
        if config.label_smoothing_factor and problem != SINGLE:
            raise HfkitError(
                f"Label smoothing spreads one label over the others; this is a {problem} problem.",
                where=f"--label_smoothing_factor {config.label_smoothing_factor}",
            )
        return cls(
            labels=labels,
            problem_type=problem,
            pair=pair,
            max_length=config.max_length,
            long_text=config.long_text,
            stride=config.stride,
            class_weights=balanced(train, problem, len(labels)) if config.class_weights == "balanced" else None,
            label_smoothing=config.label_smoothing_factor,
        )

    @classmethod
    def from_model(cls, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """The task that a saved model was trained for, read from its config; for any other model, head truncation."""
        saved = getattr(model_config, "hfkit", None) or {}
        problem = model_config.problem_type or (REGRESSION if model_config.num_labels == 1 else SINGLE)
        labels = _label_names(model_config)
        kept = {key: saved[key] for key in ("max_length", "long_text", "stride") if key in saved}
        return cls(labels=labels, problem_type=problem, **kept).for_model(model_config, processor)

    @property
    def primary_metric(self) -> str:
        """accuracy; for multi-label f1_macro; for regression mse."""
        return {SINGLE: "accuracy", MULTI: "f1_macro", REGRESSION: "mse"}[self.problem_type]

    @property
    def greater_is_better(self) -> bool:
        return self.problem_type != REGRESSION

    @property
    def truncated(self) -> Truncation:
        """How texts become token ids."""
        return Truncation(self.max_length, self.long_text, self.stride)

    def settings(self) -> dict[str, Any]:
        """All fields as JSON, with the task's name."""
        return {"name": self.name, **asdict(self)}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """The task that `settings` came from."""
        return cls(**{key: value for key, value in settings.items() if key != "name"})

    def model_kwargs(self) -> dict[str, Any]:
        """Fields of the model's config. `hfkit` is what plain transformers does not know: how long texts are read."""
        return {
            "num_labels": len(self.labels),
            "id2label": dict(enumerate(self.labels)),
            "label2id": {label: index for index, label in enumerate(self.labels)},
            "problem_type": self.problem_type,
            "hfkit": self._reading(),
        }

    def _reading(self) -> dict[str, Any]:
        return {"task": self.name, "max_length": self.max_length, "long_text": self.long_text, "stride": self.stride}

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with the labels in the model's order (matched by name), and the model's limit and padding.

        Both arguments are told what was settled, because both are saved: the config gets `hfkit`, and the tokenizer
        `model_max_length` and `truncation_side`, so that plain `transformers.pipeline(..., truncation=True)` keeps the
        same head or tail. A tokenizer without a padding token pads with its end token.

        Raises:
            HfkitError: `max_length` is above what the model can read, or too small for a text and its windows.
        """
        if processor.pad_token_id is None:
            processor.pad_token = processor.eos_token
        if model_config.pad_token_id is None:
            model_config.pad_token_id = processor.pad_token_id
        reading = Truncation.settle(self.max_length, self.long_text, self.stride, self.pair, model_config, processor)
        own = {label.strip().casefold(): label for label in self.labels}
        theirs = [label.strip().casefold() for label in _label_names(model_config)]
        labels = [own[name] for name in theirs] if sorted(theirs) == sorted(own) else self.labels
        weights = dict(zip(self.labels, self.class_weights, strict=True)) if self.class_weights else None
        task = replace(
            self,
            labels=labels,
            class_weights=[weights[label] for label in labels] if weights else None,
            max_length=reading.max_length,
            pad_token_id=processor.pad_token_id,
            pad_token_type_id=processor.pad_token_type_id,
        )
        model_config.hfkit = {**(getattr(model_config, "hfkit", None) or {}), **task._reading()}
        return task

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """Token ids and labels of a split.

        Returns:
            A Dataset in the same order with `id`, `input_ids` (a list of numbers; of lists for windows),
            `token_type_ids` where the tokenizer makes them, `length` (tokens, of all windows together), `truncated`
            (something was cut off) and, where the split has labels, `labels`: the model's id of the label, found by
            name; zeros and ones for every label in a multi-label problem; a number in a regression.

        Raises:
            HfkitError: the split has a label that the task does not know.
        """
        labelled = "label" in dataset.column_names
        to_id = encoder(dataset.features["label"], self.labels, self.problem_type) if labelled else None

        def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            encoded = self.truncated.encode(processor, batch["text"], batch.get("text_pair"))
            if to_id:
                encoded["labels"] = [to_id(label) for label in batch["label"]]
            return {"id": batch["id"], **encoded}

        ids = List(Value("int32"))
        features = {"id": Value("string"), "input_ids": List(ids) if self.long_text == "windows" else ids}
        if "token_type_ids" in processor.model_input_names:
            features["token_type_ids"] = features["input_ids"]
        features |= {"length": Value("int32"), "truncated": Value("bool")}
        if labelled:
            kinds = {SINGLE: Value("int64"), MULTI: List(Value("int8")), REGRESSION: Value("float32")}
            features["labels"] = kinds[self.problem_type]
        if "id" not in dataset.column_names:
            dataset = dataset.add_column("id", [str(row) for row in range(len(dataset))])
        return dataset.map(
            rows, batched=True, remove_columns=dataset.column_names, features=Features(features), desc="Reading texts"
        )

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """Of an encoded split: `rows` that lost tokens, their `share`, and the setting that cut them."""
        cut = sum(encoded["truncated"][:])
        share = cut / max(len(encoded), 1)
        return {"rows": cut, "share": share, "max_length": self.max_length, "long_text": self.long_text}

    def collate(self, features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch, padded on the right to its longest row.

        Returns:
            `input_ids`, `attention_mask` and perhaps `token_type_ids` of shape (rows, tokens), `labels` where there
            are any. With windows the shape is (windows, tokens) and `window_of` (windows,) holds each one's row.
        """
        batch: dict[str, torch.Tensor] = {}
        ids = [feature["input_ids"] for feature in features]
        types = [feature["token_type_ids"] for feature in features if "token_type_ids" in feature]
        if self.long_text == "windows":
            batch["window_of"] = torch.tensor([row for row, windows in enumerate(ids) for _ in windows])
            ids = [window for windows in ids for window in windows]
            types = [window for windows in types for window in windows]
        batch["input_ids"] = _padded(ids, self.pad_token_id)
        batch["attention_mask"] = _padded([np.ones(len(row), dtype=np.int64) for row in ids], 0)
        if types:
            batch["token_type_ids"] = _padded(types, self.pad_token_type_id)
        if "labels" in features[0]:
            dtype = torch.int64 if self.problem_type == SINGLE else torch.float32
            batch["labels"] = torch.tensor(np.array([feature["labels"] for feature in features]), dtype=dtype)
        return batch

    def weight(self, batch: dict[str, torch.Tensor]) -> float:
        """Rows; with class weights in a single-label problem, the sum of the weights of the rows' labels."""
        labels = batch["labels"]
        if self.class_weights is None or self.problem_type != SINGLE:
            return float(len(labels))
        return float(torch.tensor(self.class_weights, device=labels.device)[labels].sum())

    def logits(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """(rows, labels) in float32. A text in windows gets the mean of its windows' logits.

        Training and the pipeline both come through here, so that a text is read the same way in both. The mean is
        over logits, not probabilities: a window that is sure counts for more than one that is not.
        """
        logits = model(**{key: batch[key] for key in MODEL_INPUTS if key in batch}).logits.float()
        if "window_of" not in batch:
            return logits
        window_of = batch["window_of"]
        counts = torch.bincount(window_of)
        sums = logits.new_zeros(len(counts), logits.shape[1]).index_add(0, window_of, logits)
        return sums / counts[:, None]

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss to learn from, and what the model says of each row.

        Returns:
            The SUM over rows of the loss, with class weights and (while the model trains) label smoothing: a float32
            scalar that, divided by the sum of `weight`, is the mean loss of any number of batches. And a dict of
            tensors with a row per example: `prediction` (the label's id; zeros and ones; the number),
            `probabilities` (rows, labels) unless it is a regression, `loss` without weights or smoothing.
        """
        logits, labels = self.logits(model, batch), batch["labels"]
        weights = torch.tensor(self.class_weights, device=logits.device) if self.class_weights else None
        detached = logits.detach()
        if self.problem_type == SINGLE:
            smoothing = self.label_smoothing if model.training else 0.0
            loss = F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing, reduction="sum")
            rows = F.cross_entropy(detached, labels, reduction="none")
        elif self.problem_type == MULTI:
            entropy = F.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights, reduction="none")
            loss = entropy.mean(dim=1).sum()
            rows = F.binary_cross_entropy_with_logits(detached, labels, reduction="none").mean(dim=1)
        else:
            loss = F.mse_loss(logits.squeeze(1), labels, reduction="sum")
            rows = (detached.squeeze(1) - labels) ** 2
        return loss, {**self.predictions(detached), "loss": rows}

    def predictions(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits (rows, labels) -> `prediction`, and `probabilities` unless it is a regression."""
        if self.problem_type == REGRESSION:
            return {"prediction": logits.squeeze(1)}
        if self.problem_type == MULTI:
            probabilities = logits.sigmoid()
            return {"prediction": (probabilities >= 0.5).to(torch.int8), "probabilities": probabilities}
        return {"prediction": logits.argmax(dim=1), "probabilities": logits.softmax(dim=1)}

    def metrics(self, predictions: dict[str, np.ndarray]) -> dict[str, float]:
        """`loss` (the rows' mean) and the figures of `hfkit.metrics` for the problem type.

        Args:
            predictions: Arrays with a row per example: `label`, `prediction`, `loss`, and `probabilities` unless it is
                a regression.
        """
        from hfkit.metrics import figures

        said = (predictions["label"], predictions["prediction"], predictions.get("probabilities"))
        return {"loss": float(np.mean(predictions["loss"])), **figures(self.problem_type, *said)}


def _label_names(model_config: PreTrainedConfig) -> list[str]:
    """Names in the order of the model's outputs; a config read from JSON may hold the numbers as text."""
    return [str(name) for _, name in sorted((model_config.id2label or {}).items(), key=lambda item: int(item[0]))]


def _padded(rows: list[Any], fill: int) -> torch.Tensor:
    """(rows, longest) of int64, short rows filled on the right."""
    padded = np.full((len(rows), max(len(row) for row in rows)), fill, dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)
