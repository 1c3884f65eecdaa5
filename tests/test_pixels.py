"""Pixels of more than 8 bits: their range is looked at, the levels are kept, and every road reads them alike."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hfkit
from hfkit import HfkitError, TrainConfig
from hfkit.config.rules import check
from hfkit.data.tables.table import Table
from hfkit.data.vision.decode import BadImage, Facts, decode, decode_pixels, examine
from hfkit.data.vision.pictures import pixel_range

LOW, HIGH = 1000, 1240


def scan(level: int, number: int, kind: Any = np.uint16) -> Image.Image:
    """A scan of 12 bits: its numbers lie from LOW to HIGH, and `level` is the mean of its middle."""
    pixels = np.random.default_rng([level, number]).integers(LOW, LOW + 60, (16, 16))
    pixels[4:12, 4:12] = level + number % 5
    pixels[0, :2] = LOW, HIGH
    return Image.fromarray(pixels.astype(kind))


def scans(root: Path, suffix: str = "png", kind: Any = np.uint16) -> Path:
    for name, level in (("healthy", LOW + 80), ("lesion", LOW + 200)):
        (root / name).mkdir(parents=True)
        for number in range(15):
            scan(level, number, kind).save(root / name / f"{number}.{suffix}")
    return root


def of_file(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


@pytest.mark.pain("sixteen-bit-pictures")
@pytest.mark.parametrize(("suffix", "kind"), [("png", np.uint16), ("tif", np.uint16), ("tif", np.int32), ("tif", "f4")])
def test_the_range_of_the_training_pictures_is_what_is_kept(tmp_path: Path, suffix: str, kind: Any) -> None:
    config = TrainConfig(task="image-classification", dataset=str(scans(tmp_path, suffix, kind)), augment=[])
    data = hfkit.load_data(config)
    assert data.summary.pixel_range == [LOW, HIGH]
    assert sum(split["rows"] for split in data.summary.splits.values()) == 30, "no two of them are one picture"
    notes = "\n".join(data.summary.notes)
    assert "30 images of train with pixels from 1,000 to 1,240 in place of 8 bits" in notes
    assert "pixels of more than 8 bits: 1,000 to 1,240 become the grey levels 0 to 255" in notes
    task = hfkit.build_task(config, data)
    file = next(tmp_path.rglob(f"lesion/3.{suffix}"))
    expected = np.round((np.asarray(scan(LOW + 200, 3)) - float(LOW)) * 255 / (HIGH - LOW)).astype(np.uint8)
    assert np.array_equal(decode(file, pixel_range=task.pixel_range), expected)
    assert torch.equal(decode_pixels(file, None, task.pixel_range)[..., 0], torch.from_numpy(expected))


@pytest.mark.pain("sixteen-bit-pictures")
def test_one_reading_in_training_in_the_pipeline_and_in_prediction(tmp_path: Path) -> None:
    from hfkit.inference import predict_file

    config = TrainConfig(
        task="image-classification", dataset=str(scans(tmp_path / "ct")), model="baseline:mlp", max_steps=30,
        learning_rate=1e-2, use_cpu=True, mixed_precision="no", disable_tqdm=True, output_dir=str(tmp_path / "run"),
    )  # fmt: skip
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    assert 0.1 < processor.image_std[0] < 0.4, "the baseline's norm is that of pixels as they are read"
    run = hfkit.fit(config, task, model, processor, data)
    assert run.metrics["accuracy"]["value"] == run.metrics["baselines"]["pixels_logreg"]["accuracy"]["value"] == 1.0
    rows = run.predictions().to_pylist()
    files = [tmp_path / "ct" / row["id"] for row in rows]
    classify = hfkit.pipeline(run.path, mixed_precision="no")
    for given in (files, [file.read_bytes() for file in files], [Image.open(file) for file in files]):
        for row, answer in zip(rows, classify(given), strict=True):
            assert answer[0]["score"] == pytest.approx(max(row["probabilities"]), abs=1e-5)
    predict_file(run.path, tmp_path / "ct" / "lesion", tmp_path / "out.csv", disable_tqdm=True)
    answers = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert len(answers) == 15
    assert all(",lesion," in answer for answer in answers)


def test_a_range_is_what_is_asked_for_and_squandered_levels_are_told() -> None:
    notes: list[str] = []
    table = Table("ct", {}, deep=(0.0, 1003.0, 1230.0, 65535.0))
    assert pixel_range({"train": table}, [], notes) == [0, 65535]
    assert "99 % of them lie from 1,003 to 1,230, 1 of the 256 levels: --pixel_range 1003 1230 shows more" in notes[0]
    assert pixel_range({"train": table}, [1000, 1256], notes) == [1000, 1256]
    assert notes[1] == "pixels of more than 8 bits: 1,000 to 1,256 become the grey levels 0 to 255"
    assert pixel_range({"train": Table("photos", {})}, [], notes) is None
    deep = "training images have 8 bits, some of test more: 0 to 65,535 become their 256 levels"
    assert pixel_range({"train": Table("photos", {}), "test": table}, [], notes) is None and notes[-1] == deep
    assert len(notes) == 3


def test_fractions_and_negative_numbers_have_a_range_too() -> None:
    hounsfield = Image.fromarray(np.array([[-1000, 0], [400, 3000]], dtype=np.float32))
    file = of_file(hounsfield, "TIFF")
    assert examine(file).deep == (-1000, pytest.approx(-985), pytest.approx(2961), 3000)
    assert np.asarray(decode(file, pixel_range=[-1000, 400])).tolist() == [[0, 182], [255, 255]]
    with pytest.raises(BadImage, match="neither 0 to 1 nor 16 bits"):
        decode(file)


def test_sixteen_bits_a_colour_are_counted_as_pillow_reads_them(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + struct.pack(">6H", *range(row, 60000, 10000)) for row in (0, 9))
    head = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert examine(png).halved
    assert not examine(of_file(Image.new("RGB", (2, 2)))).halved
    for number in range(3):
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("RGB", (2, 2), (number, len(name), ord(name))).save(tmp_path / name / f"{number}.png")
    (tmp_path / "a" / "deep.png").write_bytes(png)
    notes = hfkit.load_data(str(tmp_path), task="image-classification").summary.notes
    assert "1 image in train of 16 bits a colour: Pillow reads the upper 8" in notes


@pytest.mark.parametrize("window", [[1.0], [5.0, 5.0], [5.0, 1.0], [0.0, float("inf")], [1.0, 2.0, 3.0]])
def test_what_is_no_range_is_refused(window: list[float]) -> None:
    with pytest.raises(HfkitError, match="is no range"):
        check(TrainConfig(task="image-classification", pixel_range=window))


def test_the_flag_is_for_images() -> None:
    from hfkit.config.parsing import parse

    flags = ["--task", "image-classification", "--model", "baseline:cnn", "--pixel_range", "-1000", "400"]
    assert parse(TrainConfig, None, flags).pixel_range == [-1000, 400]
    with pytest.raises(HfkitError, match="--pixel_range belongs to --task image-classification"):
        TrainConfig(pixel_range=[0.0, 1.0])
    assert Facts(1, 1, True, 1, "").deep is None
