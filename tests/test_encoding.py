"""Encoded rows are taken again only where nothing that makes them has changed, and a damaged file is made anew."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from transformers import AutoConfig, AutoTokenizer

import hfkit
from hfkit.base import table_cache
from hfkit.config import DataArguments, TrainConfig
from hfkit.data import prepared
from hfkit.data.text import token_cache
from hfkit.tasks import build_task


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, and no split too small to be kept."""
    monkeypatch.setattr(table_cache, "folder", lambda: tmp_path / "kept")
    monkeypatch.setattr(token_cache, "FEWEST", 1)
    return tmp_path / "kept"


def ready(folder: Path, splits: DatasetDict, **settings: Any) -> tuple[Any, Any]:
    """The task for the model in `folder`, and its tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    task = build_task(TrainConfig(**settings), splits).for_model(AutoConfig.from_pretrained(folder), tokenizer)
    return task, tokenizer


def test_the_same_again_is_read_and_equal(tiny_bert: Path, splits: DatasetDict) -> None:
    task, tokenizer = ready(tiny_bert, splits, max_length=8)
    plain = task.encode(splits["train"], tokenizer)
    state = tokenizer.backend_tokenizer.to_str()
    assert token_cache.encode(task, splits["train"], tokenizer)[1] is False
    task, tokenizer = ready(tiny_bert, splits, max_length=8)
    kept, again = token_cache.encode(task, splits["train"], tokenizer)
    assert again
    assert kept.features == plain.features
    assert kept.to_dict() == plain.to_dict()
    assert kept.cache_files == []
    assert tokenizer.backend_tokenizer.to_str() == state, "it is saved with the model"


@pytest.mark.parametrize("change", ["row", "label", "max_length", "long_text", "vocabulary"])
def test_any_change_is_encoded_anew(change: str, tiny_bert: Path, splits: DatasetDict, tmp_path: Path) -> None:
    task, tokenizer = ready(tiny_bert, splits, max_length=8)
    token_cache.encode(task, splits["train"], tokenizer)
    settings: dict[str, Any] = {"max_length": 8}
    folder, train = tiny_bert, splits["train"]
    if change in ("row", "label"):
        columns = train.to_dict()
        if change == "row":
            columns["text"][len(train) // 3] += " film"  # no row that is probed
        else:
            columns["label"][len(train) // 3] = 1 - columns["label"][len(train) // 3]
        train = Dataset.from_dict(columns, features=train.features)
    elif change == "vocabulary":
        folder = tmp_path / "other"
        shutil.copytree(tiny_bert, folder)
        content = json.loads((folder / "tokenizer.json").read_text())
        words = content["model"]["vocab"]
        words["film"], words["movie"] = words["movie"], words["film"]
        (folder / "tokenizer.json").write_text(json.dumps(content))
    else:
        settings |= {"max_length": 6} if change == "max_length" else {"long_text": "tail"}
    task, tokenizer = ready(folder, splits, **settings)
    rows, again = token_cache.encode(task, train, tokenizer)
    assert not again
    assert rows.to_dict() == task.encode(train, tokenizer).to_dict()


@pytest.mark.parametrize("damage", ["bit", "cut", "another", "lying"])
def test_what_is_damaged_or_does_not_fit_is_made_anew(
    damage: str, tiny_bert: Path, splits: DatasetDict, place: Path
) -> None:
    task, tokenizer = ready(tiny_bert, splits)
    good, _ = token_cache.encode(task, splits["train"], tokenizer)
    (path,) = place.glob("*.arrow")
    content = path.read_bytes()
    if damage == "bit":
        path.write_bytes(content[:-200] + bytes([content[-200] ^ 1]) + content[-199:])
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:  # a whole file with a right hash, of other rows, or of as many other ones
        other = splits["test"] if damage == "another" else splits["train"].select(range(len(good))[::-1])
        path.unlink()
        made = task.encode(other, tokenizer)
        table = made.with_format("arrow")[:].replace_schema_metadata(made.features.arrow_schema.metadata)
        table_cache.write(path.stem.split("-")[0], table)
    rows, again = token_cache.encode(task, splits["train"], tokenizer)
    assert not again
    assert rows.to_dict() == good.to_dict()


def test_a_disk_that_refuses_costs_nothing(
    tiny_bert: Path, splits: DatasetDict, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, tokenizer = ready(tiny_bert, splits)
    place.write_text("in the way")  # no folder can be made here
    rows, again = token_cache.encode(task, splits["train"], tokenizer)
    assert (len(rows), again) == (len(splits["train"]), False)
    place.unlink()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert len(token_cache.encode(task, splits["train"], tokenizer)[0]) == len(splits["train"])
    assert list(place.iterdir()) == []


def test_what_was_used_longest_ago_goes_first(
    tiny_bert: Path, splits: DatasetDict, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, tokenizer = ready(tiny_bert, splits)
    for split in ("train", "validation"):
        token_cache.encode(task, splits[split], tokenizer)
    for path in place.iterdir():
        os.utime(path, (1, 1))
    assert token_cache.encode(task, splits["validation"], tokenizer)[1], "and so it counts as used"
    sizes = sum(path.stat().st_size for path in place.iterdir())
    monkeypatch.setattr(table_cache, "LIMIT", sizes)
    table_cache.make_room(place, 1)
    assert token_cache.encode(task, splits["validation"], tokenizer)[1]
    assert not token_cache.encode(task, splits["train"], tokenizer, write=False)[1]
    monkeypatch.setattr(table_cache, "LIMIT", 1)
    token_cache.encode(task, splits["test"], tokenizer)
    assert not token_cache.encode(task, splits["test"], tokenizer)[1], "larger than a quarter of all"


def test_a_second_run_says_so_and_is_the_same(run_fit: Any, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    first = run_fit("first", num_train_epochs=1)
    assert "an earlier run's" not in capsys.readouterr().out
    assert len(list(place.iterdir())) == 3
    second = run_fit("second", num_train_epochs=1)
    assert f"tokens of train, validation, test: an earlier run's, from {place}" in capsys.readouterr().out
    assert second.predictions().equals(first.predictions())
    for name in ("log.jsonl", "model/model.safetensors", "model/tokenizer.json"):
        assert (second.path / name).read_bytes() == (first.path / name).read_bytes(), name
    apart = run_fit("apart", num_train_epochs=1, reuse_tokens=False)
    assert "an earlier run's" not in capsys.readouterr().out
    assert apart.predictions().equals(first.predictions())


def test_code_in_any_folder_counts(tmp_path: Path) -> None:
    package = Path(hfkit.__file__).parent
    assert package == table_cache.PACKAGE
    copy = tmp_path / "hfkit"
    shutil.copytree(package, copy)
    assert table_cache.source_digest(copy) == table_cache.source_digest()
    digests = {table_cache.source_digest(copy)}
    for path in ("store.py", "data/readers/csv_file.py", "tasks/new/room/task.py"):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        with (copy / path).open("a") as file:
            file.write("# another line\n")
        digests.add(table_cache.source_digest(copy))
    assert len(digests) == 4


def test_other_code_makes_tokens_and_splits_anew(
    tiny_bert: Path, splits: DatasetDict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, tokenizer = ready(tiny_bert, splits, max_length=8)
    (tmp_path / "rows.csv").write_text("text,label\nfine film,a\n")
    arguments = DataArguments(dataset=str(tmp_path / "rows.csv"))

    def names() -> tuple[str | None, str | None]:
        return token_cache.reader_digest(task, tokenizer), prepared.key(arguments, "auto", "text-classification")

    before = names()
    assert None not in before
    monkeypatch.setattr(table_cache, "source_digest", lambda: "another")
    assert not set(before) & set(names())
