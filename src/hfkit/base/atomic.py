"""Disk: files and folders that are there whole or not at all, their hashes, and a full disk as one message."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError, causes

NOT_OURS, FULL = (errno.EACCES, errno.EPERM, errno.EROFS), (errno.ENOSPC, errno.EDQUOT)
"""What a disk says of another user's or a read-only place, and of one that is full or over its quota."""


@contextlib.contextmanager
def writing(path: Path, instead: str = "set --output_dir") -> Iterator[None]:
    """Around what writes `path`: a full, broken or foreign disk is one HfkitError; `instead` leads to another folder.
    Python raises OSError; the libraries in Rust (safetensors, tokenizers) put its number into the text of their own."""
    try:
        yield
    except HfkitError:
        raise
    except Exception as error:
        found = error if isinstance(error, OSError) else in_rust(error)
        if found is None:
            raise
        raise unwritable(path, found, instead) from error


def in_rust(error: BaseException) -> OSError | None:
    """The disk's error that a library in Rust has put into the text of its own."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else None


def refusal(error: BaseException | None) -> OSError | None:
    """The disk's refusal that an error is, or came from: a file that is not ours, a read-only or a full disk."""
    found = (cause if isinstance(cause, OSError) else in_rust(cause) for cause in causes(error))
    told = (one for one in found if one and (one.errno in FULL or (one.errno in NOT_OURS and one.filename)))
    return next(told, None)


def unwritable(path: Path, error: OSError, instead: str = "set --output_dir") -> HfkitError:
    """The message for a disk that is full or a folder that may not be written; `instead` leads to another folder."""
    absent = error.errno in (errno.ENOENT, errno.ENOTDIR) and not path.parent.is_dir()
    first = f"make the folder {path.parent}" if absent else "free space on the disk"
    what = f"{path} cannot be written: {error.strerror or error}"
    return HfkitError(what, fix=f"{first}, or {instead} to a place that you may write")


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old file or the whole new one."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the whole new one."""
    with whole_file(path) as staged:
        staged.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A neighbour to write to, which takes the place of the file `path` in one rename at the block's end. Raises
    OSError: the disk failed. What was at `path` is untouched."""
    staged = path.with_name(f".{path.name}.tmp")
    staged.unlink(missing_ok=True)  # left by a kill; or a link that somebody put there, to be written through
    try:
        yield staged
        sync(staged)
        staged.replace(path)
        sync(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise


@contextlib.contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """As `whole_file`, of files that belong together: all are on the disk before the first takes its place, and where
    one cannot, those before it are put back. A kill between two renames is not undone: write last what names the
    others' hashes. Raises OSError: the disk failed."""
    staged, olds = ([path.with_name(f".{path.name}.{kind}") for path in paths] for kind in ("tmp", "old"))
    try:
        for one in (*staged, *olds):
            one.unlink(missing_ok=True)  # as in `whole_file`
        yield staged
        for one, path, old in zip(staged, paths, olds, strict=True):
            sync(one)
            shutil.copyfile(path, old)
        try:
            for one, path in zip(staged, paths, strict=True):
                one.replace(path)
        except BaseException:
            for path, old in zip(paths, olds, strict=True):
                old.replace(path)
            raise
        for folder in {path.parent for path in paths}:
            sync(folder)
    finally:
        for one in (*staged, *olds):
            with contextlib.suppress(OSError):
                one.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A neighbour to fill, which takes the place of the folder `path` at the block's end, all of it on the disk.

    Between two renames neither is there: what is replaced must be something that can be made again. Raises OSError: the
    disk failed. What was at `path` is there again."""
    staged, old = path.with_name(f".{path.name}.tmp"), path.with_name(f".{path.name}.old")
    try:
        for left in (staged, old):  # by a kill
            shutil.rmtree(left, ignore_errors=True)
        staged.mkdir(parents=True)
        yield staged
        for written in [*staged.rglob("*"), staged]:
            sync(written)
        if path.exists():
            path.rename(old)
        staged.rename(path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def remove(path: Path) -> None:
    """Delete a folder: out of the way in one rename, so that a kill leaves a whole one or none. Raises OSError."""
    doomed = path.with_name(f".{path.name}.old")
    shutil.rmtree(doomed, ignore_errors=True)  # a kill's
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def sync(path: Path) -> None:
    """fsync a file or a folder: without it a rename can reach the disk before the bytes it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot do it, such as some of FUSE's
            raise
    finally:
        os.close(descriptor)


def home() -> Path:
    """Where what is fetched or made once is kept: the folder hfkit in the Hub's home (HF_HOME), the user's own."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "hfkit"


def digest(content: Path | bytes) -> dict[str, Any]:
    """The `sha256` and `bytes` of a file, or of what one will hold."""
    if isinstance(content, bytes):
        return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    with content.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": content.stat().st_size}


def digests(folder: Path) -> dict[str, dict[str, Any]]:
    """The digest of every file in `folder`, by its path in there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest(path) for path in files}


def damage(folder: Path, known: dict[str, dict[str, Any]], hashes: bool = True) -> list[str]:
    """What is wrong with the files of `folder`, a sentence each; empty where all are as their `known` digests say.

    Without `hashes` it is only looked at whether the files are there in their length."""
    found = []
    for name, written in known.items():
        path = folder / name
        try:
            if path.stat().st_size != written["bytes"]:
                found.append(f"{name} has {path.stat().st_size:,} bytes, and {written['bytes']:,} were written")
            elif hashes and digest(path)["sha256"] != written["sha256"]:
                found.append(f"{name} does not have the sha256 that it was written with")
        except OSError as error:
            found.append(f"{name} cannot be read: {error.strerror or error}")
    return found
