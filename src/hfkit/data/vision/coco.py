"""COCO: objects of pictures as JSON, as polygons or runs of pixels, read with every number checked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json_file
from hfkit.data.sources.image_folders import SPLITS
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.decode import MAX_PIXELS
from hfkit.data.vision.masks.brush import painted
from hfkit.data.vision.masks.values import VOID, png

KEYS = {"images", "annotations", "categories"}


@dataclass(frozen=True)
class Picture:
    """A picture with its objects as the file has them."""

    file: str
    width: int
    height: int
    objects: list[Mapping[str, Any]]
    entry: Mapping[str, Any] = field(default_factory=dict)  # all that the file says of it


@dataclass(frozen=True)
class Coco:
    """What a file holds."""

    categories: dict[int, str]  # id -> name, in the order of the ids
    pictures: list[Picture]


def is_coco(found: Any) -> bool:
    """Whether a JSON value is COCO's."""
    return isinstance(found, dict) and set(found) >= KEYS


def read_coco(path: Path) -> Coco:
    """The pictures of a file with their objects, whose category is known; a picture without any is kept.

    Raises HfkitError: it is no COCO, an id stands twice, or an object is of a picture or category that is not there."""
    found = read_json_file(path)
    if not is_coco(found) or not all(isinstance(found[key], list) for key in KEYS):
        raise HfkitError(f"The file has no lists {', '.join(sorted(KEYS))}, as COCO's have", where=str(path))
    try:
        names = {int(one["id"]): str(one["name"]) for one in found["categories"]}
        sizes = {one["id"]: (str(one["file_name"]), int(one["width"]), int(one["height"])) for one in found["images"]}
        objects: dict[Any, list[Mapping[str, Any]]] = {id: [] for id in sizes}
        for one in found["annotations"]:
            if one["category_id"] not in names or one["image_id"] not in sizes:
                what = f"An object is of picture {one['image_id']!r} and category {one['category_id']!r}"
                raise HfkitError(f"{what}, which the file does not have", where=_place(path, one))
            objects[one["image_id"]].append(one)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"The file is no COCO: {type(error).__name__} {error}"
        raise HfkitError(
            what, where=str(path), fix="images have id, file_name, width, height; see cocodataset.org"
        ) from error
    for kind, listed, known in (("picture", found["images"], sizes), ("category", found["categories"], names)):
        if len(listed) > len(known):
            raise HfkitError(f"Two of kind {kind} have one id", where=str(path))
    if len(set(names.values())) < len(names):
        raise HfkitError("Two categories have one name", where=str(path), fix="rename one of them")
    for file, width, height in sizes.values():
        if width < 1 or height < 1 or width * height > MAX_PIXELS:
            raise HfkitError(f"{file} is said to have {width} x {height} pixels", where=str(path))
    pictures = [Picture(*sizes[one["id"]], objects[one["id"]], one) for one in found["images"]]
    return Coco(dict(sorted(names.items())), pictures)


def coco_files(path: Path) -> dict[str, Path]:
    """The COCO files that `path` names, by split: itself; or those of a folder, whose names or folders say a split
    (instances_train.json, train/_annotations.coco.json), or the only one. Others, and no COCO, are passed over."""
    if path.is_file():
        return {"train": path} if path.suffix.lower() == ".json" and is_coco(read_json_file(path)) else {}
    listed = [file for at in ("*.json", "annotations/*.json", "*/_annotations*.json") for file in sorted(path.glob(at))]
    found = [file for file in listed if is_coco(read_json_file(file))]
    named: dict[str, Path] = {}
    for file in found:
        words = [file.parent.name, *re.split(r"[\W_\d]+", file.stem)]
        split = next((SPLITS[word.lower()] for word in words if word.lower() in SPLITS), None)
        if split in named:
            raise HfkitError(f"{named[split].name} and {file.name} claim to be the split {split!r}", where=str(path))
        if split:
            named[split] = file
    return named or ({"train": found[0]} if len(found) == 1 else {})


def mask_table(file: Path, root: Path) -> Table:
    """A COCO file as pictures below `root` with a `mask` each: background is 0, the categories follow in the order of
    their ids. Objects that cover no pixel are counted in the notes. Raises HfkitError: as `read_coco` and `drawn`."""
    return table_of(read_coco(file), file, root)


def table_of(found: Coco, file: Path, root: Path) -> Table:
    """As `mask_table`, of what `file` was read as."""
    flat = list[str]()
    if len(found.categories) >= VOID:
        raise HfkitError(f"The file has {len(found.categories):,} categories, and 254 can be learnt", where=str(file))
    ids = {category: place for place, category in enumerate(found.categories, start=1)}
    masks = [{"bytes": png(drawn(one, ids, file, flat)), "path": None} for one in found.pictures]
    files = [one.file for one in found.pictures]
    told = f"{counted(len(flat), 'object')} of {file.name} that cover no pixel, left out: {', '.join(flat[:5])}"
    names, notes = ["background", *found.categories.values()], [told] if flat else []
    columns = {"image": list(files), "mask": masks, "id": files}
    return Table(str(root), columns, files, "picture", {"mask": names}, notes, pictures=["image"])


def drawn(picture: Picture, ids: Mapping[int, int], where: Path, flat: list[str]) -> np.ndarray:
    """The picture's mask, (height, width) bytes: 0, and `ids` of each category where its objects are, smaller objects
    over larger ones. Objects that cover nothing are added to `flat` by their place. Raises HfkitError: an object's
    polygon or runs are none."""

    def inside(one: Mapping[str, Any]) -> np.ndarray:
        try:
            return inside_of(one.get("segmentation"), picture.width, picture.height)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise HfkitError(f"The object's outline is none: {error}", where=_place(where, one)) from error

    mask = np.zeros((picture.height, picture.width), dtype=np.uint8)
    areas = [int(inside(one).sum()) for one in picture.objects]  # drawn anew: all at once could fill the memory
    flat += [_place(where, one) for one, area in zip(picture.objects, areas, strict=True) if not area]
    for place in sorted(range(len(areas)), key=lambda place: -areas[place]):
        mask[inside(picture.objects[place])] = ids[picture.objects[place]["category_id"]]
    return mask


def inside_of(outline: Any, width: int, height: int) -> np.ndarray:
    """(height, width) bool: where an object is, given its polygons, each a list x, y, x, y, ..., its runs, or strokes.

    A pixel belongs to a polygon as Pillow draws it, its edge included; pycocotools leaves half of the edge out. Raises
    ValueError: it is neither, a number is not finite, or the runs do not fill the picture."""
    if isinstance(outline, Mapping):
        if [int(side) for side in outline["size"]] != [height, width]:
            raise ValueError(f"runs of a picture of {outline['size']} pixels, and this one is {height} x {width}")
        if "strokes" in outline:
            return painted(outline["strokes"], height, width)
        return filled(outline["counts"], height, width)
    if not isinstance(outline, list):
        raise ValueError(f"neither polygons nor runs, but {type(outline).__name__}")
    canvas = Image.new("1", (width, height))
    for polygon in outline:
        points = np.asarray(polygon, dtype=np.float64).ravel()
        if not np.isfinite(points).all() or len(points) % 2 or np.abs(points).max(initial=0) > 1e6:
            raise ValueError("a polygon is a list of numbers x, y, x, y, ... of pixels")
        if len(points) >= 6:
            ImageDraw.Draw(canvas).polygon([tuple(point) for point in points.reshape(-1, 2).tolist()], fill=1)
    return np.asarray(canvas)


def filled(counts: Sequence[int] | str, height: int, width: int) -> np.ndarray:
    """(height, width) bool of runs: pixels outside, inside, outside, ... down the columns; as numbers, or as COCO's
    string of them. Raises ValueError: a run is negative or no number, or they are not as long as the picture."""
    runs = list(_unpacked(counts)) if isinstance(counts, str) else [int(run) for run in counts]
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        raise ValueError(f"runs of {sum(runs):,} pixels for a picture of {height * width:,}")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return inside.reshape(width, height).T


def _unpacked(text: str) -> Iterator[int]:
    """The runs of a string: five bits a character, the sixth says that more follow, and from the fourth run on the
    difference to the last but one."""
    found: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"{character!r} is no part of a run")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        found.append(value + (found[-2] if len(found) > 2 else 0))
        yield found[-1]
        value = shift = 0
    if shift:
        raise ValueError("the last run is cut off")


def _place(path: Path, one: Mapping[str, Any]) -> str:
    return f"{path.name}, annotation {one.get('id', '?')}"
