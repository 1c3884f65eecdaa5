"""Label Studio's JSON: what people painted or outlined in pictures, as COCO's objects."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json_file
from hfkit.data.tables.table import Table, counted
from hfkit.data.vision.coco import Coco, Picture, table_of
from hfkit.data.vision.decode import MAX_PIXELS, examine

DRAWN = {"brushlabels": "rle", "polygonlabels": "points"}
"""Kinds of results that say which pixels they are, and where it stands in their value."""

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the names of files that are uploaded


def studio_table(path: Path) -> Table | None:
    """The pictures of an export (JSON, not JSON-MIN), a file or the only one in a folder, each with its mask; see
    `mask_table`. None where `path` is none.

    A picture has the name that it was uploaded by, and lies beside the file or in images/. Of several annotations the
    one that is marked as the truth counts, else the last; what nobody has annotated is left out. Both are counted, and
    so are results of other kinds. Raises HfkitError: it has no size, a result is none, or a picture is missing."""
    for file in [path] if path.is_file() else sorted(path.glob("*.json")):
        if file.suffix.lower() == ".json" and _is_export(tasks := read_json_file(file)):
            return _table(tasks, file)
    return None


def _is_export(found: Any) -> bool:
    entries = found if isinstance(found, list) else []
    return bool(entries) and all(isinstance(one, dict) and {"data", "annotations"} <= one.keys() for one in entries)


def _table(tasks: list[dict[str, Any]], file: Path) -> Table:
    pictures, names, told = list[Picture](), dict[str, int](), Counter[str]()
    for number, task in enumerate(tasks):
        where = f"{file.name}, task {task.get('id', number)}"
        try:
            results = _results(task, told)
            if results is not None:
                pictures.append(_picture(task, results, file.parent, names, told))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise HfkitError(f"What was drawn cannot be read: {type(error).__name__} {error}", where=where) from error
    if not names:
        raise HfkitError("Nobody has drawn a brush stroke or polygon", where=str(file), fix="export as JSON")
    known = Coco({id: name for name, id in sorted(names.items())}, pictures)
    table = table_of(known, file, file.parent)
    table.notes += [f"{file.name}: {counted(number, what)}" for what, number in told.items()]
    return table


def _results(task: Mapping[str, Any], told: Counter[str]) -> list[Mapping[str, Any]] | None:
    """What is drawn in a picture, None where nobody has looked at it."""
    done = [one for one in task["annotations"] if not one.get("was_cancelled")]
    if not done:
        told["picture without an annotation, left out"] += 1
        return None
    if len(done) > 1:
        told["further annotation of a picture, not used"] += len(done) - 1
    chosen = next((one for one in done if one.get("ground_truth")), done[-1])
    return list(chosen["result"])


def _picture(
    task: Mapping[str, Any], results: list[Mapping[str, Any]], folder: Path, names: dict[str, int], told: Counter[str]
) -> Picture:
    sizes, objects = set[tuple[int, int]](), list[Mapping[str, Any]]()
    for one in results:
        if one["type"] not in DRAWN:
            told[f"result of type {str(one['type'])[:40]}, left out"] += 1
            continue
        if one.get("image_rotation"):
            raise ValueError("the picture was turned, and its strokes were not")
        width, height = int(one["original_width"]), int(one["original_height"])
        if min(width, height) < 1 or width * height > MAX_PIXELS:
            raise ValueError(f"a picture of {width} x {height} pixels")
        sizes.add((width, height))
        labels = one["value"][one["type"]]
        if len(labels) != 1:
            raise ValueError(f"{len(labels)} labels for one thing that is drawn")
        category = names.setdefault(str(labels[0]), len(names))
        objects.append({"id": one.get("id"), "category_id": category, "segmentation": _outline(one, width, height)})
    file = _file(task, folder)
    if len(sizes) > 1:
        raise ValueError(f"a picture of two sizes: {sorted(sizes)}")
    if not sizes:  # nothing is drawn in it
        seen = examine(folder / file)
        sizes.add((seen.width, seen.height))
    return Picture(file, *sizes.pop(), objects)


def _outline(one: Mapping[str, Any], width: int, height: int) -> Any:
    """As COCO has it, but strokes packed; corners of polygons are said in hundredths of the picture."""
    value = one["value"][DRAWN[one["type"]]]
    if one["type"] == "brushlabels":
        return {"size": [height, width], "strokes": value}
    return [[float(part) * side / 100 for point in value for part, side in zip(point, (width, height), strict=True)]]


def _file(task: Mapping[str, Any], folder: Path) -> str:
    """The picture's path below the folder."""
    said = [one for one in task["data"].values() if isinstance(one, str)]
    given = next((one for one in said if "." in one.rsplit("/", 1)[-1]), str(task.get("file_upload", "")))
    path = re.split(r"[?#]", given.rpartition("?d=")[2])[0].encode("utf-8", "replace")
    path = re.sub(rb"%([0-9a-fA-F]{2})", lambda found: bytes.fromhex(found[1].decode()), path)
    last = path.decode("utf-8", "replace").rsplit("/", 1)[-1]
    tried = [f"{place}{name}" for name in (last, _UPLOADED.sub("", last)) for place in ("", "images/")]
    found = next((name for name in tried if last and (folder / name).is_file()), None)
    if found is None:
        raise ValueError(f"{last[:200]} lies neither beside the file nor in images/")
    return found
