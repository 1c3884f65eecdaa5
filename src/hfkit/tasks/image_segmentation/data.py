"""load: pictures with a class for each pixel, as checked splits."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import ClassLabel, List

from hfkit.base.errors import HfkitError, after
from hfkit.base.untrusted import read_text
from hfkit.config import DataArguments
from hfkit.data.labels.names import ends
from hfkit.data.sources.source import Source, on_disk, open_source
from hfkit.data.splits import rarest, settled_pictures
from hfkit.data.summary import LoadedData, finished_pictures
from hfkit.data.tables.columns import group_of, row_ids
from hfkit.data.tables.roles import choose_alone
from hfkit.data.tables.rows import Rows, units
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.coco import coco_files, mask_table
from hfkit.data.vision.decode import Facts
from hfkit.data.vision.masks.label_studio import studio_table
from hfkit.data.vision.masks.pairs import pair_tables
from hfkit.data.vision.masks.values import VOID, Legend, Values, class_table, counted_values, legend_of, read_mask
from hfkit.data.vision.pictures import image_column, located, looked_at
from hfkit.data.vision.pixels import BadImage
from hfkit.tasks.image_segmentation.config import MaskColumns

MASK_NAMES = ("mask", "annotation", "label", "labels", "segmentation", "segmentation_mask", "mask_path", "label_path",
              "semantic_mask", "ground_truth", "gt", "pixel_values_mask")  # fmt: skip
TABLES = ("class_dict.csv", "labelmap.txt", "classes.csv")


@dataclass
class Arguments(MaskColumns, DataArguments):
    """All that a data set can be asked for, and how its masks are read."""


@dataclass(frozen=True)
class Held:
    """What a row's mask holds, for `hfkit.data.splits`: equal pictures with unlike masks are told."""

    classes: tuple[int, ...]
    digest: str


def load(arguments: Arguments, only_test: bool = False, label_names: list[str] | None = None) -> LoadedData:
    """Pictures with masks as three splits, or with `only_test` the test split alone (of a single file or folder, all).

    Folders of pictures and masks, COCO's JSON, a table of paths, or a data set with two columns of images. Columns
    `id`, `image`, `mask` (a grey PNG of class ids, 255 void), `label` (the classes that it holds) and, where one is
    asked for, `group`. `label_names` are a model's classes, to which those of the data are matched by name. Raises
    HfkitError: as `hfkit.load_data`; a mask that is missing, of another size than its picture, or of values of which no
    class is known."""
    opened = _paired(arguments) or open_source(arguments, images=True)
    tables, notes = choose_alone(opened, arguments, only_test)
    with after(notes):
        image, mask = _columns(tables, opened, arguments)
        splits, legend = _rows(tables, image, mask, opened, arguments, label_names, notes)
        names = legend.names
        splits, levels = settled_pictures(splits, rarest, arguments, opened.card, notes)
        for role, rows in splits.items():
            there = {one for held in rows.label for one in held.classes}
            absent = [name for id, name in enumerate(names) if id not in there]
            notes += [f"{role}: no pixel of {', '.join(absent[:20])}"] if absent else []
    return _finish(
        opened, {"test": splits["test"]} if only_test else splits, names, (image, mask), levels, notes, arguments
    )


def _paired(arguments: Arguments) -> Source | None:
    """The folders of pictures and masks, or the files of COCO or Label Studio, that `--dataset` names; None where it
    names others."""
    name = arguments.dataset.strip()
    path = on_disk(name)
    if path is None:
        return None
    if path.is_dir() and (tables := pair_tables(path, arguments.skip_corrupt)):
        arguments.check_no_csv(str(path))
        return Source.of_tables(name, path, tables)
    files = coco_files(path)
    tables = {split: mask_table(file, path if path.is_dir() else path.parent) for split, file in files.items()}
    if not tables:
        table = studio_table(path)
        return Source.of_tables(name, path, {"train": table}) if table else None
    if len({tuple(table.label_names["mask"]) for table in tables.values()}) > 1:
        raise HfkitError("The COCO files have different categories", where=", ".join(map(str, files.values())))
    return Source.of_tables(name, path, tables)


def _columns(tables: dict[str, Table], opened: Source, arguments: Arguments) -> tuple[str, str]:
    """The columns of pictures and of masks, by flag, by card, by name."""
    table, given = next(iter(tables.values())), opened.card.columns if opened.card else {}
    asked = arguments.mask_column or given.get("label")
    if asked:
        table.known(asked)
    mask = asked or table.first_of(MASK_NAMES) or next(iter(table.pictures[1:]), None)
    image = arguments.image_column or given.get("image") or table.first_of(["image", "img", "pixel_values"], [mask])
    if image:
        table.known(image)
    image = image or image_column(table, None)
    if table.unit == "file" and "mask" not in table.columns:
        mask = None  # a folder of classes: its `label` is none of pixels
    if image is None or mask is None or image == mask:
        what = f"No column holds {'images' if image is None else 'masks'}; there are {', '.join(table.columns)}"
        fix = "say --image_column and --mask_column; or give a folder with image/ and mask/, or COCO's JSON"
        raise HfkitError(what, where=table.origin, fix=fix)
    return image, mask


def _rows(
    tables: dict[str, Table],
    image: str,
    mask: str,
    opened: Source,
    arguments: Arguments,
    known: list[str] | None,
    notes: list[str],
) -> tuple[dict[str, Rows], Legend]:
    """The rows of every split: `inputs` are digests of the pictures, `label` what their masks hold; and the classes."""
    values, bad, facts = Values(), dict[str, dict[int, str]](), dict[str, list[Facts | None]]()
    for role, table in tables.items():
        facts[role], missing, told = looked_at(table, image, role, arguments.skip_corrupt)
        table.columns[mask] = _stored(located(table, mask, role, notes))
        bad[role] = dict.fromkeys(missing, "")
        notes += told
    known_values, names = _given(tables, mask, opened, arguments, known)
    coloured = any(value > 0xFFFF for value in known_values or ())
    for colours in dict.fromkeys((coloured, True)):
        values = Values()
        for role in tables:
            bad[role] |= _surveyed(tables[role].columns[mask], facts[role], values, colours)
        if colours or not values.coloured:
            break
    for role in tables:
        _check(tables[role], role, {row: why for row, why in bad[role].items() if why}, arguments.skip_corrupt, notes)
    legend = legend_of(values, notes, names, known_values, arguments.ignore_index)
    splits = {}
    for role, of in tables.items():
        stored = of.columns[mask]

        def kept(row: int, stored: Any = stored, role: str = role) -> bytes | None:
            return None if row in bad[role] else legend.apply(read_mask(stored[row], colours))

        of.columns["mask"] = [{"bytes": one, "path": None} for one in _threads(kept, range(len(of)))]
        label = [_held(one["bytes"]) for one in of.columns["mask"]]
        digests = [one.digest if one else "" for one in facts[role]]
        unit = units(of, opened.card.blocks if opened.card else None, group_of(arguments, opened.card))
        ids = [str(one) for one in of.columns["id"]] if of.unit == "file" else row_ids(of, role, [image, mask])
        rows = Rows(of, list(range(len(of))), ids, {"image": digests}, label, unit).without(bad[role])
        if not len(rows):
            raise HfkitError(f"No row of {role} has an image and a mask", where=of.origin)
        splits[role] = rows
    return splits, legend


def _stored(column: Any) -> list[Any]:
    return column if isinstance(column, list) else column.to_pylist()


def _threads(made: Callable[[int], Any], rows: Sequence[int]) -> list[Any]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(made, rows))


def _held(mask: bytes | None) -> Held:
    if mask is None:
        return Held((), "")
    ids, _ = counted_values(read_mask(mask).pixels)
    return Held(tuple(ids[ids != VOID].tolist()), hashlib.sha256(mask).hexdigest()[:16])


def _given(
    tables: dict[str, Table], mask: str, opened: Source, arguments: Arguments, known: list[str] | None
) -> tuple[dict[int, str] | None, list[str]]:
    """What the user, a file beside the data, the source or its card says of the classes; else the model's own."""
    root = Path(opened.location)
    beside = [root / name for name in TABLES] if root.is_dir() else []
    asked = [Path(arguments.class_table)] if arguments.class_table else [file for file in beside if file.is_file()]
    if asked and not arguments.class_names:
        return class_table(read_text(asked[0], 1 << 20), str(asked[0])), []
    own = next(iter(tables.values())).label_names.get(mask)
    names = arguments.class_names or own or (opened.card.labels if opened.card else None) or known or []
    if names is known and all(name.isdecimal() or name.startswith("#") for name in names):
        values = [int(name[1:], 16) if name.startswith("#") else int(name) for name in names]
        return dict(zip(values, names, strict=True)), []
    if len(set(names)) < len(names) or len(names) >= VOID:
        raise HfkitError(f"{counted(len(names), 'name')} of classes: each has one of its own, and 254 can be learnt")
    return None, list(names)


def _surveyed(stored: list[Any], facts: list[Facts | None], values: Values, colours: bool) -> dict[int, str]:
    """Counts what the masks of a split hold; the rows whose mask is none, or has not the picture's size."""

    def look(row: int) -> str | Values:
        seen, own = facts[row], Values()
        if seen is None:
            return ""
        if not isinstance(stored[row], str | bytes | dict) or not stored[row]:
            return "has no mask"
        try:
            mask = read_mask(stored[row], colours)
            own.add(mask)
        except BadImage as error:
            return f"has a mask that {error}"
        height, width = mask.pixels.shape
        if (width, height) == (seen.width, seen.height):
            return own
        turned = ", turned: the picture's EXIF may say so and the mask's not" if width == seen.height else ""
        return f"is {seen.width} x {seen.height}, and its mask {width} x {height}{turned}"

    found = _threads(look, range(len(stored)))
    for one in found:
        if isinstance(one, Values):
            values.counts.update(one.counts)
            values.coloured |= one.coloured
            values.lossy |= one.lossy
    return {row: one for row, one in enumerate(found) if isinstance(one, str)}


def _check(table: Table, role: str, bad: dict[int, str], skip: bool, notes: list[str]) -> None:
    """Refuses rows without a mask that fits, unless they may be skipped."""
    if not bad:
        return
    what = f"{counted(len(bad), 'image')} of {role} whose masks cannot be used; the first {next(iter(bad.values()))}"
    if not skip:
        fix = "mend or remove them, or --skip_corrupt to go on without them, counted"
        raise HfkitError(what, where=table.places([*bad]), fix=fix)
    notes.append(f"{what}: {table.places([*bad])} skipped")


def _finish(
    opened: Source,
    splits: dict[str, Rows],
    names: list[str],
    columns: tuple[str, str],
    levels: list[float] | None,
    notes: list[str],
    arguments: Arguments,
) -> LoadedData:
    kind, sizes = List(ClassLabel(names=names)), " / ".join(f"{len(rows):,}" for rows in splits.values())
    return finished_pictures(
        opened,
        splits,
        notes,
        {"image": columns[0], "mask": "mask"},
        lambda rows: {"label": ([list(one.classes) for one in rows.label], kind)},
        grouped=group_of(arguments, opened.card) is not None,
        problem_type="semantic_segmentation",
        reading=f"image = {columns[0]}, mask = {columns[1]}: classes {ends(names)}; {sizes} images",
        image_column=columns[0],
        label_column=columns[1],
        label_names=names,
        pixel_range=levels,
    )
