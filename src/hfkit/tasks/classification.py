"""Classification: what learning labels means, whatever is labelled: the loss and the answers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset, List, Value
from transformers import PreTrainedConfig

from hfkit.base.errors import HfkitError
from hfkit.config import LabelArguments
from hfkit.data.labels.problem import MULTI, REGRESSION, SINGLE, balanced, encoder, problem_of
from hfkit.evaluation.confidence.scaling import scaled
from hfkit.evaluation.confidence.thresholds import decided
from hfkit.tasks.base import BaseTask, Tensors


class Classification(BaseTask):
    """What the tasks of one label, several labels or a number share; each is a frozen dataclass with these fields, the
    last of which is kept in the model's config."""

    name: str
    labels: list[str]
    problem_type: str
    class_weights: list[float] | None
    label_smoothing: float
    regression_loss: str
    calibration: dict[str, Any] | None  # see `hfkit.evaluation.confidence`; None: probabilities are the model's own

    @staticmethod
    def learnt(config: LabelArguments, train: Dataset) -> dict[str, Any]:
        """The five fields above as the training rows and the flags make them. Raises HfkitError: the labels do not make
        the problem that was asked for, or a loss that it does not have."""
        problem, labels = problem_of(train.features["label"], config.problem_type)
        if config.label_smoothing_factor and problem != SINGLE:
            what = f"Label smoothing spreads one label over the others; this is a {problem} problem."
            raise HfkitError(what, where=f"--label_smoothing_factor {config.label_smoothing_factor}")
        if config.regression_loss != "mse" and problem != REGRESSION:
            what = f"The labels make a {problem} problem, which has a loss of its own."
            fix = "drop the flag; to learn classes that are numbers as such, --problem_type regression"
            raise HfkitError(what, where=f"--regression_loss {config.regression_loss}", fix=fix)
        return {
            "labels": labels,
            "problem_type": problem,
            "class_weights": balanced(train, problem, len(labels)) if config.class_weights == "balanced" else None,
            "label_smoothing": config.label_smoothing_factor,
            "regression_loss": config.regression_loss,
        }

    @staticmethod
    def kept(model_config: PreTrainedConfig) -> dict[str, Any]:
        """The labels of a saved model, and its problem type."""
        usual = REGRESSION if model_config.num_labels == 1 else SINGLE
        return {"labels": label_names(model_config), "problem_type": model_config.problem_type or usual}

    @property
    def classes(self) -> list[str] | None:
        return None if self.problem_type == REGRESSION else self.labels

    def model_kwargs(self) -> dict[str, Any]:
        return named(self.labels) | {"problem_type": self.problem_type, "hfkit": self.reading()}

    def reading(self) -> dict[str, Any]:
        return {name: value for name, value in super().reading().items() if name != "calibration" or value}

    def calibrated(self, calibration: dict[str, Any] | None) -> Self:
        if self.problem_type == REGRESSION:
            raise HfkitError("The model answers with a number, which has no probability to be made true")
        own: Any = self  # a dataclass, which this class alone is not
        return replace(own, calibration=calibration)

    def in_order_of(self, model_config: PreTrainedConfig) -> tuple[list[str], list[float] | None]:
        """Labels and class weights in the order of the model's."""
        labels = in_order_of(self.labels, model_config)
        weights = dict(zip(self.labels, self.class_weights, strict=True)) if self.class_weights else None
        return labels, [weights[label] for label in labels] if weights else None

    def label_ids(self, dataset: Dataset) -> tuple[list[Any], Any]:
        """What the model learns of each row, and its feature: an id found by name; zeros and ones; a number. Raises
        HfkitError: the split has a label that the task does not know."""
        to_id = encoder(dataset.features["label"], self.labels, self.problem_type)
        kinds = {SINGLE: Value("int64"), MULTI: List(Value("int8")), REGRESSION: Value("float32")}
        return [to_id(label) for label in dataset["label"][:]], kinds[self.problem_type]

    def label_batch(self, features: list[dict[str, Any]]) -> torch.Tensor:
        """The labels of a batch in the type that its loss takes."""
        dtype = torch.int64 if self.problem_type == SINGLE else torch.float32
        return torch.tensor(np.array([feature["labels"] for feature in features]), dtype=dtype)

    def logits(self, model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
        """(rows, labels) in float32."""
        raise NotImplementedError

    def weight(self, batch: Tensors) -> float:
        """Rows; with class weights in a single-label problem, the sum of the weights of the rows' labels.

        A mixed label (rows, labels) weighs what its parts do."""
        labels = batch["labels"]
        if self.class_weights is None or self.problem_type != SINGLE:
            return float(len(labels))
        weights = torch.tensor(self.class_weights, device=labels.device)
        return float((labels @ weights if labels.is_floating_point() else weights[labels]).sum())

    def loss_and_predictions(self, model: torch.nn.Module, batch: Tensors) -> tuple[torch.Tensor, Tensors]:
        """The SUM over rows of the loss to learn from, with class weights and (while the model trains) label smoothing:
        a float32 scalar that, divided by the sum of `weight`, is the mean loss of any number of batches. And a dict of
        tensors with a row per example: `prediction` (the label's id; zeros and ones; the number), `probabilities`
        (rows, labels) unless it is a regression, `loss` without weights or smoothing."""
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
            distance = F.l1_loss if self.regression_loss == "mae" else F.mse_loss
            loss = distance(logits.squeeze(1), labels, reduction="sum")
            rows = distance(detached.squeeze(1), labels, reduction="none")
        return loss, {**self.predictions(detached), "loss": rows}

    def predictions(self, logits: torch.Tensor) -> Tensors:
        """Logits (rows, labels) -> `prediction`, and `probabilities` unless it is a regression: as they are calibrated.
        The answers are those of the model's own unless thresholds or costs were asked for."""
        if self.problem_type == REGRESSION:
            return {"prediction": logits.squeeze(1)}
        several = self.problem_type == MULTI
        probabilities = logits.sigmoid() if several else logits.softmax(dim=1)
        prediction = (probabilities >= 0.5).to(torch.int8) if several else logits.argmax(dim=1)
        if self.calibration:
            found = scaled(self.calibration, logits.double().cpu().numpy(), several)
            probabilities = torch.tensor(found, dtype=torch.float32, device=logits.device)
            rule = decided(self.calibration, found, several)
            prediction = prediction if rule is None else torch.tensor(rule, device=logits.device)
        return {"prediction": prediction, "probabilities": probabilities}


def named(labels: list[str]) -> dict[str, Any]:
    """The fields of a model's config that name its outputs, in their order."""
    by_name = {label: index for index, label in enumerate(labels)}
    return {"num_labels": len(labels), "id2label": dict(enumerate(labels)), "label2id": by_name}


def label_names(model_config: PreTrainedConfig) -> list[str]:
    """Names in the order of the model's outputs; a config read from JSON may hold the numbers as text."""
    return [str(name) for _, name in sorted((model_config.id2label or {}).items(), key=lambda item: int(item[0]))]


def in_order_of(labels: list[str], model_config: PreTrainedConfig) -> list[str]:
    """The labels in the order of the model's, matched by name (case does not count); else as they are."""
    own = {label.strip().casefold(): label for label in labels}
    theirs = [label.strip().casefold() for label in label_names(model_config)]
    return [own[name] for name in theirs] if sorted(theirs) == sorted(own) else labels


def same_labels(config: PreTrainedConfig, kwargs: dict[str, Any]) -> bool:
    """Whether the model already answers with the task's labels, in whatever order; names given by default count not."""
    if config.problem_type not in (None, kwargs["problem_type"]):
        return False
    own = sorted(str(name).strip().casefold() for name in (config.id2label or {}).values())
    wanted = sorted(str(name).strip().casefold() for name in kwargs["id2label"].values())
    return own == wanted and own != sorted(f"label_{index}" for index in range(len(own)))


def job(kind: str, info: Mapping[str, Any]) -> str:
    """What the model of a run does, in words; the `kind` is text or image, `info` run.json's content."""
    settings = info["task_settings"]
    what = "regression" if settings["problem_type"] == REGRESSION else "classification"
    named = f"{'multi-label ' if settings['problem_type'] == MULTI else ''}{kind} {what}"
    return f"{named} of pairs" if settings.get("pair") else named
