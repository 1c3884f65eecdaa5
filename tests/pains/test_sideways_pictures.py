"""Photographs from a telephone are learnt lying on their side: the orientation in the file's EXIF data is not read.

Threads: diffusers#3465 sd-scripts#1316
"""

from pathlib import Path

import pytest
from image_files import image_folder
from PIL import Image
from torchvision.datasets import ImageFolder

import hfkit

pytestmark = pytest.mark.pain("sideways-pictures")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The first picture is white above and black below, taken with the camera on its side: stored left and right."""
    root = image_folder(tmp_path / "data", {"train": 4, "val": 2, "test": 2})
    stored = Image.new("RGB", (16, 16), "white")
    stored.paste("black", (8, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise
    stored.save(root / "train" / "blue" / "0.png", exif=exif)
    return root


def test_upstream_does_not_turn_it(folder: Path) -> None:
    image, _ = ImageFolder(str(folder / "train"))[0]
    assert image.getpixel((2, 2)) == image.getpixel((2, 13)) == (255, 255, 255)


def test_hfkit_learns_from_it_upright(folder: Path) -> None:
    config = hfkit.TrainConfig(task="image-classification", dataset=str(folder), model="baseline:cnn")
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    task = task.for_model(model.config, processor)
    rows = task.encode(data["train"], processor)
    (row,) = task.read(rows, [rows["id"][:].index("train/blue/0.png")], None)
    above, below = row["pixel_values"].chunk(2, dim=1)
    assert above.mean() > below.mean() + 0.5
