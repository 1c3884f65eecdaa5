"""One damaged file among many ends a training in the middle of an epoch, with an error that does not name it.

Threads: rf-detr#487 DALLE-pytorch#195
"""

from pathlib import Path

import pytest
from datasets import load_dataset
from image_files import image_folder

import hfkit
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("corrupt-pictures")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One picture of 25 is cut off, as a broken download leaves it."""
    root = image_folder(tmp_path / "data", {"train": 6, "val": 3, "test": 3})
    whole = (root / "train" / "red" / "0.png").read_bytes()
    (root / "train" / "red" / "bad.png").write_bytes(whole[: len(whole) // 2])
    return root


def test_upstream_finds_it_when_its_turn_comes(folder: Path) -> None:
    rows = load_dataset("imagefolder", data_dir=str(folder))["train"]
    assert len(rows) == 13
    with pytest.raises(OSError) as caught:
        list(rows)
    assert "bad.png" not in str(caught.value)


def test_hfkit_names_it_before_training(folder: Path) -> None:
    with pytest.raises(HfkitError, match=r"1 image of train cannot be used(.|\n)*bad\.png(.|\n)*--skip_corrupt"):
        hfkit.load_data(str(folder), task="image-classification")


def test_hfkit_goes_on_without_it_when_told_to_and_counts_it(folder: Path) -> None:
    data = hfkit.load_data(str(folder), task="image-classification", skip_corrupt=True)
    assert len(data["train"]) == 12
    assert any("1 image of train skipped" in note and "bad.png" in note for note in data.summary.notes)
