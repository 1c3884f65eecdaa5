"""Image sources that are no tables: a folder of classes, the idx files of the MNIST family, digits in a CSV."""

import csv
import gzip
import math
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_text
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.decode import is_picture

SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
          "dev": "validation", "test": "test", "testing": "test"}  # fmt: skip
LARGEST_LIST = 100_000_000  # bytes of a list of names
LARGEST_IDX = 1 << 31  # bytes of pixels: a compressed file may be made to fill the memory. All of EMNIST has 0.6 GB.
PICTURES = frozenset("image images img imgs input inputs frame frames jpegimages picture pictures".split())
MASKS = frozenset("mask masks label labels annotation annotations gt groundtruth ground_truth target targets".split())
MASKS |= frozenset("seg segmentation segmentations segmentationclass annotated labelmask manual truth".split())
"""What folders are called that hold pictures, and the masks of these, by name."""

_FIX = "one folder a class: FOLDER/train/cat/1.png, or FOLDER/cat/1.png"
_MNIST = {"train": "train", "t10k": "test", "test": "test", "validation": "validation"}


def is_image_folder(path: Path) -> bool:
    """Whether the folder holds pictures somewhere below, or idx files."""
    return bool(idx_files(path)) or any(_is_picture(file) for file in path.rglob("*"))


def _is_picture(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file() and is_picture(path)


def pictures_below(folder: Path, left: list[Path]) -> Iterator[Path]:
    """The pictures of a folder and of those in it, by name. What is left out is added to `left`: hidden files, links,
    and files that are no pictures."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink() or not (entry.is_dir() or _is_picture(entry)):
            left.append(entry)
        elif entry.is_dir():
            yield from pictures_below(entry, left)
        else:
            yield entry


def image_tables(folder: Path, skip: bool = False) -> dict[str, Table]:
    """The pictures of a folder by split: `image` (paths), `label` (the name of the class folder) and `id` (the path
    below `folder`). What is not read is in the tables' notes.

    The folder holds train/cat/1.png (`val` or `validation` and `test` optional), or cat/1.png without splits. Pictures
    may lie in further folders below their class. One folder alone is gone through. Raises HfkitError: a symbolic link,
    pictures outside any class, a class folder without a picture (unless `skip`: then counted), or no class at all."""
    root = folder
    while True:
        below = [entry for entry in _visible(folder) if entry.is_dir()]
        if len(below) != 1 or any(_is_picture(entry) for entry in folder.iterdir()) or below[0].name in SPLITS:
            break
        if not any(entry.is_dir() for entry in _visible(below[0])):
            break  # one class: the message is check_counts'
        folder = below[0]
    named = {entry: SPLITS[entry.name.lower()] for entry in below if entry.name.lower() in SPLITS}
    tables: dict[str, Table] = {}
    for place, split in (named or {folder: "train"}).items():
        if split in tables:
            raise HfkitError(f"Two folders claim to be the split {split!r}", where=str(folder), fix=_FIX)
        tables[split] = _split(place, root, skip)
    other = sorted(entry.name for entry in below if named and entry not in named)
    if other:
        tables[next(iter(tables))].notes.append(f"folders not read: {', '.join(other[:10])} ({len(other)} in all)")
    return tables


def _visible(folder: Path) -> list[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))
    for entry in entries:
        if entry.is_symlink():
            what = "A symbolic link is not followed: it could lead anywhere, and to one picture twice"
            raise HfkitError(what, where=str(entry), fix="copy the files, or give the folder that it leads to")
        if re.search("[\udc80-\udcff]", entry.name):  # neither a table nor a report could hold these bytes
            raise HfkitError("A file's name is not UTF-8", where=ascii(str(entry)), fix="rename it")
    return entries


def _files(folder: Path) -> Iterator[Path]:
    for entry in _visible(folder):
        yield from _files(entry) if entry.is_dir() else [entry]


def _split(folder: Path, root: Path, skip: bool) -> Table:
    entries = _visible(folder)
    classes = [entry for entry in entries if entry.is_dir()]
    if not classes:
        raise HfkitError("There are no class folders", where=str(folder), fix=_FIX)
    loose = [entry.name for entry in entries if _is_picture(entry)]
    if loose:
        what = f"{counted(len(loose), 'picture')} in no class folder: {', '.join(loose[:3])}"
        raise HfkitError(what, where=str(folder), fix=_FIX)
    called = [place.name.lower() for place in classes]
    if len(called) == 2 and PICTURES.intersection(called) and MASKS.intersection(called):
        what = f"The folders {' and '.join(called)} hold pictures and a mask for each: no classes of pictures"
        raise HfkitError(what, where=str(folder), fix="choose a --task that learns masks; or rename the folders")
    columns: dict[str, list[str]] = {"image": [], "label": [], "id": []}
    other, empty = [entry.name for entry in entries if not entry.is_dir()], []
    for place in classes:
        files = list(_files(place))
        pictures = [file for file in files if _is_picture(file)]
        other += [file.name for file in sorted(set(files) - set(pictures))]
        empty += [] if pictures else [place.name]
        columns["image"] += [str(file.absolute()) for file in pictures]
        columns["label"] += [place.name] * len(pictures)
        columns["id"] += [file.relative_to(root).as_posix() for file in pictures]
    if (empty and not skip) or not columns["image"]:
        what = f"{counted(len(empty), 'class folder')} without a picture: {', '.join(empty[:10])}"
        fix = "add pictures, remove the folder, or --skip_corrupt to go on without the class"
        raise HfkitError(what, where=str(folder), fix=fix)
    hidden = sum(entry.name.startswith(".") for entry in folder.rglob("*"))
    notes = [f"hidden files and folders of {folder.name} not read: {hidden:,}"] if hidden else []
    if other:
        notes.append(f"{counted(len(other), 'file')} of {folder.name} that are no pictures: {', '.join(other[:5])}")
    if empty:
        notes.append(f"class folders of {folder.name} without a picture: {', '.join(empty)}")
    return Table(str(root), dict(columns), columns["id"], "file", notes=notes, pictures=["image"])


def idx_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Split -> the files of pictures and labels, by the names that the MNIST family gives them."""
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.glob("*idx?-ubyte*")):
        parts = file.name.replace(".", "-").split("-")
        split = next((_MNIST[part] for part in parts if part in _MNIST), None)
        kind = next((part for part in parts if part in ("images", "labels")), None)
        if split and kind and file.is_file():
            found.setdefault(split, {}).setdefault(kind, file)
    return {split: (pair["images"], pair["labels"]) for split, pair in found.items() if len(pair) == 2}


def idx_tables(folder: Path) -> dict[str, Table]:
    """The MNIST family's files as tables of pictures and class numbers. Raises HfkitError: a file is cut off, is no idx
    file, or pictures and labels differ in number."""
    tables = {}
    for split, (images, labels) in idx_files(folder).items():
        shape, pixels = _idx(images, 3)
        count, numbers = _idx(labels, 1)
        if shape[0] != count[0]:
            raise HfkitError(f"There are {shape[0]:,} pictures and {count[0]:,} labels", where=str(images))
        size = shape[1] * shape[2]
        stored = [pgm(shape[2], shape[1], pixels[at : at + size]) for at in range(0, len(pixels), size)]
        tables[split] = Table(str(images), {"image": stored, "label": list(numbers)}, pictures=["image"])
    return tables


def _idx(path: Path, dimensions: int) -> tuple[tuple[int, ...], bytes]:
    """Sizes and bytes of an idx file: two zeros, the type (8: bytes), the number of sizes, the sizes, the data."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            kind, *shape = struct.unpack(f">{1 + dimensions}I", stream.read(4 + 4 * dimensions))
            body = stream.read(min(math.prod(shape), LARGEST_IDX) + 1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise HfkitError(f"The file cannot be read: {error}", where=str(path), fix="fetch it again") from error
    if kind != 0x0800 + dimensions:
        raise HfkitError(f"The file is no idx file of bytes in {dimensions} dimensions", where=str(path))
    if len(body) != math.prod(shape) or not body:
        raise HfkitError(f"The file is cut off: {len(body):,} of {math.prod(shape):,} bytes", where=str(path))
    return tuple(shape), body


def pixel_table(path: Path, width: int, height: int, most: int) -> Table:
    """Pictures written as numbers: a gzipped CSV without a header, the grey values of a picture and its label a row."""
    stored, labels = [], []
    with gzip.open(path, "rt", encoding="ascii") as stream:
        for row in csv.reader(stream):
            values = [round(float(value) * 255 / most) for value in row]
            stored.append(pgm(width, height, bytes(values[: width * height])))
            labels.append(int(float(row[-1])))
    return Table(path.name, {"image": stored, "label": labels}, pictures=["image"])


def pgm(width: int, height: int, pixels: bytes, most: int = 255) -> dict[str, object]:
    """Grey pixels, white being `most`, as the bytes of a file that costs nothing to write or read."""
    return {"bytes": f"P5 {width} {height} {most}\n".encode() + pixels, "path": None}


def image_sets(root: Path, kind: str) -> dict[str, tuple[Path, list[str]]]:
    """By split, the list of ImageSets/`kind` somewhere below `root`, and the names in it, files without their endings.
    trainval.txt and what else is no split is not read. Raises HfkitError: a name stands in two."""
    files = {SPLITS[file.stem]: file for file in sorted(root.rglob(f"ImageSets/{kind}/*.txt")) if file.stem in SPLITS}
    lists = {
        split: (file, [line.split()[0] for line in read_text(file, LARGEST_LIST).splitlines() if line.strip()])
        for split, file in files.items()
    }
    times = Counter(name for _, names in lists.values() for name in names)
    if twice := [name for name, count in times.items() if count > 1]:
        raise HfkitError(f"{twice[0]} stands in several splits", where=str(root), fix=f"mend ImageSets/{kind}")
    return lists
