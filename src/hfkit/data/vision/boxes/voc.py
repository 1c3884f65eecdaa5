"""Pascal VOC: an XML file a picture, splits as lists of names in ImageSets/Main."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import regular_file, xml_parser
from hfkit.data.sources.image_folders import SPLITS, image_sets, pictures_below
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.boxes.objects import Marked, Object, four

LARGEST = 10 << 20
"""Bytes of a file: 40,000 objects."""

DEEP = 100
SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(path: Path) -> tuple[str, tuple[int, int] | None, list[Object]]:
    """The picture's name, its width and height where they are said, and its objects, two corners each, as they stand
    there. Raises HfkitError: it is no such XML, declares entities, or an object has no name or no box."""
    if regular_file(path).stat().st_size > LARGEST:
        raise HfkitError(f"The file has more than {LARGEST:,} bytes, and no picture so many objects", where=str(path))
    inside, text, found = list[str](), list[str](), list[dict[str, Any]]()
    told: dict[str, str] = {}

    def begin(name: str, _: dict[str, str]) -> None:
        inside.append(name)
        text.clear()
        if len(inside) > DEEP:
            where = f"{path.name} line {parser.CurrentLineNumber}"
            raise HfkitError(f"Elements are nested more than {DEEP} deep, and VOC's are four", where=where)
        if inside[1:] == ["object"]:
            found.append({"line": parser.CurrentLineNumber})

    def end(name: str) -> None:
        words, place = "".join(text).strip(), inside[1:]
        if place[:1] == ["object"] and (len(place) == 2 or (len(place) == 3 and place[1] == "bndbox")):
            found[-1][name] = words
        elif len(place) <= 2:
            told["/".join(place)] = words
        inside.pop()
        text.clear()

    with xml_parser(path.name) as parser:
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text.append
        parser.Parse(path.read_bytes(), True)
    size = [told.get(f"size/{side}", "") for side in ("width", "height")]
    sides = (int(size[0]), int(size[1])) if all(side.isdecimal() and len(side) < 9 for side in size) else None
    objects = []
    for one in found:
        where = f"{path.name} line {one['line']}"
        if not one.get("name"):
            raise HfkitError("An object has no name", where=where)
        box = four([one.get(side) for side in SIDES], where)
        objects.append(Object(one["name"], box, one.get("difficult", "0").strip() == "1"))
    return told.get("filename", ""), sides if sides and min(sides) else None, objects


def voc_tables(root: Path, skip: bool = False) -> Marked | None:
    """The XML files below a folder, by split: as lists of ImageSets/Main say it (train, val, test), else as folders are
    called; None where there are none. A file is of the picture that is called as it is, or as it says, beside it or
    anywhere below; `skip` leaves out what has none. Coordinates that begin with 1, as VOC counts pixels, become those
    that begin with 0. Raises HfkitError: as `read_voc`; a picture or an XML file that is missing."""
    files = sorted(file for file in root.rglob("*.xml") if not any(part.startswith(".") for part in file.parts[1:]))
    if not files:
        return None
    below: dict[str, list[Path]] = {}
    for picture in pictures_below(root, []):
        for name in {picture.name, picture.stem}:
            below.setdefault(name, []).append(picture)
    rows: dict[str, dict[str, Any]] = {}
    alone = []
    for file in files:
        name, size, objects = read_voc(file)
        paths = below.get(file.stem) or below.get(Path(name.replace("\\", "/")).name) or []
        near = [path for path in paths if path.parent == file.parent] or paths
        if len(near) != 1:
            alone.append(f"{file.relative_to(root)} ({len(near)} pictures)")
            continue
        image = os.path.realpath(near[0])
        rows[str(file.relative_to(root))] = {"image": image, "objects": objects, "size": size, "stem": file.stem}
    if alone and not (skip and rows):
        what = f"{counted(len(alone), 'XML file')} without one picture of its name: {', '.join(alone[:5])}"
        raise HfkitError(
            what, where=str(root), fix="add the pictures, or --skip_corrupt leaves such files out, counted"
        )
    notes = [f"{counted(len(alone), 'XML file')} without a picture left out: {', '.join(alone[:5])}"] if alone else []
    lowest = min((min(one.box[:2]) for row in rows.values() for one in row["objects"]), default=0)
    if lowest >= 1:
        notes.append("coordinates begin with 1, as VOC counts pixels: 1 is taken off the left and upper ones")
        for row in rows.values():
            row["objects"] = [_from_zero(one) for one in row["objects"]]
    tables = {split: _table(root, {id: rows[id] for id in ids}) for split, ids in _splits(root, rows, notes).items()}
    return Marked(tables, "xyxy", False, notes=notes)


def _from_zero(one: Object) -> Object:
    left, top, right, below = one.box
    flat = right <= left or below <= top  # stays one: a slip of the mouse, and no object of one pixel
    return one if flat else replace(one, box=(left - 1, top - 1, right, below))


def _splits(root: Path, rows: dict[str, dict[str, Any]], notes: list[str]) -> dict[str, list[str]]:
    """The ids of each split."""
    lists = image_sets(root, "Main")
    if not lists:
        found: dict[str, list[str]] = {}
        for id in rows:
            split = next((SPLITS[part.lower()] for part in Path(id).parts[:-1] if part.lower() in SPLITS), "train")
            found.setdefault(split, []).append(id)
        return found
    by_stem = {row["stem"]: id for id, row in rows.items()}
    splits: dict[str, list[str]] = {}
    for split, (file, named) in lists.items():
        missing = [name for name in named if name not in by_stem]
        if missing:
            what = f"{counted(len(missing), 'name')} of the split {split!r} without an XML file and a picture"
            raise HfkitError(f"{what}: {', '.join(missing[:5])}", where=str(file), fix="mend the list")
        splits[split] = [by_stem[name] for name in named]
    if rest := len(rows) - sum(map(len, splits.values())):
        notes.append(f"{counted(rest, 'XML file')} in no list of ImageSets/Main, not read")
    return splits


def _table(root: Path, rows: dict[str, dict[str, Any]]) -> Table:
    columns = {name: [row[name] for row in rows.values()] for name in ("image", "objects", "size")}
    return Table(str(root), columns | {"id": list(rows)}, list(rows), "file", pictures=["image"])
