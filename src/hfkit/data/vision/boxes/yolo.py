"""YOLO: a text file a picture, an object a line: its class's number, and the middle, width and height of its box."""

from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_text, read_yaml
from hfkit.data.sources.image_folders import SPLITS, pictures_below
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.boxes.objects import Marked, Object, four, hull

LARGEST = 10 << 20
NAMED = ("data.yaml", "dataset.yaml", "data.yml", "classes.txt", "obj.names")
"""Where the names of classes stand, in the folder or in labels/."""


def read_yolo(path: Path) -> list[Object]:
    """The objects of a file; of an outline (class x y x y x y ...) its box. Raises HfkitError: a line is neither."""
    found = []
    for number, line in enumerate(read_text(path, LARGEST).splitlines(), start=1):
        words, where = line.split(), f"{path.name} line {number}"
        if not words:
            continue
        if not words[0].isdecimal() or len(words[0]) > 6:
            raise HfkitError(f"A line begins with the number of a class, and this one with {words[0]!r}", where=where)
        if len(words) == 5:
            box = four(words[1:], where)
        elif len(words) >= 7 and len(words) % 2:
            left, top, right, below = hull(words[1:], where)
            box = (left + right) / 2, (top + below) / 2, right - left, below - top
        else:
            what = f"A line has a class and four numbers, or three points at least; this one has {len(words)} words"
            fix = "six words are answers of a model, with a score: no labels" if len(words) == 6 else None
            raise HfkitError(what, where=where, fix=fix)
        found.append(Object(int(words[0]), box))
    return found


def yolo_tables(root: Path) -> Marked | None:
    """The pictures below a folder with the objects of their text files, by split (train/images, images/train, ...);
    None where no picture has such a file. It lies beside the picture, or in labels/ in the place of images/; a picture
    without one has no object, as YOLO reads it, and is counted. Raises HfkitError: as `read_yolo`."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    files, alone = set[Path](), 0
    for picture in pictures_below(root, []):
        inner = picture.relative_to(root)
        file = next((one for one in _files(root, inner) if one.is_file() and one.name not in NAMED), None)
        alone += file is None
        files |= {file} if file else set()
        split = next((SPLITS[part.lower()] for part in inner.parts[:-1] if part.lower() in SPLITS), "train")
        objects = read_yolo(file) if file else []
        rows.setdefault(split, {})[inner.as_posix()] = {"image": str(picture.absolute()), "objects": objects}
    if not files:
        return None
    notes = [f"{counted(alone, 'picture')} without a text file: no object in them"] if alone else []
    idle = [file for file in root.rglob("labels/**/*.txt") if file not in files and file.name not in NAMED]
    if idle:
        shown = ", ".join(str(file.relative_to(root)) for file in sorted(idle)[:5])
        notes.append(f"{counted(len(idle), 'text file')} of labels/ without a picture, not read: {shown}")
    tables = {}
    for split, found in rows.items():
        columns = {name: [row[name] for row in found.values()] for name in ("image", "objects")}
        columns |= {"size": [None] * len(found), "id": list(found)}
        tables[split] = Table(str(root), columns, list(found), "file", pictures=["image"])
    return Marked(tables, "cxcywh", True, _names(root), notes)


def _files(root: Path, picture: Path) -> list[Path]:
    """Where the text file of a picture may lie."""
    parts = picture.with_suffix(".txt").parts
    at = next((place for place, part in enumerate(parts[:-1]) if part.lower() == "images"), None)
    inner = [] if at is None else [root.joinpath(*parts[:at], "labels", *parts[at + 1 :])]
    return [*inner, root / picture.with_suffix(".txt")]


def _names(root: Path) -> list[str]:
    """The names of the classes, as data.yaml or a file with a name a line has them; none where neither is there."""
    for file in (place / name for place in (root, root / "labels") for name in NAMED):
        if not file.is_file():
            continue
        text = read_text(file, 1 << 20)
        if file.suffix not in (".yaml", ".yml"):
            return [line.strip() for line in text.splitlines() if line.strip()]
        told = read_yaml(text, file)
        names = told.get("names") if isinstance(told, dict) else None
        if isinstance(names, dict) and sorted(names) == list(range(len(names))):
            names = [names[number] for number in range(len(names))]
        if not isinstance(names, list) or not names:
            raise HfkitError("The file has no list of names", where=str(file), fix="names: [cat, dog]")
        return list(map(str, names))
    return []
