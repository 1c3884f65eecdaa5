"""`Dataset.map` answers from a cache that another tokenizer filled: the model trains on the wrong tokens.

Threads: datasets#3847 #6179
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict, load_from_disk
from transformers import AutoTokenizer

from hfkit.config import TrainConfig
from hfkit.tasks import build_task

pytestmark = pytest.mark.pain("stale-map-cache")


@pytest.fixture
def other_bert(tiny_bert: Path, tmp_path: Path) -> Path:
    """The same tokenizer with two words exchanged."""
    folder = tmp_path / "other"
    shutil.copytree(tiny_bert, folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    words = content["model"]["vocab"]
    words["film"], words["movie"] = words["movie"], words["film"]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder


def test_upstream_reuses_what_another_tokenizer_made(
    splits: DatasetDict, tiny_bert: Path, other_bert: Path, tmp_path: Path
) -> None:
    def ids(folder: Path) -> list[list[int]]:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        encoded = splits["test"].map(
            lambda row: tokenizer(row["text"]), cache_file_name=str(tmp_path / "encoded.arrow")
        )
        return encoded["input_ids"][:]

    assert ids(tiny_bert) == ids(other_bert) != AutoTokenizer.from_pretrained(other_bert)(splits["test"]["text"][:])


def test_hfkit_encodes_with_the_tokenizer_it_is_given(
    splits: DatasetDict, tiny_bert: Path, other_bert: Path, tmp_path: Path
) -> None:
    """Also where the rows come from a file on disk, and so have a cache."""
    from transformers import AutoConfig

    splits["train"].save_to_disk(tmp_path / "train")
    train: Any = load_from_disk(tmp_path / "train")
    assert isinstance(train, Dataset) and train.cache_files

    def ids(folder: Path) -> list[list[int]]:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        task = build_task(TrainConfig(), DatasetDict(train=train))
        task = task.for_model(AutoConfig.from_pretrained(folder), tokenizer)
        return task.encode(train, tokenizer)["input_ids"][:]

    first, second, third = ids(tiny_bert), ids(other_bert), ids(tiny_bert)
    assert first == third != second
    expected = AutoTokenizer.from_pretrained(other_bert)(train["text"][:])["input_ids"]
    assert second == expected
