"""Few labels: the loss of a batch's pairs, the head on the vectors, and a run that goes on to the same bytes."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import DatasetDict
from sklearn.linear_model import LogisticRegression

import hfkit
from hfkit import HfkitError
from hfkit.models.loading import load_model
from hfkit.tasks.text_classification.few_shot import pair_loss


def config(model: Path, folder: Path, **other: Any) -> Any:
    settings: dict[str, Any] = {
        "model": str(model),
        "output_dir": str(folder),
        "pooling": "mean",
        "few_shot": "contrastive",
        "max_length": 16,
        "per_device_train_batch_size": 8,
        "train_sampling_strategy": "random",
        "num_train_epochs": 2,
        "learning_rate": 1e-3,
        "mixed_precision": "no",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    return hfkit.text_classification.Config(**settings | other)


def trained(settings: Any, splits: DatasetDict) -> Any:
    task = hfkit.build_task(settings, splits)
    return hfkit.fit(settings, task, *hfkit.build_model(settings, task, splits), splits)


def test_the_loss_is_that_of_all_pairs_written_out() -> None:
    torch.manual_seed(0)
    vectors, labels = torch.randn(6, 5), torch.tensor([0, 1, 0, 2, 1, 0])
    apart: dict[bool, list[float]] = {True: [], False: []}
    for one in range(6):
        for other in range(one + 1, 6):
            cosine = float(torch.cosine_similarity(vectors[one], vectors[other], dim=0))
            alike = bool(labels[one] == labels[other])
            apart[alike].append((cosine - alike) ** 2)
    expected = 6 * (np.mean(apart[True]) + np.mean(apart[False])) / 2
    assert float(pair_loss(vectors, labels)) == pytest.approx(expected, rel=1e-5)
    assert float(pair_loss(vectors[:1], labels[:1])) == 0.0
    assert float(pair_loss(vectors[:2], labels[:2])) > 0


def test_the_head_is_a_regression_on_the_vectors_of_the_saved_encoder(
    tiny_bert: Path, splits: DatasetDict, tmp_path: Path
) -> None:
    run = trained(config(tiny_bert, tmp_path / "run"), splits)
    model, tokenizer = load_model(run.path)
    encoded = tokenizer(splits["train"]["text"][:], truncation=True, max_length=16, padding=True, return_tensors="pt")
    with torch.no_grad():
        vectors = model(**encoded).pooled.numpy()
    names = [model.config.id2label[at] for at in range(2)]
    labels = [splits["train"].features["label"].int2str(label) for label in splits["train"]["label"][:]]
    fitted = LogisticRegression(max_iter=1000).fit(vectors, [names.index(label) for label in labels])
    weight = (model.classifier.weight[1] - model.classifier.weight[0]).detach().numpy()
    assert weight == pytest.approx(fitted.coef_[0], abs=2e-3)
    assert run.metrics["accuracy"]["value"] > 0.9


def test_a_batch_in_parts_learns_what_the_whole_one_does(tiny_bert: Path, splits: DatasetDict, tmp_path: Path) -> None:
    still = {"dropout": 0.0, "attention_dropout": 0.0, "max_steps": 3, "optim": "sgd", "learning_rate": 0.1}
    whole = trained(config(tiny_bert, tmp_path / "whole", per_device_train_batch_size=8, **still), splits)
    parts = trained(
        config(tiny_bert, tmp_path / "parts", per_device_train_batch_size=2, gradient_accumulation_steps=4, **still),
        splits,
    )
    one, other = (dict(load_model(run.path)[0].named_parameters()) for run in (whole, parts))
    for name, weight in one.items():
        if name.startswith("backbone"):
            assert torch.allclose(weight, other[name], atol=1e-5), name


def test_a_stopped_run_goes_on_to_the_same_bytes(
    tiny_bert: Path, splits: DatasetDict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hfkit.training.engine import Engine

    settings = {"save_strategy": "steps", "save_steps": 3}
    whole = trained(config(tiny_bert, tmp_path / "whole", **settings), splits)
    count = Engine._count

    def stopped(self: Engine, *rest: Any) -> None:
        count(self, *rest)
        self.interrupted = self.state.step == 7

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Engine, "_count", stopped)
        trained(config(tiny_bert, tmp_path / "again", **settings), splits)
    again = trained(config(tiny_bert, tmp_path / "again", **settings), splits)
    weights = [
        hashlib.sha256((run.path / "model" / "model.safetensors").read_bytes()).digest() for run in (whole, again)
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"pooling": "model"}, "add --pooling mean"),
        ({"lora": True}, "no meaning beside --lora"),
        ({"long_text": "windows", "stride": 4}, "no meaning beside --long_text windows"),
        ({"problem_type": "multi_label_classification"}, "whether two texts have the same label|multi"),
    ],
)
def test_what_does_not_go_together(
    tiny_bert: Path, splits: DatasetDict, tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    with pytest.raises(HfkitError, match=message):
        trained(config(tiny_bert, tmp_path / "run", **other), splits)
