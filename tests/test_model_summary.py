"""What a page can say of a model: its layers with shapes, parameters and work, and its first layer's filters."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.baselines.vision.auto import (
    BaselineResNetForImageClassification,
    BaselineViTForImageClassification,
    LeNetForImageClassification,
    MlpForImageClassification,
)
from hfkit.baselines.vision.configs import BaselineResNetConfig, BaselineViTConfig, LeNetConfig, MlpConfig
from hfkit.cli import main
from hfkit.models.anatomy.layers import Layer, summarise
from hfkit.models.anatomy.shape import summary_of
from hfkit.tasks.image_classification.gallery.filters import filter_grid, first_filters

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


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("mlp", 3),
        ("lenet5", 5),
        ("alexnet", 8),
        ("inception", 22),
        ("resnet18", 18),
        ("resnet56", 56),
        ("mobilenet", 28),
    ],
)
def test_a_baseline_is_as_deep_as_its_paper_says(name: str, depth: int) -> None:
    assert summary_of(f"baseline:{name}").depth == depth


def test_ways_that_meet_are_joined_where_they_do() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.gate = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x) + x) * self.gate(x)

    model = Block().requires_grad_(False)
    found = summarise(model, {"x": torch.randn(2, 4)})
    assert found.depth == 2
    assert set(found.edges) == {("first", "second"), ("second", "Mul 1"), ("gate", "Mul 1")}
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_drawing_has_a_box_a_layer_and_a_line_an_edge(capsys: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["summary", "baseline:resnet20", "--graph", str(tmp_path / "drawn.svg")])
    table = capsys.readouterr().out
    assert "269,202 parameters in 44 layers, 20 with weights on the longest way; 81.1 M FLOPs" in table
    found = summary_of("baseline:resnet20")
    drawn = ElementTree.parse(tmp_path / "drawn.svg").getroot()
    parts = Counter(part.tag.split("}")[1] for part in drawn)
    junctions = {name for edge in found.edges for name in edge} - {layer.name for layer in found.layers}
    assert (parts["rect"], parts["circle"]) == (44, len(junctions)) == (44, 9)  # an addition a block
    assert parts["path"] == len(found.edges) + len(junctions)
    tops = {part[0].text: float(part.get("y") or 0) for part in drawn if part.get("class") == "note"}
    assert len(tops) == 44
    layers = {layer.name for layer in found.layers}
    assert all(tops[one] < tops[other] for one, other in found.edges if {one, other} <= layers)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["baseline:lenet"], "did you mean lenet5"),
        (["nothing/here/at/all"], "there is no folder"),
        (["baseline:cnn", "--image_size", "2"], "too small for 3 poolings"),
        (["baseline:mlp", "--graph", "drawn.png"], "is no SVG"),
    ],
)
def test_a_summary_that_cannot_be_made_says_why(flags: list[str], said: str, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["summary", *flags])
    assert said in capsys.readouterr().err


def test_a_run_is_summarised_by_its_config_alone(tiny_bert: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_bert / "config.json", tmp_path)
    found = summary_of(str(tmp_path), tokens=16)
    body = AutoModel.from_config(AutoConfig.from_pretrained(tmp_path))
    assert found.parameters >= sum(parameter.numel() for parameter in body.parameters())
    assert found.layers[0].shape == (16, body.config.hidden_size)


def test_of_a_hub_model_the_config_alone_is_fetched(hub: Any, tiny_run: Path, tmp_path: Path) -> None:
    hfkit.push(tiny_run, "tester/tiny", verify=False)
    assert summary_of("tester/tiny", tokens=8).parameters == summary_of(str(tiny_run), tokens=8).parameters
    fetched = {path.name for path in (tmp_path / "hub-cache").glob("models--tester--tiny/snapshots/*/*")}
    assert fetched == {"config.json"}
    with pytest.raises(HfkitError, match="The Hub has no model tester/none"):
        summary_of("tester/none")
