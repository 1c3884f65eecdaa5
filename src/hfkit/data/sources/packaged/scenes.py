"""Scenes: pictures with their objects in one JSON file, the pixels in base64."""

import base64
from pathlib import Path

from hfkit.base.untrusted import read_json_file
from hfkit.data.tables.table import Table


def scenes(path: Path) -> Table:
    """The scenes of a file that code of ours has made: `id`, `split`, `image` and what is known of each."""
    rows = read_json_file(path)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["image"] = [{"bytes": base64.b64decode(row["image"]), "path": None} for row in rows]
    return Table(path.name, columns, pictures=["image"])
