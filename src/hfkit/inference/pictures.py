"""Pictures of a folder as the rows of a file that is answered."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import FileArguments
from hfkit.data.readers import SUFFIXES
from hfkit.data.sources.image_folders import pictures_below
from hfkit.data.tables.table import counted
from hfkit.data.vision.decode import FORMATS
from hfkit.data.vision.given import FLATTENED
from hfkit.inference.readers import Source

SHOWN = 20
"""Files that a note names."""


@dataclass(frozen=True)
class Pictures:
    """The pictures below a folder, or one, in the order of their names; hidden files, links and others left out."""

    root: Path
    files: list[Path]
    left: list[Path]

    @classmethod
    def below(cls, root: Path, model: Any, how: FileArguments) -> "Pictures":
        """Raises HfkitError: there is no such folder, it is a table, or it holds no picture; a table's dialect."""
        if not root.exists():
            fix = f"{model} reads a folder of images"
            raise HfkitError("There is no such folder", where=f"--input {root}", fix=fix)
        if root.suffix.lower() in SUFFIXES:
            raise HfkitError(f"{model} reads images", where=f"--input {root}", fix="give a folder of images")
        how.check_no_csv(str(root))
        left: list[Path] = []
        files = [root] if root.is_file() else list(pictures_below(root, left))
        if not files:
            fix = f"pictures are {', '.join(FORMATS)} files"
            raise HfkitError("There is no picture in the folder", where=str(root), fix=fix)
        return cls(root, files, left)

    def name(self, file: Path) -> str:
        """The path below the folder as UTF-8 can hold it: bytes that are none are spelt out."""
        name = file.relative_to(self.root).as_posix() if self.root.is_dir() else file.name
        return os.fsencode(name).decode("utf-8", "backslashreplace")

    @property
    def source(self) -> Source:
        """A row a picture: its name as the place, and nothing in it."""
        rows = ((self.name(file), dict[str, Any]()) for file in self.files)
        return Source(str(self.root), [], rows, len(self.files), unit="image")

    def tell(self, bad: list[str], flattened: Sequence[str] = ()) -> None:
        """Say on standard error what was left out, the pictures that got no answer, each with why, and those of which
        the model sees next to nothing."""
        _listed([self.name(entry) for entry in self.left], "file", "left out: hidden, a link or no picture")
        _listed(bad, "image", "got no answer")
        _listed(flattened, "image", f"with {FLATTENED}")


def _listed(which: Sequence[str], noun: str, what: str) -> None:
    if which:
        more = [f"... and {len(which) - SHOWN:,} more"] if len(which) > SHOWN else []
        told = [f"{counted(len(which), noun)} {what}:", *(f"  {one}" for one in which[:SHOWN]), *more]
        print("\n".join(told), file=sys.stderr)
