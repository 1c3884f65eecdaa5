"""Faults planted in models and in how they are read: each is named within the first two findings."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from jobs import Job, made, named, texts
from torch import nn
from transformers import AutoTokenizer

from hfkit.tasks.text_classification.task import TextClassification


class Blind(TextClassification):
    """Tells the model that padding is text."""

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().collate(features)
        return batch | {"attention_mask": torch.ones_like(batch["attention_mask"])}


class Restless(nn.Module):
    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return F.dropout(given, 0.3, training=True)


class Dead(nn.Module):
    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return F.relu(given - 1000)


class Detached(nn.Module):
    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given.detach()


class WrongBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, given: torch.Tensor) -> torch.Tensor:
        return given * 2

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


class Own(nn.Module):
    def forward(self, given: torch.Tensor) -> Any:
        return WrongBackward.apply(given)


def before_head(job: Job, layer: nn.Module) -> None:
    job.model.add_module("planted", layer)  # so that train() and eval() reach it
    job.model.classifier.register_forward_pre_hook(lambda module, inputs: layer(inputs[0]))


def head_frozen(job: Job) -> None:
    job.model.classifier.requires_grad_(False)


def unmasked(job: Job) -> None:
    job.task = Blind(**{name: getattr(job.task, name) for name in job.task.__dataclass_fields__})


def dropout_always(job: Job) -> None:
    before_head(job, Restless())


def dead(job: Job) -> None:
    before_head(job, Dead())


def cut_off(job: Job) -> None:
    before_head(job, Detached())


def wrong_backward(job: Job) -> None:
    before_head(job, Own())


def not_a_number(job: Job) -> None:
    with torch.no_grad():
        next(job.model.parameters())[7, 3] = float("nan")


def forgotten(job: Job) -> None:
    head = {id(one) for one in job.model.classifier.parameters()}
    job.optimizer = torch.optim.AdamW([one for one in job.model.parameters() if id(one) not in head])


FAULTS: dict[str, Any] = {
    "frozen_head": head_frozen,
    "padding_matters": unmasked,
    "dropout_in_evaluation": dropout_always,
    "constant_output": dead,
    "no_gradient": cut_off,
    "wrong_gradient": wrong_backward,
    "not_finite": not_a_number,
    "no_optimizer": forgotten,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_model_is_named(fault: str) -> None:
    assert fault in named(texts(), FAULTS[fault])


def minilm(**knobs: Any) -> Job:
    return made(texts().data, model="demo:minilm", model_args=None, learning_rate=1e-4, **knobs)


def permuted(job: Job) -> None:
    """Another tokenizer of the same size: the words of the vocabulary, each with the id of another one."""
    import json

    definition = json.loads(job.processor.backend_tokenizer.to_str())
    known = definition["model"]["vocab"]
    words = [word for word in known if not word.startswith("[")]
    ids = [known[word] for word in words]
    definition["model"]["vocab"] |= dict(zip(words, [*ids[1000:], *ids[:1000]], strict=True))
    folder = Path("permuted")
    job.processor.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(definition))
    job.processor = AutoTokenizer.from_pretrained(folder)


def left_random(job: Job) -> None:
    """As where a checkpoint's names do not fit: layers keep their start values, and nothing is said."""
    for module in job.model.bert.encoder.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)


def test_a_pretrained_model_has_no_fault() -> None:
    assert [str(one) for one in minilm().examined(2.0) if one.level != "PASS"] == []


@pytest.mark.parametrize(("fault", "plant"), [("permuted_tokenizer", permuted), ("random_backbone", left_random)])
def test_a_fault_in_a_pretrained_model_is_named(fault: str, plant: Any) -> None:
    assert fault in named(minilm(), plant)


def test_a_hundred_times_the_learning_rate_is_named_of_a_pretrained_model() -> None:
    assert named(minilm(), lambda job: setattr(job.config, "learning_rate", 1e-2))[0] == "learning_rate_high"
