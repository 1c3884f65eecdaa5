"""Pictures: the column of a table that holds images, each looked at once before anything is trained on it."""

import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hfkit.base.errors import HfkitError
from hfkit.data.sources.image_folders import SPLITS, pictures_below
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.decode import SUFFIXES, BadImage, Facts, examine
from hfkit.data.vision.pixels import FEW
from hfkit.tasks import discover

NAMES = ("image", "img", "picture", "photo", "image_path", "image_file_path", "file_name", "filename", "filepath",
         "path", "file")  # fmt: skip
SHOWN = 5
_TRICKS = re.compile(r"\\|^[A-Za-z]:|:|\0")


def image_column(table: Table, asked: str | None) -> str | None:
    """The column that holds pictures: the one asked for, a declared one, else one of paths; None if there is none."""
    if asked is not None:
        table.known(asked)
        return asked
    if table.pictures:
        return table.pictures[0]
    order = [*filter(None, (table.first_of([name]) for name in NAMES)), *table.columns]
    found = next((name for name in order if _paths(table, name)), None)
    if found is None and Path(table.origin).exists():
        below = names_below(_root(table))
        found = next((name for name in order if below and _names(table, name, below)), None)
    return found


def _paths(table: Table, name: str) -> bool:
    """Whether most of the first values are pictures or paths of some: a bad one is told by its row."""
    values = [value for value in table.head(name, 100) if value not in (None, "")]
    if any(isinstance(value, dict) and "bytes" in value for value in values):
        return True
    return sum(isinstance(value, str) and value.lower().endswith(SUFFIXES) for value in values) > len(values) / 2


def _names(table: Table, name: str, below: dict[str, list[Path]]) -> bool:
    """Whether most of the first values are names, each of one picture and hardly any twice."""
    values = [str(value).removeprefix("./") for value in table.head(name, 100) if value not in (None, "")]
    return len({value for value in values if len(_of_split(below.get(value, []), "train")) == 1}) > len(values) / 2


def _of_split(found: list[Path], split: str) -> list[Path]:
    """Of several pictures of one name those in a folder named after the split (train, train_images), if there are."""
    words = [re.split(r"[\W_]+", file.parent.name.lower()) for file in found]
    return [file for file, said in zip(found, words, strict=True) if split in map(SPLITS.get, said)] or found


def _root(table: Table) -> Path:
    """The folder that a table's paths are seen from."""
    origin = Path(table.origin)
    return origin if origin.is_dir() else origin.parent


def names_below(root: Path) -> dict[str, list[Path]]:
    """What may name a picture in a folder below -> the pictures: the ends of its path, with and without its ending."""
    found: dict[str, list[Path]] = {}
    for file in pictures_below(root, []):
        parts = file.relative_to(root).parts
        for start in range(len(parts)):
            name = "/".join(parts[start:])
            for key in {name, name.removesuffix(file.suffix)}:
                found.setdefault(key, []).append(file)
    short: dict[str, list[Path]] = {}  # a spreadsheet makes 17 of the id 0017
    for stem, files in found.items():
        if stem.isascii() and stem.isdecimal() and stem[0] == "0":
            short.setdefault(str(int(stem)), []).extend(files)
    return short | found


def examined(table: Table, column: str, split: str, skip: bool) -> tuple[list[str], set[int], list[str]]:
    """As `looked_at`, with a digest of each picture's pixels, nothing for the rows that hold none."""
    found, bad, notes = looked_at(table, column, split, skip)
    return [one.digest if one is not None else "" for one in found], bad, notes


def looked_at(table: Table, column: str, split: str, skip: bool) -> tuple[list[Facts | None], set[int], list[str]]:
    """Decodes every picture of a split once, in threads: what each one is, the rows that hold none, and notes. Paths in
    a table become paths that can be opened: seen from the table's folder, and inside it. Raises HfkitError: a picture
    is missing, damaged or a bomb, unless `skip`; a path leads out of the folder."""
    notes: list[str] = []
    table.columns[column] = stored = located(table, column, split, notes)
    # Decoding leaves Python's lock alone, so threads do.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(_look, (stored[row] for row in range(len(stored)))))
    bad = {row: what for row, what in enumerate(found) if isinstance(what, str)}
    if bad and not skip:
        what = f"{counted(len(bad), 'image')} of {split} cannot be used; the first {next(iter(bad.values()))}"
        fix = "mend or remove them, or --skip_corrupt to go on without them, counted"
        raise HfkitError(what, where=table.places([*bad]), fix=fix)
    if len(bad) == len(found):
        raise HfkitError(f"No image of {split} can be used", where=table.places([*bad]))
    if bad:
        listed = [f"{table.place(row)} {what}" for row, what in list(bad.items())[:SHOWN]]
        more = f"; and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
        notes.append(f"{counted(len(bad), 'image')} of {split} skipped: {'; '.join(listed)}{more}")
    facts = [one for one in found if isinstance(one, Facts)]
    moving, halved = sum(one.frames > 1 for one in facts), sum(one.halved for one in facts)
    notes += [f"{counted(moving, 'animation')} in {split}: the first frame is used"] if moving else []
    notes += [f"{counted(halved, 'image')} in {split} of 16 bits a colour: Pillow reads the upper 8"] if halved else []
    deep = [one.deep for one in facts if one.deep is not None]
    if deep:
        lows, firsts, lasts, highs = np.array(deep).T
        table.deep = float(lows.min()), float(firsts.min()), float(lasts.max()), float(highs.max())
        ends = f"from {table.deep[0]:,g} to {table.deep[-1]:,g}"
        notes.append(f"{counted(len(deep), 'image')} of {split} with pixels {ends} in place of 8 bits")
    notes.append(_described(split, facts))
    return [one if isinstance(one, Facts) else None for one in found], set(bad), notes


def _look(stored: Any) -> Facts | str:
    value = stored.as_py() if hasattr(stored, "as_py") else stored
    if value is None or value == "":
        return "is missing"
    try:
        return examine(value)
    except BadImage as error:
        gone = isinstance(value, str) and not Path(value).exists()
        return f"{error}: {value}, or one of its name in a folder below" if gone else str(error)


def _described(split: str, facts: Sequence[Facts]) -> str:
    """The sizes of a split in a line: `images of train: 8 x 8, grey`."""
    sizes = Counter((what.width, what.height) for what in facts)
    (width, height), _ = sizes.most_common(1)[0]
    size = f"{width} x {height}"
    if len(sizes) > 1:
        sides = [min(what.width, what.height) for what in facts], [max(what.width, what.height) for what in facts]
        size = f"{len(sizes):,} sizes, sides from {min(sides[0])} to {max(sides[1])} pixels, most often {size}"
    grey = sum(what.grey for what in facts)
    colour = "grey" if grey == len(facts) else "colour" if not grey else f"{grey:,} of {len(facts):,} grey"
    return f"images of {split}: {size}, {colour}"


def pixel_range(tables: Mapping[str, Table], asked: Sequence[float], notes: list[str]) -> list[float] | None:
    """What becomes black and white of pixels of more than 8 bits: what is asked for, else the range of the training
    images, whose levels are so kept. What that does is added to `notes`."""
    train = tables["train"]
    if asked and not (len(asked) == 2 and -math.inf < asked[0] < asked[1] < math.inf):
        raise HfkitError(f"pixel_range {list(asked)} is no range", fix="give two numbers, the smaller one first")
    if train.deep is None:
        if asked:
            notes.append("--pixel_range has no effect: no training image has more than 8 bits")
        for role, table in tables.items():
            if table.deep is not None and not asked:
                notes.append(f"training images have 8 bits, some of {role} more: 0 to 65,535 become their 256 levels")
        return list(asked) or None
    low, first, last, high = train.deep
    black, white = asked or (low, max(high, low + 1))
    notes.append(f"pixels of more than 8 bits: {black:,g} to {white:,g} become the grey levels 0 to 255")
    levels = 255 * (min(last, white) - max(first, black)) / (white - black)
    if levels < FEW and last > first:
        notes[-1] += f"; 99 % of them lie from {first:,g} to {last:,g}, {max(levels, 0):.0f} of the 256 levels:"
        notes[-1] += f" --pixel_range {first:g} {last:g} shows more of them"
    return [black, white]


def located(table: Table, column: str, split: str, notes: list[str]) -> Any:
    """The column with every path made whole. What is not a path stays as it is. A name of no file, an id without an
    ending or one whose file lies further below, stands for the picture of that name; `notes` say how many did."""
    stored = table.columns[column]
    some = stored if isinstance(stored, list) else table.head(column, 100)
    if table.unit == "file" or not any(isinstance(value, str | int) and value != "" for value in some):
        return stored
    values = [str(value) if isinstance(value, int) else value for value in table.column(column)]
    root = _root(table)
    if not root.is_dir():
        raise HfkitError(f"The column {column!r} holds paths, and the data set has no folder", where=table.origin)
    root = root.resolve()
    bad = [row for row, value in enumerate(values) if isinstance(value, str) and _leads_out(root, value)]
    if bad:
        what = f"{counted(len(bad), 'path')} of {column!r} may not be followed: {values[bad[0]]!r}"
        fix = f"write paths below {root.name or root}/ with forward slashes, such as images/cat/1.png"
        raise HfkitError(what, where=table.places(bad), fix=fix)
    below: dict[str, list[Path]] | None = None
    by_name = []
    for row, value in enumerate(values):
        if not isinstance(value, str) or not value:
            continue
        file = root / value
        if not file.is_file():
            below = names_below(root) if below is None else below
            named = _of_split(below.get(value.removeprefix("./"), []), split)
            if len(named) > 1:
                paths = [one.relative_to(root).as_posix() for one in named]
                what = f"{value!r} names {len(named)} pictures: {', '.join(paths[:3])}"
                raise HfkitError(what, where=table.place(row), fix=f"write the path, seen from {root.name or root}/")
            by_name += [row] if named else []
            file = named[0] if named else file
        values[row] = str(file)
    if by_name:
        notes.append(f"{counted(len(by_name), 'image')} of {split} found by name, as {values[by_name[0]]}")
    return values


def unnamed(location: str, tables: dict[str, Table], column: str | None) -> list[str]:
    """What is said of the pictures in a folder that no row of its tables names."""
    columns = [table.columns[column] for table in tables.values() if column and table.unit != "file"]
    paths = [value for values in columns if isinstance(values, list) for value in values if isinstance(value, str)]
    root, named = Path(location).resolve(), {os.path.realpath(path) for path in paths}
    rest = [file for file in pictures_below(root, []) if str(file) not in named] if named and root.is_dir() else []
    said = f"{counted(len(rest), 'picture')} that no row names, not used, such as"
    return [f"{said} {file.relative_to(root)}" for file in rest[:1]]


def _leads_out(root: Path, value: str) -> bool:
    """A path of Windows, one with `..`, or one that ends outside the folder, by a link too."""
    if PurePosixPath(value).is_absolute():
        return not Path(value).resolve().is_relative_to(root)
    return bool(_TRICKS.search(value)) or ".." in value.split("/") or not (root / value).resolve().is_relative_to(root)


def stored_column(table: Table, column: str, rows: Sequence[int]) -> Any:
    """The undecoded pictures of some rows as an Arrow array of {"bytes", "path"}: datasets' own form."""
    import datasets
    import pyarrow as pa

    values = table.columns[column]
    if isinstance(values, list):
        kept = [values[row] for row in rows]
        return pa.array([value if isinstance(value, dict) else {"bytes": None, "path": value} for value in kept],
                        type=datasets.Image().pa_type)  # fmt: skip
    if len(rows) == len(values):
        return values  # stays in the file that it is mapped from
    mask = np.isin(np.arange(len(values)), rows)
    return values.filter(pa.array(mask))  # rows stand in the source's order, and a chunk alone never overflows


def pictured(
    table: Table, rows: Sequence[int], images: Mapping[str, str], held: Mapping[str, Any], kinds: Mapping[str, Any]
) -> Any:
    """Rows of a table as a data set: pictures, undecoded, of the table's columns that `images` names, after `id`, and
    what is `held` beside them, of the `kinds` that `datasets.Features` takes."""
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo, Features, Image, concatenate_datasets

    stored = {name: stored_column(table, column, rows) for name, column in images.items()}
    features = Features({name: Image() for name in stored})
    pictures = Dataset(pa.table(stored), info=DatasetInfo(features=features))
    beside = Dataset.from_dict(dict(held), features=Features(dict(kinds)))
    order = ["id", *stored, *(name for name in held if name != "id")]
    return concatenate_datasets([pictures, beside], axis=1).select_columns(order)


def reads_images(task: str | None) -> bool:
    """Whether a task looks at pictures; None says nothing of it."""
    return task is not None and "image" in discover.find(task).reads


def wanted(tables: dict[str, Table], asked: str | None, task: str | None, dataset: str) -> str | None:
    """The column of pictures that is to be read; None where texts are. HfkitError where the task wants the other."""
    first = next(iter(tables.values()))
    if asked is None and not first.pictures and not reads_images(task):
        return None
    if asked is None and task is not None and not reads_images(task):
        those = [spec.name for spec in discover.specs() if reads_images(spec.name)]
        raise HfkitError(f"{dataset} holds images", fix=f"say --task {' or '.join(those)}")
    found = image_column(first, asked)
    if found is None:
        there = ", ".join(list(first.columns)[:20])
        what = "No column holds images, paths, or names of pictures that lie beside the file or below"
        fix = "name it with --image_column: paths seen from the file's folder, or images of a Hub data set"
        raise HfkitError(f"{what}; there are {there}", where=first.origin, fix=fix)
    return found
