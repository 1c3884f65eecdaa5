"""Image classification end to end: data, model, run, and what is published answers as the run did."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from image_files import disc, image_folder
from PIL import Image

import hfkit
from hfkit import HfkitError, TrainConfig
from hfkit.config import DataArguments
from hfkit.evaluation.predict import load_batches
from hfkit.models.adapting.freezing import freeze, still_norms
from hfkit.training.judging.judge import evaluate

TINY = {"model": "timm/resnet10t.c3_in1k", "from_scratch": True, "image_size": 32}


def config(**changes: Any) -> TrainConfig:
    basics = {
        "task": "image-classification",
        "dataset": "data",
        "model": "baseline:cnn",
        "augment": ["crop", "flip"],
        "num_train_epochs": 4.0,
        "learning_rate": 3e-3,
        "per_device_train_batch_size": 8,
        "mixed_precision": "no",
        "disable_tqdm": True,
        "output_dir": "run",
    }
    return TrainConfig(**(basics | changes))


def job(settings: TrainConfig) -> hfkit.Run:
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    model, processor = hfkit.build_model(settings, task, data)
    return hfkit.fit(settings, task, model, processor, data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_folder(tmp_path / "data", {"train": 16, "val": 5, "test": 8})


@pytest.mark.parametrize("model", [{}, TINY], ids=["baseline", "timm"])
def test_plain_transformers_answers_as_the_run_did(folder: Path, model: dict[str, Any]) -> None:
    import transformers

    run = job(config(**model))
    files = sorted((folder / "test").rglob("*.png"))
    plain = transformers.pipeline("image-classification", str(run.model_path), top_k=2)
    ours = hfkit.pipeline(run.path, mixed_precision="no")
    table = run.predictions().to_pylist()
    assert [row["id"] for row in table] == [file.relative_to(folder).as_posix() for file in files]
    labels = run.info["task_settings"]["labels"]
    for row, one, other in zip(table, plain([str(file) for file in files]), ours(files), strict=True):
        for answer in (one, other):
            shares = {entry["label"]: entry["score"] for entry in answer}
            assert [shares[label] for label in labels] == pytest.approx(row["probabilities"], abs=1e-5)
    assert {"pixels_logreg", "majority"} <= set(run.metrics["baselines"])
    hfkit.write_report(run)
    assert "image classification" in (run.path / "README.md").read_text()


def test_timms_own_reading_is_saved_with_the_run(folder: Path) -> None:
    settings = config(**TINY)
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    model, processor = hfkit.build_model(settings, task, data)
    model.save_pretrained("model")
    known = json.loads(Path("model/config.json").read_text())["pretrained_cfg"]
    assert known["input_size"] == [3, 32, 32]
    own = timm.get_pretrained_cfg("resnet10t.c3_in1k")
    assert own is not None
    assert (known["interpolation"], known["crop_pct"]) == (own.interpolation, own.crop_pct)
    assert list(processor.data_config["mean"]) == known["mean"]


@pytest.mark.pain("augmentation-path-dependent")
def test_batches_are_equal_bytes_with_and_without_workers(folder: Path) -> None:
    from accelerate import Accelerator

    settings = config(augment=["strong"], mixup=0.5, cutmix=0.5)
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    model, processor = hfkit.build_model(settings, task, data)
    task = task.for_model(model.config, processor)
    encoded = task.encode(data["train"], processor)
    plan = [(epoch, list(range(at, at + 8))) for epoch in (0, 1) for at in (0, 8)]

    def hashes(workers: int, plan: Any) -> list[bytes]:
        loaded = load_batches(Accelerator(cpu=True), task, encoded, plan, workers)
        return [batch["pixel_values"].numpy().tobytes() + batch["labels"].numpy().tobytes() for batch in loaded]

    alone = hashes(0, plan)
    assert hashes(2, plan) == alone
    assert hashes(0, plan[::2]) + hashes(0, plan[1::2]) == [alone[0], alone[2], alone[1], alone[3]]
    assert len(set(alone)) == 4


def test_multi_label_and_regression(folder: Path) -> None:
    files = sorted((folder / "train").rglob("*.png"))
    names = [file.relative_to(folder).as_posix() for file in files]
    truths = ['"[""round"", ""red""]"' if "/red/" in name else '"[""round""]"' for name in names]
    rows = "".join(f"{name},{truth}\n" for name, truth in zip(names, truths, strict=True))
    (folder / "many.csv").write_text(f"image,label\n{rows}")
    many = job(config(dataset="data/many.csv", output_dir="many", num_train_epochs=2.0, mixup=0.3))
    assert many.metrics["problem_type"] == "multi_label_classification"
    rows = "".join(f"{name},{at / 7:.3f}\n" for at, name in enumerate(names))
    (folder / "numbers.csv").write_text(f"image,label\n{rows}")
    number = job(config(dataset="data/numbers.csv", output_dir="number", num_train_epochs=1.0))
    assert number.metrics["problem_type"] == "regression"
    assert isinstance(hfkit.pipeline("number", mixed_precision="no")(files[0])[0]["score"], float)


def test_a_linear_probe_trains_the_head_alone_and_saves_the_whole_model(folder: Path) -> None:
    settings = config(**(TINY | {"from_scratch": True, "output_dir": "base", "num_train_epochs": 1.0}))
    base = job(settings)
    probe = config(model=str(base.model_path), linear_probe=True, augment=[], learning_rate=0.05, num_train_epochs=8.0)
    run = job(probe)
    before, after = (torch_weights(one.model_path) for one in (base, run))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and all(".fc." in name or name.startswith("fc.") for name in moved)
    assert run.metrics["accuracy"]["n"] == 16


def torch_weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def librarys_own(kind: str, path: Path) -> None:
    """An untrained classifier of transformers with its image processor, as a folder."""
    import transformers

    size: dict[str, int] = {"height": 32, "width": 32}
    if kind == "Swin":
        made: dict[str, Any] = {"patch_size": 2, "embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2]}
        made["window_size"] = 4
    else:
        size = {"shortest_edge": 32}
        made = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
    settings = getattr(transformers, f"{kind}Config")(**made, image_size=32, num_labels=5)
    getattr(transformers, f"{kind}ForImageClassification")(settings).save_pretrained(path)
    processor = "ViTImageProcessor" if kind == "Swin" else "ConvNextImageProcessor"
    getattr(transformers, processor)(size=size).save_pretrained(path)


@pytest.mark.parametrize(("kind", "probe"), [("Swin", False), ("ConvNext", False), ("ResNet", True)])
def test_transformers_own_models_are_trained_and_answer_alike(folder: Path, kind: str, probe: bool) -> None:
    import transformers

    librarys_own(kind, folder.parent / "own")
    changes = {"linear_probe": True, "augment": []} if probe else {}
    run = job(config(model="own", num_train_epochs=2.0, **changes))
    files = [str(file) for file in sorted((folder / "test").rglob("*.png"))]
    plain = transformers.pipeline("image-classification", str(run.model_path))(files, top_k=2)
    labels = run.info["task_settings"]["labels"]
    for row, one, other in zip(
        run.predictions().to_pylist(), plain, hfkit.pipeline(run.path, mixed_precision="no")(files), strict=True
    ):
        for answer in (one, other):
            shares = {entry["label"]: entry["score"] for entry in answer}
            assert [shares[label] for label in labels] == pytest.approx(row["probabilities"], abs=1e-5)
    assert run.info["pictures"]["notes"] == []
    assert run.info["pictures"]["map"]["name"]


def test_norms_of_a_frozen_backbone_stand_still(folder: Path) -> None:
    settings = config(**TINY)
    settings.from_scratch = True
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    model, _ = hfkit.build_model(settings, task, data)
    freeze(model, ["*.layer1.*"])
    still_norms(model)
    norms = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    before = {name: module.running_mean.clone() for name, module in norms.items()}
    model.train()(pixel_values=torch.randn(4, 3, 32, 32))
    changed = {name for name, module in norms.items() if not torch.equal(module.running_mean, before[name])}
    assert changed == {name for name in norms if ".layer1." not in name}


def test_the_mirror_image_counts_where_it_is_asked_for(folder: Path) -> None:
    run = job(config(test_time_augmentation="flip", num_train_epochs=1.0))
    assert run.info["model"]["plain_transformers"] is False
    ask = hfkit.pipeline(run.path, mixed_precision="no")
    image = disc("red", 4)
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    torch.testing.assert_close(ask.logits([image]), ask.logits([mirrored]), rtol=0, atol=1e-5)


@pytest.mark.pain("corrupt-pictures")
def test_a_folder_is_predicted_and_corrupt_pictures_are_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hfkit.inference import predict_file

    run = job(config(num_train_epochs=1.0))
    (folder / "test" / "red" / "broken.png").write_text("no picture")
    (folder / "test" / "red" / ".hidden.png").write_text("no picture")
    capsys.readouterr()
    assert predict_file(run.path, folder / "test", "out.jsonl", disable_tqdm=True) == 17
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    bad = [row for row in rows if row["problem"]]
    assert [(row["file"], row["label"]) for row in bad] == [("red/broken.png", None)]
    told = capsys.readouterr().err
    assert "1 image got no answer" in told
    assert "red/broken.png is not an image" in told
    assert {row["label"] for row in rows if not row["problem"]} <= {"blue", "red"}


def test_a_run_is_evaluated_on_another_folder(folder: Path, tmp_path: Path) -> None:
    run = job(config(num_train_epochs=1.0))
    image_folder(tmp_path / "other", {"train": 4, "test": 6}, size=(24, 20))
    assert evaluate(run.path, DataArguments(dataset="other"))["accuracy"]["n"] == 12


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "timm/resnet81"}, "timm has no model 'resnet81'"),
        ({"model": "timm/resnet5O"}, r"did you mean timm/resnet50 or [^?]*\?$"),
        ({"model": "timm/qqqqqqqq"}, "timm.list_models"),
        ({**TINY, "model_args": '{"in_chans": 1}'}, "cannot read pictures of 3 x 32 x 32"),
        ({"model_args": '{"num_channels": 4}'}, "pictures of 4 channels, and pictures have 1 or 3"),
        ({"model": "timm/resnet18.nobody"}, "no weights 'nobody' of resnet18"),
        ({"model": "baseline:ccn"}, "did you mean cnn"),
        (
            {**TINY, "model": "timm/vit_tiny_patch16_224", "image_size": 8},
            "cannot read pictures of",
        ),
        ({"augment": ["flop"]}, "did you mean flip"),
    ],
)
def test_a_knob_that_does_not_fit_is_one_message(folder: Path, changes: dict[str, Any], told: str) -> None:
    settings = config(**changes)
    with pytest.raises(HfkitError, match=told):
        data = hfkit.load_data(settings)
        hfkit.build_model(settings, hfkit.build_task(settings, data), data)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_picture_that_goes_while_the_model_trains_is_one_message(folder: Path, workers: int) -> None:
    settings = config(dataloader_num_workers=workers)
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    model, processor = hfkit.build_model(settings, task, data)
    (folder / "train" / "red" / "3.png").unlink()
    with pytest.raises(HfkitError) as told:
        hfkit.fit(settings, task, model, processor, data)
    assert "The image train/red/3.png cannot be read: No such file" in str(told.value)
    assert "Traceback" not in str(told.value)
    assert told.value.fix


def test_a_picture_that_goes_before_a_baseline_looks_is_one_message(folder: Path) -> None:
    settings = config()
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    for picture in (folder / "train" / "red").iterdir():
        picture.unlink()
    with pytest.raises(HfkitError, match=r"The image .*red.* cannot be read: No such file"):
        hfkit.build_model(settings, task, data)


def test_lora_and_layer_wise_decay_on_a_vit_of_timm(folder: Path) -> None:
    from hfkit.training.optim import layer_distances

    name = "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    settings = config(model=name, from_scratch=True, image_size=32)
    data = hfkit.load_data(settings)
    model, _ = hfkit.build_model(settings, hfkit.build_task(settings, data), data)
    far = layer_distances(model)
    assert far["timm_model.head.weight"] == 0
    assert far["timm_model.blocks.11.attn.qkv.weight"] < far["timm_model.blocks.0.attn.qkv.weight"]
    assert far["timm_model.blocks.0.attn.qkv.weight"] < far["timm_model.patch_embed.proj.weight"]
    from hfkit.models.adapting.lora import add_lora

    adapted = add_lora(model, settings)
    learning = {name for name, one in adapted.named_parameters() if one.requires_grad}
    assert any("qkv.lora_A" in name for name in learning)
    assert any("head" in name for name in learning)
    assert all("lora_" in name or "head" in name for name in learning)
    assert adapted(pixel_values=torch.zeros(1, 3, 32, 32)).logits.shape == (1, 2)


def test_the_embedded_backbone_knows_a_palace_and_a_daisy() -> None:
    from sklearn.datasets import load_sample_images

    from hfkit.models.loading import load_model

    model, processor = load_model("demo:efficientnet_lite0")
    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    with torch.inference_mode():
        logits = model(**processor(images=pictures, return_tensors="pt")).logits
    assert [model.config.id2label[int(best)].split(",")[0] for best in logits.argmax(1)] == ["palace", "daisy"]
