"""An epoch's last batch has one row, and a model with batch norms ends the training there: nothing to count.

Threads: fastai#1352 geo-deep-learning#113
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from image_files import image_folder
from processes import in_children
from torch.utils.data import DataLoader, TensorDataset
from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

import hfkit
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("batch-of-one")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet of 4 layers, whose last one sees pictures of 32 pixels as one value a channel."""
    folder = tmp_path_factory.mktemp("resnet")
    settings = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic")
    ResNetForImageClassification(settings).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 for training: 3, 3, 3 and 1."""
    return image_folder(tmp_path_factory.mktemp("pictures"), {"train": 5, "val": 1, "test": 1})


def train(own: Path, pictures: Path, output: Path, **knobs: Any) -> hfkit.Run:
    basics: dict[str, Any] = {"task": "image-classification", "dataset": str(pictures), "model": str(own)}
    basics |= {"output_dir": str(output), "per_device_train_batch_size": 3, "num_train_epochs": 1.0, "use_cpu": True}
    config = hfkit.TrainConfig(**(basics | {"mixed_precision": "no", "disable_tqdm": True} | knobs))
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    return hfkit.fit(config, task, *hfkit.build_model(config, task, data), data)


def test_upstream_ends_with_the_epoch(own: Path) -> None:
    model = ResNetForImageClassification.from_pretrained(own).train()
    loader = DataLoader(TensorDataset(torch.rand(10, 3, 32, 32)), batch_size=3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        for (pixels,) in loader:
            model(pixel_values=pixels)


def test_hfkit_takes_a_row_of_the_batch_before(own: Path, pictures: Path, tmp_path: Path) -> None:
    run = train(own, pictures, tmp_path / "run")
    assert (run.info["training"]["steps"], run.info["training"]["examples"]) == (4, 10)


def test_hfkit_leaves_no_process_with_one_row(own: Path, pictures: Path, tmp_path: Path) -> None:
    """Of two, dealt 3 and 3, 3 and 1: every row once, and both end."""
    assert in_children(lambda: train(own, pictures, tmp_path / "run")) == [0, 0]
    told = hfkit.Run(tmp_path / "run").info["training"]
    assert (told["steps"], told["examples"]) == (2, 10)


def test_hfkit_says_before_training_that_one_row_is_too_few(own: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match="cannot learn from one picture at a time: of 32 x 32 pixels"):
        train(own, pictures, tmp_path / "run", per_device_train_batch_size=1)
    run = train(own, pictures, tmp_path / "run", per_device_train_batch_size=1, freeze=["backbone"], max_steps=1)
    assert run.info["training"]["steps"] == 1
