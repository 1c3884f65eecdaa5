"""Scans of 12 bits in files of 16 bits become black, or white: all that they show lies in one or two grey levels.

Threads: Pillow#2574 nomacs#1363
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms.v2 import functional as F

import hfkit

pytestmark = pytest.mark.pain("sixteen-bit-pictures")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ramps of 196 numbers, which a scanner of 12 bits wrote."""
    for place, name in enumerate(("rising", "falling")):
        (tmp_path / name).mkdir()
        for number in range(6):
            ramp = np.arange(1000 + number, 1196 + number, dtype=np.uint16).reshape(14, 14)
            Image.fromarray(ramp[:: 1 - 2 * place].copy()).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_upstream_sees_one_or_two_levels(folder: Path) -> None:
    image = Image.open(folder / "rising" / "0.png")
    assert len(np.unique(image.convert("RGB"))) <= 2
    scaled = F.to_dtype(F.pil_to_tensor(image).long() * 255 // 65535)
    assert len(scaled.unique()) <= 2


def test_hfkit_keeps_them_all(folder: Path) -> None:
    config = hfkit.TrainConfig(task="image-classification", dataset=str(folder), model="baseline:mlp", augment=[])
    data = hfkit.load_data(config)
    assert sum(len(rows) for rows in data.values()) == 12, "they are 12 pictures, and not 2"
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    task = task.for_model(model.config, processor)
    (row,) = task.read(task.encode(data["train"], processor), [0], None)
    assert len(row["pixel_values"].unique()) == 196
    assert model.config.hfkit["pixel_range"] == [1000, 1200]
