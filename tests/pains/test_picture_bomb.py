"""A small file claims to hold a picture that fills the memory; where it is refused, the error does not name it.

Pillow warns above its limit, refuses above twice of it, and says in neither case which file it was.

Threads: none
"""

import struct
import zlib
from pathlib import Path

import pytest
from datasets import load_dataset
from image_files import disc, image_folder
from PIL import Image

import hfkit
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("picture-bomb")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture whose header claims 14,000 x 14,000 pixels, above twice Pillow's limit."""
    root = image_folder(tmp_path / "data", {"train": 4, "val": 2, "test": 2})
    bomb = root / "train" / "red" / "bomb.png"
    disc("red", 1).save(bomb)
    content = bytearray(bomb.read_bytes())
    content[16:24] = struct.pack(">II", 14_000, 14_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    bomb.write_bytes(content)
    return root


def test_upstream_does_not_name_it(folder: Path) -> None:
    rows = load_dataset("imagefolder", data_dir=str(folder))["train"]
    with pytest.raises(Image.DecompressionBombError) as told:
        list(rows)
    assert "bomb.png" not in str(told.value)


def test_hfkit_refuses_it_by_name(folder: Path) -> None:
    with pytest.raises(HfkitError, match=r"larger than 178,956,970 pixels(.|\n)*bomb\.png"):
        hfkit.load_data(str(folder), task="image-classification")
