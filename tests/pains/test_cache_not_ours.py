"""A Hub cache of another user, read-only or full, ends every command in a traceback, though it holds the model.

Threads: huggingface_hub#2797
"""

import builtins
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hub_store import Repository
from huggingface_hub import HfApi, snapshot_download

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.models.names import locate

pytestmark = pytest.mark.pain("cache-not-ours")

NAME = "tester/films"


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch, hub: Any, tmp_path: Path) -> Any:
    """`refusing(errno)`: from now on the Hub's cache takes no new folder and no new file."""
    cache, mkdir, makedirs, opened = tmp_path / "hub-cache", Path.mkdir, os.makedirs, Path.open
    repository: Repository = hub.store.create("model", NAME)
    files = {"config.json": hub.store.keep(b"{}"), "model.safetensors": hub.store.keep(b"weights")}
    files["tokenizer.json"] = hub.store.keep(b"{}")
    repository.commit("main", "a model", files)

    def refuse(number: int) -> None:
        def check(path: Any) -> None:
            if Path(path).is_relative_to(cache) and not Path(path).exists():
                raise OSError(number, os.strerror(number), str(path))

        def make(self: Path, *rest: Any, **more: Any) -> None:
            check(self)
            mkdir(self, *rest, **more)

        def make_all(path: Any, *rest: Any, **more: Any) -> None:
            check(path)
            makedirs(path, *rest, **more)

        def refused_to(open_: Any) -> Any:
            def call(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
                if set(mode) & set("wax") and Path(str(file)).is_relative_to(cache):
                    raise OSError(number, os.strerror(number), str(file))
                return open_(file, mode, *rest, **more)

            return call

        monkeypatch.setattr(Path, "mkdir", make)
        monkeypatch.setattr(os, "makedirs", make_all)
        monkeypatch.setattr(Path, "open", refused_to(opened))
        monkeypatch.setattr(builtins, "open", refused_to(open))

    refuse.newer = lambda: repository.commit("main", "newer", files | {"config.json": hub.store.keep(b'{"a": 1}')})
    return refuse


def test_upstream_ends_in_a_traceback_though_it_holds_a_commit(refusing: Any, hub: Any) -> None:
    snapshot_download(NAME)
    refusing.newer()
    refusing(errno.EACCES)
    with pytest.raises(PermissionError):
        snapshot_download(NAME)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_hfkit_takes_the_commit_that_the_cache_holds(
    refusing: Any, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(snapshot_download(NAME))
    refusing.newer()
    refusing(number)
    assert locate(NAME) == before == hfkit.pull(NAME)
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 2 and f"at commit {before.name}" in said


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", [locate, hfkit.pull])
def test_hfkit_says_in_one_message_what_refuses(refusing: Any, hub: Any, number: int, call: Any) -> None:
    refusing(number)
    with pytest.raises(HfkitError, match=r"cannot be kept in the Hub's cache: (?s:.*)hub-cache(?s:.*)HF_HOME"):
        call(NAME)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_hfkit_says_so_of_a_data_set_whose_lock_stands_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, hub: Any, number: int
) -> None:
    """datasets locks its cache even to read what is there."""
    lock = "/home/anna/.cache/huggingface/datasets/films.lock"

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number), lock)

    monkeypatch.setattr("datasets.load_dataset", refused)
    with pytest.raises(
        HfkitError, match=r"data set tester/films cannot be kept in the Hub's cache(?s:.*)HF_HOME"
    ) as told:
        hfkit.load_data(NAME)
    assert told.value.where == lock


def test_hfkit_tells_any_other_refusal_of_the_disk_in_one_message(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/home/anna/.cache/huggingface/token")

    monkeypatch.setattr(HfApi, "__init__", refused)
    monkeypatch.setattr("hfkit.hub.upload.publishing.get_token", refused)
    with pytest.raises(SystemExit) as ended:
        main(["push", str(tiny_run), NAME])
    said = capsys.readouterr().err
    assert ended.value.code == 1 and "/home/anna/.cache/huggingface/token" in said and "HF_HOME" in said
