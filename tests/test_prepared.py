"""Prepared splits are taken again only where nothing that makes them has changed, and are then the same."""

from pathlib import Path
from typing import Any

import pytest

import hfkit
from hfkit.base import table_cache
from hfkit.config import DataArguments, TrainConfig
from hfkit.data import prepared

AGAIN = "splits: an earlier run's, from "


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, and no data set too small to be kept."""
    monkeypatch.setattr(table_cache, "folder", lambda: tmp_path / "kept")
    monkeypatch.setattr(prepared, "FEWEST", 1)
    return tmp_path / "kept"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of 60 reviews, one of them twice."""
    path = tmp_path / "reviews.csv"
    rows = [f"film number {row} was {'good' if row % 2 else 'bad'},{'yes' if row % 2 else 'no'}" for row in range(60)]
    path.write_text("\n".join(["text,label", *rows, rows[7]]) + "\n")
    return path


def load(source: Path | str, **knobs: Any) -> Any:
    """What a run with these knobs loads."""
    return hfkit.load_data(TrainConfig(dataset=str(source), **knobs))


def same(one: Any, other: Any) -> bool:
    """Whether two loads are equal: rows, features and every fact."""
    splits = list(one) == list(other) and all(one[name].to_dict() == other[name].to_dict() for name in one)
    return splits and all(one[name].features == other[name].features for name in one) and one.summary == other.summary


def test_the_same_again_is_read_said_and_equal(source: Path, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    first = load(source)
    said = capsys.readouterr().out
    assert AGAIN not in said
    again = load(source)
    assert capsys.readouterr().out == f"{said}{AGAIN}{place}\n", "the same facts, and where they are from"
    assert same(first, again)
    assert again["train"].cache_files == []
    assert [len(split) for split in again.values()] == [len(split) for split in first.values()]
    assert same(first, load(source, reuse_tokens=False))
    assert AGAIN not in capsys.readouterr().out


def test_a_plain_call_keeps_nothing(source: Path, place: Path) -> None:
    hfkit.load_data(str(source))
    load(source, reuse_tokens=False)
    assert not place.exists()


@pytest.mark.parametrize("change", ["byte", "seed", "sizes", "duplicates", "count", "library", "code"])
def test_any_change_is_read_anew(
    change: str, source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(source)
    changes: dict[str, dict[str, Any]] = {
        "seed": {"data_seed": 1},
        "sizes": {"test_size": 0.2},
        "duplicates": {"keep_duplicates": True},
        "count": {"max_train_samples": 20},
    }
    if change == "byte":
        times = source.stat().st_mtime_ns, source.stat().st_size
        source.write_text(source.read_text().replace("number 13 was good", "number 13 was GOOD"))
        assert source.stat().st_size == times[1], "neither its size nor its name tells"
    elif change == "library":
        monkeypatch.setattr(prepared.hardware, "versions", lambda: {"datasets": "another"})
    elif change == "code":
        monkeypatch.setattr(table_cache, "source_digest", lambda: "another way to split")
    capsys.readouterr()
    anew = load(source, **changes.get(change, {}))
    assert AGAIN not in capsys.readouterr().out
    assert same(first, anew) == (change in ("library", "code"))


def test_a_folder_goes_by_all_its_files(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "train.csv").write_text(source.read_text())
    without = load(folder)
    load(folder)
    assert AGAIN in capsys.readouterr().out
    (folder / "test.csv").write_text("text,label\na new film was good,yes\nanother was bad,no\n")
    given = load(folder)
    assert AGAIN not in capsys.readouterr().out
    assert (len(given["test"]), len(without["test"])) == (2, 6)


@pytest.mark.parametrize("damage", ["bit", "cut", "renamed"])
def test_what_is_damaged_is_made_anew(
    damage: str, source: Path, place: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first = load(source)
    (path,) = place.glob("*.arrow")
    content = path.read_bytes()
    if damage == "bit":
        path.write_bytes(content[:-200] + bytes([content[-200] ^ 1]) + content[-199:])
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:  # a whole file with a right hash, under another data set's name
        load(source, data_seed=1)
        (other,) = set(place.glob("*.arrow")) - {path}
        path.unlink()
        other.rename(place / f"{path.stem.split('-')[0]}-{other.stem.split('-')[1]}.arrow")
    capsys.readouterr()
    assert same(first, load(source))
    assert AGAIN not in capsys.readouterr().out


def test_a_source_that_changes_while_it_is_read_is_not_kept(
    source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["before", "after"])
    monkeypatch.setattr(prepared, "key", lambda *_: next(names))
    load(source)
    assert not place.exists()


def test_only_what_can_be_hashed_is_kept(source: Path, tmp_path: Path) -> None:
    arguments = DataArguments(dataset=str(source))
    assert prepared.key(arguments, "auto", "text-classification")
    assert prepared.key(arguments, "auto", "image-classification") is None
    assert prepared.key(arguments, "auto", None) is None
    assert prepared.key(DataArguments(dataset="imdb"), "auto", "text-classification") is None, "from the Hub"
    assert prepared.key(DataArguments(dataset="someone/else"), "auto", "text-classification") is None
    assert prepared.key(DataArguments(dataset=str(tmp_path / "none.csv")), "auto", "text-classification") is None
    demo = prepared.key(DataArguments(dataset="demo:rotten_tomatoes"), "auto", "text-classification")
    assert demo
    assert demo != prepared.key(DataArguments(dataset="demo:imdb"), "auto", "text-classification")
