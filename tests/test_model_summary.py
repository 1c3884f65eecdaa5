"""What a page can say of a model: its layers with shapes, parameters and work, and its first layer's filters."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hfkit.baselines.vision.auto import (
    BaselineResNetForImageClassification,
    BaselineViTForImageClassification,
    LeNetForImageClassification,
    MlpForImageClassification,
)
from hfkit.baselines.vision.configs import BaselineResNetConfig, BaselineViTConfig, LeNetConfig, MlpConfig
from hfkit.models.summary import Layer, summarise
from hfkit.report.gallery.filters import filter_grid, first_filters

MNIST: dict[str, Any] = {"image_size": 28, "num_channels": 1, "num_labels": 10}


def test_lenets_layers_are_those_one_counts_by_hand() -> None:
    model = LeNetForImageClassification(LeNetConfig(**MNIST))
    found = summarise(model, {"pixel_values": torch.randn(3, 1, 28, 28)})
    working = [layer for layer in found.layers if layer.parameters]
    assert working == [
        Layer("backbone.0", "Conv2d", (6, 28, 28), 156, 156, 2 * 28 * 28 * 6 * 25),
        Layer("backbone.3", "Conv2d", (16, 10, 10), 2416, 2416, 2 * 10 * 10 * 16 * 150),
        Layer("backbone.7", "Linear", (120,), 48_120, 48_120, 2 * 400 * 120),
        Layer("backbone.9", "Linear", (84,), 10_164, 10_164, 2 * 120 * 84),
        Layer("classifier", "Linear", (10,), 850, 850, 2 * 84 * 10),
    ]
    assert (found.parameters, found.learning, found.flops) == (61_706, 61_706, sum(one.flops for one in working))
    assert [layer.kind for layer in found.layers][:3] == ["Conv2d", "ReLU", "MaxPool2d"]


def test_resnet18_does_the_papers_work() -> None:
    config = BaselineResNetConfig(
        image_size=224, depths=[2] * 4, widths=[64, 128, 256, 512], stem="imagenet", shortcut="B", num_labels=1000
    )
    found = summarise(BaselineResNetForImageClassification(config), {"pixel_values": torch.randn(1, 3, 224, 224)})
    assert found.flops / 2 == pytest.approx(1.8e9, rel=0.01)  # table 1 of the paper counts multiply-adds
    assert sum(layer.parameters for layer in found.layers) == 11_689_512


def test_attention_is_counted_where_it_happens_and_nothing_twice() -> None:
    model = BaselineViTForImageClassification(BaselineViTConfig(num_hidden_layers=2))
    found = summarise(model, {"pixel_values": torch.randn(2, 3, 32, 32)})
    assert sum(layer.flops for layer in found.layers) == found.flops
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    attention = [layer for layer in found.layers if layer.kind == "MultiHeadAttention"]
    assert [layer.flops for layer in attention] == [2 * 2 * 65 * 65 * 128] * 2  # scores, and the mix of the values


def test_frozen_parameters_do_not_learn_and_the_model_comes_back_as_it_was() -> None:
    model = LeNetForImageClassification(LeNetConfig(**MNIST)).train()
    model.backbone.eval().requires_grad_(False)
    found = summarise(model, {"pixel_values": torch.randn(1, 1, 28, 28)})
    assert (found.parameters, found.learning) == (61_706, 850)
    assert (model.training, model.backbone.training) == (True, False)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_first_filters_of_convolutions_patches_and_pixels() -> None:
    assert first_filters(LeNetForImageClassification(LeNetConfig(**MNIST))).shape == (6, 1, 5, 5)
    assert first_filters(BaselineViTForImageClassification(BaselineViTConfig())).shape == (128, 3, 4, 4)
    model = MlpForImageClassification(MlpConfig(**MNIST))
    filters = first_filters(model)
    assert filters.shape == (256, 1, 28, 28)
    picture = torch.randn(1, 1, 28, 28)  # a unit answers to its own picture as the layer does
    layer = model.backbone[1]
    torch.testing.assert_close((filters * picture).sum(dim=(1, 2, 3)) + layer.bias, layer(picture.flatten(1))[0])
    assert first_filters(nn.Sequential(nn.Linear(4, 2))) is None


def test_a_grid_shows_signs_and_the_strongest_filters() -> None:
    filters = torch.zeros(3, 1, 2, 2)
    filters[0, 0, 0, 0], filters[1, 0, 1, 1] = 0.5, -2.0
    grid = filter_grid(filters, columns=2)
    assert grid.dtype == np.uint8
    assert grid.tolist() == [
        [255, 128, 255, 128, 128],
        [128, 128, 255, 128, 0],
        [255, 255, 255, 255, 255],
        [128, 128, 255, 255, 255],
        [128, 128, 255, 255, 255],
    ]
    many = torch.randn(100, 3, 4, 4) * torch.linspace(1, 2, 100)[:, None, None, None]
    assert filter_grid(many).shape == (8 * 5 - 1, 8 * 5 - 1, 3)
    strongest = many.flatten(1).norm(dim=1).topk(64).indices.sort().values
    assert (filter_grid(many) == filter_grid(many[strongest])).all()
