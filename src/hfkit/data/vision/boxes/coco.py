"""COCO's JSON as pictures with boxes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import Table
from hfkit.data.vision.boxes.objects import Marked, Object, four, hull
from hfkit.data.vision.coco import Picture, coco_files, read_coco


def coco_tables(path: Path) -> Marked | None:
    """The pictures of a COCO file, or of one for each split, with their objects; crowds are void. What an entry says
    beside its file and size (video_id, ...) becomes columns. None where there is no such file. Raises HfkitError:
    as `read_coco`; files of different categories; an object without a box or an outline that has one."""
    files = coco_files(path)
    root = path if path.is_dir() else path.parent
    read = {split: read_coco(file) for split, file in files.items()}
    names = [list(one.categories.values()) for one in read.values()]
    if any(one != names[0] for one in names):
        raise HfkitError("The COCO files have different categories", where=", ".join(map(str, files.values())))
    tables: dict[str, Table] = {}
    for split, found in read.items():
        columns: dict[str, Any] = {
            "image": [one.file for one in found.pictures],
            "objects": [_objects(one, found.categories, files[split]) for one in found.pictures],
            "size": [(one.width, one.height) for one in found.pictures],
            "id": [one.file for one in found.pictures],
        }
        said = dict.fromkeys(key for one in found.pictures for key in one.entry)
        for key in said if len(said) < 100 else ():
            values = [one.entry.get(key) for one in found.pictures]
            if key not in ("file_name", "width", "height", *columns) and all(map(_is_plain, values)):
                columns[key] = values
        tables[split] = Table(str(root), columns, columns["id"], "picture", pictures=["image"])
    return Marked(tables, "xywh", False, names[0]) if tables else None


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _objects(picture: Picture, names: Mapping[int, str], path: Path) -> list[Object]:
    found = []
    for one in picture.objects:
        where, box, outline = f"{path.name}, annotation {one.get('id', '?')}", one.get("bbox"), one.get("segmentation")
        if not box and isinstance(outline, list):
            left, top, right, below = hull((number for part in outline for number in _listed(part)), where)
            box = left, top, right - left, below - top
        found.append(Object(names[one["category_id"]], four(box, where), bool(one.get("iscrowd"))))
    return found


def _listed(part: Any) -> list[Any]:
    return part if isinstance(part, list) else [part]
