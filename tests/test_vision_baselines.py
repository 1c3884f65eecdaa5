"""The picture baselines are the papers' networks: sizes, figures, start values; and they are transformers models."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features
from datasets import Image as ImageFeature
from PIL import Image
from timm_weights import resnet_from_timm, vit_from_timm
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoImageProcessor, AutoModelForImageClassification

from hfkit import build_model, build_task
from hfkit.base.errors import HfkitError
from hfkit.baselines.vision import resnet, vit
from hfkit.baselines.vision.auto import ImageBaseline
from hfkit.baselines.vision.configs import (
    AlexNetConfig,
    BaselineResNetConfig,
    BaselineViTConfig,
    CnnConfig,
    ImageConfig,
    InceptionConfig,
    LeNetConfig,
    MlpConfig,
    MobileNetConfig,
    VggConfig,
)
from hfkit.baselines.vision.processor import make_processor, native_shape
from hfkit.config import TrainConfig
from hfkit.tasks.image_classification import SPEC
from hfkit.tasks.image_classification.models import from_scratch

RESNET18: dict[str, Any] = {
    "depths": [2, 2, 2, 2],
    "widths": [64, 128, 256, 512],
    "stem": "imagenet",
    "shortcut": "B",
    "image_size": 224,
    "num_labels": 1000,
}
VIT_TINY: dict[str, Any] = {
    "image_size": 224,
    "hidden_size": 192,
    "num_hidden_layers": 12,
    "num_attention_heads": 3,
    "intermediate_size": 768,
    "num_labels": 1000,
}
IMAGENET: dict[str, Any] = {"image_size": 224, "num_labels": 1000}
MNIST: dict[str, Any] = {"image_size": 28, "num_channels": 1}
# Small enough to be built a few times in a second.
SMALL: dict[str, dict[str, Any]] = {
    "hfkit-vgg": {"stages": [[8], [16], [16, 16]]},
    "hfkit-alexnet": {"hidden_size": 32, "dropout": 0.0},
    "hfkit-inception": {"width_multiplier": 0.125, "dropout": 0.0},
    "hfkit-mobilenet": {"width_multiplier": 0.125},
    "hfkit-vit": {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "dropout": 0.0},
    "hfkit-resnet": {"depths": [1, 1, 1]},
    "hfkit-cnn": {"dropout": 0.0},
    "hfkit-mlp": {"dropout": 0.0},
}
IMAGE_MODELS = ImageBaseline.__subclasses__()
KINDS = pytest.mark.parametrize("kind", IMAGE_MODELS, ids=lambda kind: kind.config_class.model_type)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def make(config_class: type[ImageConfig], **fields: Any) -> ImageBaseline:
    labels = {} if "id2label" in fields else {"num_labels": 10}
    return AutoModelForImageClassification.from_config(config_class(**{**labels, **fields}))


def small(kind: type[ImageBaseline], **fields: Any) -> ImageBaseline:
    return make(kind.config_class, **{**SMALL.get(kind.config_class.model_type, {}), **fields})


def pictures(model: ImageBaseline, count: int = 4) -> Tensor:
    config = model.config
    return torch.randn(count, config.num_channels, config.image_size, config.image_size)


@pytest.mark.parametrize(
    ("config_class", "fields", "parameters"),
    [
        (MlpConfig, MNIST, 235_146),
        (LeNetConfig, MNIST, 61_706),
        (BaselineResNetConfig, {}, 269_722),  # table 6: ResNet-20 0.27 M, 32 0.46 M, 44 0.66 M, 56 0.85 M
        (BaselineResNetConfig, {"depths": [5] * 3}, 464_154),
        (BaselineResNetConfig, {"depths": [7] * 3}, 658_586),
        (BaselineResNetConfig, {"depths": [9] * 3}, 853_018),
        (BaselineResNetConfig, RESNET18, 11_689_512),
        (BaselineResNetConfig, {**RESNET18, "depths": [3, 4, 6, 3]}, 21_797_672),
        (BaselineViTConfig, VIT_TINY, 5_717_416),
        (MobileNetConfig, {"num_labels": 1000}, 4_231_976),  # table 8: 4.2 M
        (AlexNetConfig, IMAGENET, 61_100_840),
        (AlexNetConfig, {}, 3_243_850),
        (InceptionConfig, IMAGENET, 7_005_832),  # table 1: 6.8 M, without the head's bias and the norms
        (VggConfig, {}, 9_228_362),
        (CnnConfig, {}, 620_586),
    ],
)
def test_parameters_are_the_papers(config_class: type[ImageConfig], fields: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        model = make(config_class, **fields)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (28, 1), (32, 3), (50, 3), (96, 3)])
@KINDS
def test_pictures_of_any_size_give_a_row_each(kind: type[ImageBaseline], size: int, channels: int) -> None:
    model = small(kind, image_size=size, num_channels=channels, num_labels=3)
    logits = model(pictures(model)).logits
    assert logits.shape == (4, 3)
    assert logits.isfinite().all()


def shuffle_norms(model: nn.Module) -> None:
    """Fresh norms (1 and 0, mean 0, variance 1) would hide one in the wrong place."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.normal_(module.weight, mean=1.0, std=0.1)
            nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)


@pytest.mark.parametrize(
    ("name", "config_class", "fields", "convert", "last"),
    [
        ("resnet18", BaselineResNetConfig, RESNET18, resnet_from_timm, "layer4.1.conv2.weight"),
        ("vit_tiny_patch16_224", BaselineViTConfig, VIT_TINY, vit_from_timm, "blocks.11.mlp.fc2.weight"),
    ],
)
def test_timms_weights_give_timms_logits_and_gradients(
    name: str, config_class: type[ImageConfig], fields: dict[str, Any], convert: Any, last: str
) -> None:
    import timm

    theirs, ours = timm.create_model(name, pretrained=False), make(config_class, **fields).eval()
    shuffle_norms(theirs.eval())
    ours.load_state_dict(convert(theirs.state_dict()))  # strict: every weight has a place, and no place is left
    mine = torch.randn(2, 3, 224, 224, requires_grad=True)
    other = mine.detach().clone().requires_grad_()
    logits, expected = ours(mine).logits, theirs(other)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    assert expected.std() > 0.01
    direction = torch.randn_like(logits)
    weight = dict(ours.named_parameters())[next(iter(convert({last: torch.empty(0)})))]
    got = torch.autograd.grad((logits * direction).sum(), [mine, weight])
    wanted = torch.autograd.grad((expected * direction).sum(), [other, theirs.get_parameter(last)])
    for left, right in zip(got, wanted, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


def test_torchvisions_resnet18_has_the_same_names() -> None:
    import torchvision

    theirs, ours = torchvision.models.resnet18().eval(), make(BaselineResNetConfig, **RESNET18).eval()
    ours.load_state_dict(resnet_from_timm(theirs.state_dict()))
    batch = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(ours(batch).logits, theirs(batch), rtol=0, atol=1e-5)


def test_torchvisions_alexnet_and_googlenet_answer_the_same() -> None:
    import torchvision

    alexnet = torchvision.models.alexnet().eval()
    google = torchvision.models.googlenet(aux_logits=False, init_weights=False).eval()
    for block in [part for name, part in google.named_children() if name.startswith("inception")]:
        old = block.branch3[1].conv  # the paper's 5x5; torchvision's is a 3x3
        block.branch3[1].conv = nn.Conv2d(old.in_channels, old.out_channels, 5, padding=2, bias=False)
    google.maxpool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # and a 2x2
    for module in google.modules():
        module.eps = 1e-5 if isinstance(module, nn.BatchNorm2d) else None  # torchvision's 0.001 is not the paper's
    shuffle_norms(google)
    batch = torch.randn(1, 3, 224, 224)
    for theirs, config in ((alexnet, AlexNetConfig), (google, InceptionConfig)):
        ours = make(config, **IMAGENET).eval()
        places = ours.state_dict().keys()
        ours.load_state_dict(dict(zip(places, theirs.state_dict().values(), strict=True)))  # both in the paper's order
        with torch.inference_mode():
            torch.testing.assert_close(ours(batch).logits, theirs(batch), rtol=1e-5, atol=1e-5)


def test_the_papers_shortcut_adds_zero_channels() -> None:
    block = resnet.BasicBlock(2, 5, stride=2, shortcut="A").eval()
    nn.init.zeros_(block.bn2.weight)  # nothing but the way around is left
    batch = torch.rand(1, 2, 5, 5)
    out = block(batch)
    assert out.shape == (1, 5, 3, 3)
    assert torch.equal(out[:, :2], batch[:, :, ::2, ::2])
    assert out[:, 2:].eq(0).all()


def test_a_depthwise_separable_block_sees_each_channel_by_itself_then_mixes() -> None:
    block = make(MobileNetConfig, width_multiplier=0.125).backbone[4]  # the second one, which halves the picture
    assert [tuple(layer.weight.shape) for layer in block if isinstance(layer, nn.Conv2d)] == [
        (8, 1, 3, 3),
        (16, 8, 1, 1),
    ]
    assert block(torch.randn(1, 8, 7, 7)).shape == (1, 16, 4, 4)


@pytest.mark.parametrize(("size", "patch"), [(8, 1), (28, 4), (32, 4), (64, 8), (96, 12), (224, 16)])
def test_a_patch_size_is_chosen_that_leaves_enough_patches(size: int, patch: int) -> None:
    assert vit.natural_patch(size) == patch


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="patches of 5 pixels do not fill a picture of 32"):
        make(BaselineViTConfig, patch_size=5)
    with pytest.raises(ValueError, match="4 pixels are too small for 3 poolings"):
        make(CnnConfig, image_size=4)
    model = make(MlpConfig, **MNIST)
    with pytest.raises(ValueError, match=r"reads pictures of 1 x 28 x 28 .* got 1 x 32 x 32"):
        model(torch.randn(2, 1, 32, 32))


@KINDS
def test_one_batch_is_learnt_by_heart(kind: type[ImageBaseline]) -> None:
    model, targets = small(kind, num_labels=4), torch.arange(8) % 4
    batch = pictures(model, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = model(batch, labels=targets).loss
        loss.backward()
        optimizer.step()
        if loss < 0.05:
            break
    assert loss < 0.05
    assert model(batch).logits.argmax(dim=-1).equal(targets)


@KINDS
def test_every_parameter_gets_a_gradient_and_the_head_stands_apart(kind: type[ImageBaseline]) -> None:
    from hfkit.models.adapting.freezing import freeze, in_head

    model = small(kind, num_labels=4)
    model(pictures(model), labels=torch.arange(4)).loss.backward()
    assert [name for name, one in model.named_parameters() if one.grad is None] == []
    assert [name for name, _ in model.named_parameters() if in_head(model, name)] == [
        "classifier.weight",
        "classifier.bias",
    ]
    freeze(model, ["backbone"])
    assert not any(one.requires_grad for one in model.backbone.parameters())


def test_losses_follow_the_problem_type() -> None:
    model = make(LeNetConfig, num_labels=3)
    batch = pictures(model, 2)
    many, logits = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), model(batch).logits
    model.config.problem_type = "multi_label_classification"
    expected = nn.functional.binary_cross_entropy_with_logits(logits, many)
    torch.testing.assert_close(model(batch, labels=many).loss, expected)
    model.config.problem_type = "single_label_classification"
    expected = nn.functional.cross_entropy(logits, torch.tensor([2, 0]))
    torch.testing.assert_close(model(batch, labels=torch.tensor([2, 0])).loss, expected)
    model = make(LeNetConfig, num_labels=1, problem_type="regression")
    values = torch.tensor([0.5, -2.0])
    expected = nn.functional.mse_loss(model(batch).logits.squeeze(), values)
    torch.testing.assert_close(model(batch, labels=values).loss, expected)


@pytest.mark.parametrize(
    ("config_class", "fields"),
    [
        (MlpConfig, {"hidden_sizes": [256] * 10, "dropout": 0.0}),
        (BaselineResNetConfig, {"depths": [9] * 3}),
        (VggConfig, {}),
        (BaselineViTConfig, {"num_hidden_layers": 12, "dropout": 0.0}),
        (MobileNetConfig, {}),
        (AlexNetConfig, {"dropout": 0.0}),
        (InceptionConfig, {}),
    ],
)
def test_deep_networks_start_with_signals_and_gradients_of_a_sane_size(
    config_class: type[ImageConfig], fields: dict[str, Any]
) -> None:
    model = make(config_class, **fields)
    features: list[Tensor] = []
    model.backbone.register_forward_hook(lambda module, inputs, output: features.append(output))
    loss = model(pictures(model, 16), labels=torch.arange(16) % 10).loss
    loss.backward()
    assert 0.3 < features[0].square().mean().sqrt() < 3.5
    assert 2.0 < loss < 3.0  # ln 10 = 2.3: the first answers claim nothing
    first = next(module for module in model.backbone.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    assert 1e-4 < first.weight.grad.norm() < 100


def test_convolutions_start_as_in_he_et_al() -> None:
    model = make(BaselineResNetConfig, **{**RESNET18, "num_labels": 10})
    for module in model.backbone.layer4.modules():
        if isinstance(module, nn.Conv2d):
            expected = (2 / (module.kernel_size[0] ** 2 * module.out_channels)) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.02)
            assert abs(module.weight.mean().item()) < expected / 50
    depthwise = make(MobileNetConfig).backbone[-3][0]
    assert depthwise.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)


def noise(mode: str, *shape: int) -> list[Image.Image]:
    generator = np.random.default_rng(0)
    return [Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8), mode) for _ in range(6)]


def test_the_data_say_what_the_model_reads() -> None:
    assert native_shape(noise("L", 28, 28)) == (28, 1)
    assert native_shape([*noise("L", 32, 32), *noise("RGB", 32, 32, 3)]) == (32, 3)
    assert native_shape([*noise("L", 40, 51), *noise("L", 30, 52)]) == (48, 1)
    assert native_shape([image.convert("RGB") for image in noise("L", 28, 28)]) == (28, 1)  # as files often are
    assert native_shape(noise("RGB", 500, 300, 3)) == (64, 3)
    assert native_shape(noise("RGB", 500, 300, 3), largest=224) == (224, 3)


def test_the_processor_normalises_with_the_pictures_own_figures() -> None:
    for images, channels in ((noise("L", 28, 28), 1), (noise("RGB", 40, 30, 3), 3)):
        processor = make_processor(28, channels, images)
        pixels = processor(images, return_tensors="pt")["pixel_values"]
        assert pixels.shape == (6, channels, 28, 28)
        torch.testing.assert_close(pixels.mean(dim=(0, 2, 3)), torch.zeros(channels), rtol=0, atol=1e-3)
        torch.testing.assert_close(pixels.std(dim=(0, 2, 3)), torch.ones(channels), rtol=0, atol=1e-3)
    even = make_processor(8, 1, [Image.new("L", (8, 8), 7)])
    assert even.image_std == [1.0]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Tensor]]:
    """Every baseline in a folder with its processor, and its probabilities for six pictures; half of them grey."""
    torch.manual_seed(0)
    folders = {}
    for number, kind in enumerate(IMAGE_MODELS):
        channels = 1 if number % 2 else 3
        model = small(kind, image_size=28, num_channels=channels, id2label={0: "cat", 1: "dog", 2: "owl"}).eval()
        shuffle_norms(model)
        images = noise("L", 28, 28) if channels == 1 else noise("RGB", 28, 28, 3)
        processor = make_processor(28, channels, images)
        folder = tmp_path_factory.mktemp(kind.config_class.model_type)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        with torch.inference_mode():
            logits = model(**processor(images, return_tensors="pt")).logits
        folders[kind.config_class.model_type] = (folder, logits)
    return folders


@KINDS
def test_reload_is_bit_equal(kind: type[ImageBaseline], saved: dict[str, tuple[Path, Tensor]]) -> None:
    folder, logits = saved[kind.config_class.model_type]
    torch.manual_seed(99)  # nothing may depend on the generator that built the first one
    model, processor = (
        AutoModelForImageClassification.from_pretrained(folder),
        AutoImageProcessor.from_pretrained(folder),
    )
    assert type(model) is kind
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    images = noise("L", 28, 28) if model.config.num_channels == 1 else noise("RGB", 28, 28, 3)
    with torch.inference_mode():
        assert torch.equal(model.eval()(**processor(images, return_tensors="pt")).logits, logits)


def test_plain_transformers_opens_them_once_hfkit_is_imported(saved: dict[str, tuple[Path, Tensor]]) -> None:
    """One new process for all of them. Its pipeline turns grey pictures to colour; the answers stay."""
    code = f"""
import json, sys, hfkit, transformers
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_vision_baselines import noise
answers = {{}}
for name, folder in { ({name: str(folder) for name, (folder, _) in saved.items()})!r}.items():
    pipe = transformers.pipeline("image-classification", folder, device="cpu")
    images = noise("L", 28, 28) if pipe.model.config.num_channels == 1 else noise("RGB", 28, 28, 3)
    answers[name] = [{{answer["label"]: answer["score"] for answer in row}} for row in pipe(images)]
print("ANSWERS" + json.dumps(answers))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.partition("ANSWERS")[2])
    for name, (_, logits) in saved.items():
        scores = torch.tensor([[row[label] for label in ("cat", "dog", "owl")] for row in answers[name]])
        torch.testing.assert_close(scores, logits.softmax(dim=-1), rtol=0, atol=1e-5)


def test_activation_checkpointing_changes_no_gradient() -> None:
    model = small(IMAGE_MODELS[-1], num_labels=4)
    batch, targets = pictures(model), torch.arange(4)
    model.train()(batch, labels=targets).loss.backward()
    plain = model.get_parameter("backbone.embeddings.project.weight").grad.clone()
    model.zero_grad()
    encoder = model.backbone.encoder
    encoder.gradient_checkpointing = True  # what transformers' switch sets
    encoder._gradient_checkpointing_func = lambda layer, *args: checkpoint(layer, *args, use_reentrant=False)
    model(batch, labels=targets).loss.backward()
    again = model.get_parameter("backbone.embeddings.project.weight").grad
    torch.testing.assert_close(again, plain, rtol=0, atol=1e-7)


def data_of(images: list[Image.Image]) -> DatasetDict:
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=["round", "square"])})
    rows = {"image": images, "label": [number % 2 for number in range(len(images))]}
    return DatasetDict(train=Dataset.from_dict(rows, features=features))


@pytest.mark.parametrize("name", sorted(SPEC.baselines))
def test_every_name_builds_a_model_of_the_datas_shape(name: str) -> None:
    images = noise("L", 28, 28)
    config, data = TrainConfig(task="image-classification", model=f"baseline:{name}"), data_of(images)
    with torch.device("meta"):  # sizes are all that is asked
        model, processor = from_scratch(config, build_task(config, data), data)
    assert (model.config.image_size, model.config.num_channels) == (28, 1)
    assert model.config.id2label == {0: "round", 1: "square"}
    assert processor(images, return_tensors="pt")["pixel_values"].shape == (6, 1, 28, 28)
    layers = sum(isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1) for one in model.modules())
    if name.removeprefix("resnet").isdigit():
        assert layers + 1 == int(name.removeprefix("resnet"))  # the paper counts convolutions and the head


def test_flags_reach_the_picture_baselines(capsys: pytest.CaptureFixture[str]) -> None:
    data = data_of(noise("RGB", 100, 90, 3))

    def build(**fields: Any) -> Any:
        config = TrainConfig(task="image-classification", **fields)
        return build_model(config, build_task(config, data), data)

    model, processor = build(model="baseline:mlp", dropout=0.3, image_size=40, model_args='{"hidden_sizes": [16]}')
    assert "model: MlpForImageClassification from baseline:mlp, 76,850 parameters" in capsys.readouterr().out
    assert model.dropout.p == 0.3
    assert dict(processor.size) == {"height": 40, "width": 40}
    assert model(**processor(noise("RGB", 100, 90, 3), return_tensors="pt")).logits.shape == (6, 2)
    frozen, _ = build(model="baseline:cnn", freeze=["backbone"])
    assert {name for name, one in frozen.named_parameters() if one.requires_grad} == {
        "classifier.weight",
        "classifier.bias",
    }
    for fields, message in (
        ({"model": "baseline:resnet19"}, "no baseline 'resnet19' for image-classification"),
        ({"model": "baseline:vit", "model_args": '{"patch_size": 7}'}, "patches of 7 pixels do not fill"),
        ({"model": "baseline:cnn", "image_size": 7}, "7 pixels are too small"),
        ({"model": "baseline:resnet20", "drop_path": 0.1}, "has no stochastic depth"),
        ({"model": "baseline:cnn", "model_args": '{"widths": "many"}'}, "widths cannot be"),
    ):
        with pytest.raises(HfkitError, match=message):
            build(**fields)


def test_transformers_trainer_trains_ours_with_accumulation(tmp_path: Path) -> None:
    """A class that seems to scale its own loss would be trained with one that is four times too large."""
    from transformers import Trainer, TrainingArguments

    start = make(LeNetConfig, **MNIST)
    rows = [{"pixel_values": picture, "labels": number} for number, picture in enumerate(pictures(start))]
    moved = []
    for batch_size, accumulation in ((4, 1), (1, 4)):
        model = make(LeNetConfig, **MNIST)
        model.load_state_dict(start.state_dict())
        arguments = TrainingArguments(
            output_dir=str(tmp_path),
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=accumulation,
            max_steps=1,
            learning_rate=0.1,
            optim="sgd",
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        Trainer(model, arguments, train_dataset=rows).train()
        moved.append(model.classifier.weight.detach())
    assert not torch.allclose(moved[0], start.classifier.weight)
    torch.testing.assert_close(moved[0], moved[1], rtol=0, atol=1e-6)
