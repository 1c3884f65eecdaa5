"""History: the looks that a monitor has taken, a line each, and where the next one begins."""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from hfkit.base.atomic import digest, whole_file
from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json
from hfkit.config import FileArguments
from hfkit.inference.readers import Row, open_rows
from hfkit.inference.writers import open_writer


class History:
    """`history.jsonl` in the monitor's folder.

    Raises HfkitError: a line of it is damaged."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "history.jsonl"
        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        lines = enumerate(text.splitlines(), start=1)
        self.looks = [read_json(line, f"{self.path}, line {number}", "The line") for number, line in lines]

    def __len__(self) -> int:
        return len(self.looks)

    def refuse_again(self, path: Path) -> None:
        """Refuse a file of which these very bytes were looked at: its rows would count twice."""
        if path.is_file() and any(one.get("sha256") == digest(path)["sha256"] for one in self.looks):
            fix = "give the rows that came since, or --since last for a file that grows"
            raise HfkitError("The file has been looked at before, as it is", where=str(path), fix=fix)

    def last_of(self, name: str) -> dict[str, Any]:
        """The newest look at a file of this name. Raises HfkitError: there is none."""
        found = [one for one in self.looks if one.get("input") == name]
        if not found:
            raise HfkitError(f"No look at {name} stands in {self.path}", fix="the first time without --since last")
        return found[-1]

    def add(self, entry: dict[str, Any]) -> None:
        """Write one more look; readers see the old file or the whole new one."""
        self.looks.append(entry)
        with whole_file(self.path) as staged:
            staged.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in self.looks), "utf-8")


def seen(path: Path, how: FileArguments) -> dict[str, Any]:
    """What a file is known by at a later look: its bytes, and its rows in order. Nothing of a folder."""
    if not path.is_file():
        return {}
    with open_rows(path, how) as source:
        rows, fingerprint = _hashed(source.rows)
    return {"rows_read": rows, "fingerprint": fingerprint, "sha256": digest(path)["sha256"]}


def newer(path: Path, last: dict[str, Any], how: FileArguments, into: Path) -> None:
    """Write the rows of a file that were not there at its last look to a Parquet file. Raises HfkitError: none came, or
    those before have changed."""
    with open_rows(path, how) as source, open_writer(into, source.columns, [], source.schema) as writer:
        if _hashed(islice(source.rows, int(last["rows_read"])))[1] != last["fingerprint"]:
            what = f"The first {last['rows_read']:,} rows are not those of the last look"
            raise HfkitError(what, where=str(path), fix="leave --since last out to look at all of them")
        new = 0
        while rows := [row for _, row in islice(source.rows, 1000)]:
            writer.write(rows)
            new += len(rows)
        if not new:
            raise HfkitError("No row came since the last look", where=str(path), fix="look again when some have")


def _hashed(rows: Iterator[Row]) -> tuple[int, str]:
    """How many rows there are, and a hash of them in order."""
    found, count = hashlib.sha256(), 0
    for _, row in rows:
        found.update(json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass"))
        count += 1
    return count, found.hexdigest()
