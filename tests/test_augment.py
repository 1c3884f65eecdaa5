"""Augmentation: a function of (seed, epoch, sample), whatever was drawn before, and never of the evaluation."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from datasets import Image as ImageFeature
from image_files import disc
from PIL import Image
from torchvision.transforms import v2
from transformers import ViTImageProcessor

from hfkit import HfkitError
from hfkit.data.vision.augment import NAMES, PRESETS, SCALE, boxed, mixed, seeded, steps, varied
from hfkit.data.vision.decode import BadImage, decode, decode_again, decode_pixels, pixels_again
from hfkit.data.vision.reading import ImageReading
from hfkit.tasks.image_classification import ImageClassification

PROCESSOR = ViTImageProcessor(size={"height": 16, "width": 16})
SEEN = ImageReading.of(PROCESSOR)


def rows(count: int = 12) -> Dataset:
    images = [disc(("blue", "red")[row % 2], row, (20, 18)) for row in range(count)]
    data = Dataset.from_dict({"image": images, "labels": [row % 2 for row in range(count)]})
    return data.cast_column("image", ImageFeature(decode=False))


def task(**settings: Any) -> ImageClassification:
    return ImageClassification(labels=["blue", "red"], seen=SEEN, **settings)


def pixels(made: ImageClassification, data: Dataset, places: list[int], epoch: int | None) -> torch.Tensor:
    return torch.stack([row["pixel_values"] for row in made.read(data, places, epoch)])


def file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_each_changes_the_picture_and_keeps_the_frame(name: str) -> None:
    change = varied([name], SEEN)
    image = disc("red", 3, (40, 30))
    with seeded(1):
        seen = [change(file(image), 0) for _ in range(12)]
    assert all(one.shape == (16, 16, 3) and one.dtype == torch.uint8 for one in seen)
    assert len({one.numpy().tobytes() for one in seen}) > 1


def waves(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x * 13 / width + shift) + np.cos(y * 13 / height) for shift in range(3)], axis=-1)
    return Image.fromarray(((waves + 2) * 63).astype(np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_resized_crop_is_torchvisions_own_but_faster(mode: str) -> None:
    image = waves(120, 90).convert(mode)
    own = v2.RandomResizedCrop((16, 16), scale=SCALE, interpolation=SEEN.resampling, antialias=True)
    for number in range(10):
        with seeded(number):
            expected = own(image).convert("RGB")
        with seeded(number):
            got = boxed(SEEN)(file(image), 0)
        off = np.abs(got.numpy().astype(int) - np.asarray(expected, dtype=int))
        assert off.max() <= 2, "the same box; only the last bit is rounded otherwise"


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_box_of_a_large_jpeg_is_decoded_no_larger_than_it_needs(
    orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = file(waves(1200, 900), "JPEG", quality=95, exif=exif)
    whole, cut, sizes = file(decode(stored)), boxed(SEEN), set()

    def told(*asked: Any) -> torch.Tensor:
        pixels = pixels_again(*asked)
        sizes.add((asked[0] is stored, max(pixels.shape)))
        return pixels

    monkeypatch.setattr("hfkit.data.vision.augment.pixels_again", told)
    for number in range(10):
        with seeded(number):
            expected = cut(whole, 0)
        with seeded(number):
            got = cut(stored, 0)
        off = np.abs(got.numpy().astype(int) - expected.numpy().astype(int))
        assert off.mean() < 5, "the same part of the picture, to half a pixel"
    assert sizes == {(False, 1200), (True, 150)}, "an eighth is enough for 16 pixels"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_whole_jpeg_has_the_same_pixels_in_training(mode: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = file(waves(61, 47).convert(mode), "JPEG", exif=exif)
    seen = decode_pixels(stored, lambda *size: size).numpy()
    assert (seen == np.asarray(decode(stored)).reshape(seen.shape)).all()
    with pytest.raises(BadImage, match="is damaged"):
        decode_pixels(stored[:-200], lambda *size: size)


def test_crop_and_flip_are_torchvisions_own() -> None:
    image = disc("red", 3, (16, 16))
    own = v2.Compose([v2.RandomCrop(16, padding=2), v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()])
    change = varied(["crop", "flip", "vertical_flip"], SEEN)
    for number in range(20):
        with seeded(number):
            expected = np.asarray(own(image))
        with seeded(number):
            assert (change(file(image), 0).numpy() == expected).all()


def test_small_frames_are_read_once_and_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[Any] = [file(disc(colour, 1, (20, 18))) for colour in ("red", "blue")]
    for number, content in enumerate(pictures[:2]):
        (tmp_path / f"{number}.png").write_bytes(content)
        pictures.append({"path": str(tmp_path / f"{number}.png"), "bytes": None})
    read: list[Any] = []

    def told(stored: Any, *more: Any) -> Image.Image:
        read.append(stored)
        return decode_again(stored, *more)

    monkeypatch.setattr("hfkit.data.vision.augment.decode_again", told)
    change, plain = varied(["crop", "flip", "color", "erase"], SEEN), varied([], SEEN)
    frames = [plain(stored, 0).clone() for stored in pictures]
    for number, stored in enumerate(pictures * 6):
        with seeded(number):
            change(stored, 0)
    assert len(read) == 8, "each of the two read each of four pictures once"
    assert all(torch.equal(plain(stored, 0), frame) for stored, frame in zip(pictures, frames, strict=True))
    monkeypatch.setattr("hfkit.data.vision.augment.KEPT", 2 * 2000)
    few = varied([], SEEN)
    assert all(torch.equal(few(stored, 0), frame) for stored, frame in zip(pictures * 3, frames * 3, strict=True))
    assert len(read) == 8 + 2 + 3 * 2, "as many as there is room for"


def test_what_is_erased_becomes_the_mean() -> None:
    image = disc("red", 3, (16, 16))
    plain, change = SEEN.frame(image), varied(["erase"], SEEN)
    with seeded(1):
        seen = [change(file(image), 0) for _ in range(40)]
    erased = [one for one in seen if not torch.equal(one, plain)]
    assert 0 < len(erased) < 20, "a quarter of them"
    for one in erased:
        assert SEEN.numbers(one)[(one != plain).permute(2, 0, 1)].abs().max() < 0.01


def test_a_batch_lies_in_memory_with_the_channels_last() -> None:
    data, made = rows(), task(augment=steps(["light"]))
    for epoch in (0, None):
        features = made.read(data, [0, 1, 2], epoch)
        batch = made.collate(features)["pixel_values"]
        assert batch.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(batch, torch.stack([row["pixel_values"] for row in features]))
    json.dumps(SEEN.settings())


def test_presets_are_spelt_out_in_the_order_of_their_application() -> None:
    assert steps(["none"]) == steps([]) == []
    assert steps(["erase", "flip", "crop"]) == ["crop", "flip", "erase"]
    assert steps(["light", "rotate"]) == ["crop", "rotate", "flip"]
    for name, own in PRESETS.items():
        assert steps([name]) == [step for step in NAMES if step in own]
    with pytest.raises(HfkitError, match="did you mean rotate"):
        steps(["rotat"])


@pytest.mark.pain("augmentation-path-dependent")
def test_a_sample_depends_on_seed_epoch_and_row_alone() -> None:
    data, made = rows(), task(augment=steps(["strong"]), mixup=0.4, cutmix=1.0, seed=7)
    first = pixels(made, data, [3, 4, 5], epoch=2)
    torch.rand(100)
    np.random.rand(3)  # noqa: NPY002 - the global generator is what must not matter
    again = task(augment=steps(["strong"]), mixup=0.4, cutmix=1.0, seed=7)
    for place, row in enumerate([5, 3, 4]):
        alone = pixels(again, data, [row], epoch=2)[0]
        assert torch.equal(alone, first[[2, 0, 1][place]])
    assert not torch.equal(pixels(made, data, [3], epoch=3)[0], first[0])
    other = task(augment=steps(["strong"]), mixup=0.4, cutmix=1.0, seed=8)
    assert not torch.equal(pixels(other, data, [3], epoch=2)[0], first[0])


def test_torchs_generator_is_put_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    pixels(task(augment=steps(["strong"])), rows(), [0, 1], epoch=0)
    assert torch.equal(torch.rand(3), expected)


def test_evaluation_sees_what_the_processor_makes() -> None:
    data, made = rows(), task(augment=steps(["strong"]), mixup=0.4)
    expected = PROCESSOR([disc("blue", 0, (20, 18)), disc("red", 1, (20, 18))], return_tensors="pt")["pixel_values"]
    assert torch.equal(pixels(made, data, [0, 1], epoch=None), expected)
    assert torch.equal(pixels(task(), data, [0, 1], epoch=4), expected), "nothing to change, nothing is changed"


def test_the_frame_of_training_is_that_of_evaluation() -> None:
    image = disc("red", 3, (40, 30))
    torch.testing.assert_close(SEEN.numbers(SEEN.frame(image)), SEEN.look([image])[0], rtol=0, atol=0.02)


OTHERS: dict[str, dict[str, Any]] = {
    "ViTImageProcessor": {"do_rescale": True, "rescale_factor": 1 / 127.5},
    "ConvNextImageProcessor": {"size": {"shortest_edge": 32}},  # crops 7/8 of the side, which no flag of it says
    "PoolFormerImageProcessor": {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
    "MobileViTImageProcessor": {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},  # BGR
    "BitImageProcessor": {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
    "CLIPImageProcessor": {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
    "EfficientNetImageProcessor": {"size": {"height": 32, "width": 32}},  # normalises twice
    "PPLCNetImageProcessor": {},  # BGR, with a mean of its own order
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_training_sees_what_evaluation_sees_whatever_the_processor(name: str) -> None:
    """Turned, shifted or scaled pictures in training alone would cost accuracy and say nothing."""
    import transformers

    seen = ImageReading.of(getattr(transformers, name)(**OTHERS[name]))
    assert seen.repeatable
    blocks = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(blocks.repeat(40, axis=0).repeat(40, axis=1))
    made, looked = seen.numbers(seen.frame(image)), seen.look([image])[0]
    assert made.shape == looked.shape == (3, seen.height, seen.width)
    assert float((made - looked).abs().max()) * 255 * min(seen.std) < 3
    json.dumps(seen.settings())


def test_a_processor_that_cannot_be_repeated_is_refused_where_it_matters() -> None:
    from transformers import PreTrainedConfig, ViTImageProcessor

    odd = ViTImageProcessor(size={"shortest_edge": 32})  # pictures of another shape each
    assert not ImageReading.of(odd).repeatable
    plain = ImageClassification(labels=["blue", "red"])
    assert plain.for_model(PreTrainedConfig(num_labels=2), odd).seen is not None
    with pytest.raises(HfkitError, match="a way of its own"):
        replace(plain, augment=["flip"]).for_model(PreTrainedConfig(num_labels=2), odd)


def test_mixed_labels_are_the_shares_of_the_pictures() -> None:
    one, other = torch.zeros(3, 8, 8), torch.ones(3, 8, 8)
    for mixup, cutmix in ((0.4, 0.0), (0.0, 1.0)):
        for seed in range(20):
            picture, share = mixed(one, other, mixup, cutmix, np.random.default_rng(seed))
            assert float(picture.mean()) == pytest.approx(1 - share, abs=1e-6)
            assert set(picture.unique().tolist()) <= {0.0, 1.0} if cutmix else len(picture.unique()) == 1
    assert one.sum() == 0, "the pictures themselves stay"


def test_mixed_rows_learn_from_the_soft_cross_entropy() -> None:
    data, made = rows(), task(cutmix=1.0, class_weights=[1.0, 3.0])
    batch = made.collate(made.read(data, list(range(12)), epoch=0))
    labels = batch["labels"]
    assert labels.shape == (12, 2)
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(12))
    assert ((labels > 0.02) & (labels < 0.98)).any()

    class Model(torch.nn.Module):
        def forward(self, pixel_values: torch.Tensor) -> Any:
            flat = pixel_values.flatten(1)
            return type("Output", (), {"logits": torch.stack([flat.mean(1), flat.std(1)], dim=1)})()

    loss, _ = made.loss_and_predictions(Model().train(), batch)
    logits = Model()(batch["pixel_values"]).logits
    expected = -(labels * torch.tensor([1.0, 3.0]) * logits.log_softmax(1)).sum()
    torch.testing.assert_close(loss, expected)
    assert made.weight(batch) == pytest.approx(float((labels @ torch.tensor([1.0, 3.0])).sum()))


def test_partners_come_from_the_whole_data_set() -> None:
    data, made = rows(), task(mixup=1.0)
    partners = set()
    for epoch in range(30):
        row = made.read(data, [0], epoch)[0]
        partners.add(round(float(row["labels"][1]) > 0))
    assert partners == {0, 1}, "a batch of one row finds partners of both classes"


def test_sixteen_bit_and_grey_pictures_pass_too() -> None:
    grey = ViTImageProcessor(size={"height": 8, "width": 8}, image_mean=[0.5], image_std=[0.5], do_convert_rgb=None)
    seen = ImageReading.of(grey, type("Config", (), {"num_channels": 1})())
    for names in (["crop", "color", "randaugment"], ["resized_crop", "autoaugment", "trivialaugment"]):
        with seeded(0):
            assert varied(names, seen)(file(Image.new("L", (8, 8), 100)), 0).shape == (8, 8, 1)
