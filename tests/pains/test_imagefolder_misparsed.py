"""A folder of 20,000 pictures loads as 4: a word such as "train" in some names is taken for the split.

Threads: datasets#5650 #4015
"""

from pathlib import Path

import pytest
from datasets import load_dataset
from image_files import image_folder

import hfkit
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("imagefolder-misparsed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 pictures in two class folders; one picture of each class has the word in its name."""
    root = image_folder(tmp_path / "pictures", {"": 20})
    for place in root.iterdir():
        (place / "0.png").rename(place / "steam_train_0.png")
    return root


def test_upstream_loads_2_of_40(folder: Path) -> None:
    data = load_dataset("imagefolder", data_dir=str(folder))
    assert {split: len(rows) for split, rows in data.items()} == {"train": 2}


def test_hfkit_loads_them_all(folder: Path) -> None:
    data = hfkit.load_data(str(folder), task="image-classification")
    assert sum(len(rows) for rows in data.values()) == 40
    assert data["train"].features["label"].names == ["blue", "red"]


def test_hfkit_asks_where_a_class_has_the_name_of_a_split(folder: Path) -> None:
    """Trains among boats: it cannot be known which is meant, so nothing is guessed."""
    (folder / "blue").rename(folder / "train")
    with pytest.raises(HfkitError, match="no class folders"):
        hfkit.load_data(str(folder), task="image-classification")
