"""The disk: files and folders are there whole or as they were before, and a disk that fails is one message."""

import errno
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from hfkit.base import atomic
from hfkit.base.errors import HfkitError


def failing(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_file_is_the_old_one_until_it_is_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic.whole_file(path) as staged:
        staged.write_text("new")
        assert path.read_text() == "old" and staged.parent == path.parent
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    atomic.write_json(path, {"old": 1})
    place = {"write": (Path, "write_text"), "fsync": (os, "fsync"), "replace": (Path, "replace")}[broken]
    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output error"):
        patch.setattr(*place, failing)
        atomic.write_json(path, {"new": 2})
    assert path.read_text() == '{\n  "old": 1\n}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_link_in_the_staging_place_is_not_written_through(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("untouched")
    (tmp_path / ".a.txt.tmp").symlink_to(secret)
    atomic.write_text(tmp_path / "a.txt", "new")
    assert secret.read_text() == "untouched" and (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("broken", ["fsync", "rename", None])
def test_a_folder_is_there_whole_or_as_it_was(
    before: str | None, broken: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    if before:
        path.mkdir()
        (path / "weights").write_text(before)
    for name in (".model.tmp", ".model.old"):  # a kill's
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("half")

    rename, calls = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(self.name)
        if self.name == ".model.tmp":
            failing()
        return rename(self, target)

    with monkeypatch.context() as patch:
        if broken:
            patch.setattr(os if broken == "fsync" else Path, broken, failing if broken == "fsync" else second_fails)
        try:
            with atomic.whole_folder(path) as staged:
                (staged / "sub").mkdir()
                (staged / "sub" / "weights").write_text("new")
            assert broken is None
        except OSError as error:
            assert broken and error.errno == errno.EIO
    found = {file.relative_to(tmp_path).as_posix(): file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    old = {"model/weights": before} if before else {}
    assert found == (old if broken else {"model/sub/weights": "new"})


def test_remove_takes_a_folder_out_of_sight_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the middle of deleting leaves no half of a folder under its name."""
    place = tmp_path / "step-000004"
    place.mkdir()
    (place / "model").write_text("weights")
    with monkeypatch.context() as patch:
        patch.setattr(atomic.shutil, "rmtree", lambda *_, **__: None)
        atomic.remove(place)
    assert [entry.name for entry in tmp_path.iterdir()] == [".step-000004.old"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (SafetensorError("I/O error: File too large (os error 27)"), os.strerror(27)),
    ],
)
def test_a_disk_that_fails_is_one_message(error: Exception, said: str) -> None:
    with pytest.raises(HfkitError, match=said) as caught, atomic.writing(Path("runs/a"), "set --elsewhere"):
        raise error
    assert "runs/a cannot be written" in caught.value.what and "--elsewhere" in str(caught.value.fix)


def test_other_errors_keep_their_name() -> None:
    with pytest.raises(SafetensorError, match="no tensors"), atomic.writing(Path("runs/a")):
        raise SafetensorError("no tensors")


@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_without_sync_is_no_error(
    number: int, raised: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    try:
        atomic.sync(tmp_path)
        assert not raised
    except OSError as error:
        assert raised and error.errno == number


def test_damage_names_each_file_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    for name in ("whole", "shorter", "flipped", "gone", "sub/whole"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"abcdef")
    known = atomic.digests(tmp_path)
    assert sorted(known) == ["flipped", "gone", "shorter", "sub/whole", "whole"]
    assert atomic.damage(tmp_path, known) == []
    (tmp_path / "shorter").write_bytes(b"abc")
    (tmp_path / "flipped").write_bytes(b"abcdeg")
    (tmp_path / "gone").unlink()
    assert atomic.damage(tmp_path, known) == [
        "flipped does not have the sha256 that it was written with",
        "gone cannot be read: No such file or directory",
        "shorter has 3 bytes, and 6 were written",
    ]
    assert len(atomic.damage(tmp_path, known, hashes=False)) == 2, "without reading, lengths alone tell"
