"""A store of tables that were dear to make, under HF_HOME: each kept by a hash of everything that it was made from.

A file's name ends with the hash of its content; and a disk that refuses keeps nothing, and fails no run.
"""

import contextlib
import hashlib
import os
import time
from pathlib import Path

import pyarrow as pa

from hfkit.base.atomic import digest, home

LIMIT = 4 * 2**30
"""Bytes that are kept in all; what was not used for the longest time goes first. No table may take a quarter."""

NAME = b"hfkit_name"

PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Where tables are kept: hfkit/kept in the Hub's home (HF_HOME), which is the user's own."""
    return home() / "kept"


def source_digest(package: Path = PACKAGE) -> str:
    """The hash of every source file of hfkit, whatever folder it is in: what other code has made is made anew."""
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        found.update(f"{path.relative_to(package)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def read(name: str) -> pa.Table | None:
    """The table kept under `name`, mapped into memory; None where there is none, or a damaged one."""
    for path in folder().glob(f"{name}-*.arrow"):
        try:
            if path.stem.endswith(f"-{digest(path)['sha256'][:40]}"):
                table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
                if (table.schema.metadata or {}).get(NAME) == name.encode():
                    os.utime(path)
                    return table
            path.unlink()
        except (OSError, pa.ArrowException, ValueError):
            continue
    return None


def write(name: str, table: pa.Table) -> None:
    """Keep a table, in one rename, if the disk lets us."""
    place = folder()
    staged = place / f"{name}.{os.getpid()}.tmp"
    try:
        if table.nbytes > LIMIT // 4:
            return
        place.mkdir(parents=True, exist_ok=True)
        make_room(place, table.nbytes)
        table = table.replace_schema_metadata((table.schema.metadata or {}) | {NAME: name.encode()})
        with pa.OSFile(str(staged), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        staged.replace(place / f"{name}-{digest(staged)['sha256'][:40]}.arrow")
    except (OSError, pa.ArrowException):
        with contextlib.suppress(OSError):
            staged.unlink()


def make_room(place: Path, size: int) -> None:
    """Delete what was used longest ago until `size` bytes fit below the limit; and what a kill left a day ago."""
    for staged in place.glob("*.tmp"):
        if time.time() - staged.stat().st_mtime > 86_400:
            staged.unlink(missing_ok=True)
    files = sorted(((path.stat(), path) for path in place.glob("*.arrow")), key=lambda found: found[0].st_mtime)
    total = size + sum(status.st_size for status, _ in files)
    for status, path in files:
        if total <= LIMIT:
            break
        path.unlink(missing_ok=True)
        total -= status.st_size
