"""predict: every picture below a folder through a model; a box a row, or as COCO's JSON, or YOLO's text files."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hfkit.base.atomic import whole_folder, write_json, writing
from hfkit.base.errors import HfkitError
from hfkit.base.progress import Bar
from hfkit.data.vision.boxes.voc import SIDES
from hfkit.inference.pictures import Pictures
from hfkit.inference.pipelines import pipeline
from hfkit.inference.rows import Tally
from hfkit.inference.writers import open_writer
from hfkit.tasks.object_detection.inference import ObjectDetectionPipeline
from hfkit.tasks.predicting import PredictArguments, check_format

FORMATS = ("boxes", "coco", "yolo")
Sink = Callable[[str, tuple[int, int], list[list[float]], str], None]
"""Takes a picture's name, its width and height, its boxes (corners, score, class), and why there are none."""


def predict(
    model: Any,
    input: str | Path,
    output: str | Path | None = None,
    *,
    output_format: Literal["boxes", "coco", "yolo"] = "boxes",
    **options: Any,
) -> int:
    """Find the objects in every picture of a folder (or one) and of the folders in it, in the order of their names;
    how many pictures.

    A row a box: `file` (the path below the folder), `label`, `score`, `xmin`, `ymin`, `xmax`, `ymax` in pixels, and
    `problem`, which says why a picture got no answer; a picture without an object has a row without a box. With the
    `output_format` coco one JSON file of images, annotations and categories; with yolo a folder of text files, and
    classes.txt. `hfkit.load_data` reads all three. Hidden files, links and what is no picture are left out, counted on
    standard error. Raises HfkitError: there is no picture, or what the writers raise."""
    check_format(output_format, FORMATS)
    if output_format != "boxes" and output is None:
        raise HfkitError(f"--output_format {output_format} writes files", fix="say where with --output")
    how = PredictArguments.taken(model, options)
    pictures = Pictures.below(Path(input), model, how)
    pipe = model if isinstance(model, ObjectDetectionPipeline) else pipeline(model, **options)
    bad, tally = list[str](), Tally()
    sinks: dict[str, Any] = {"boxes": _rows, "coco": _coco, "yolo": _yolo}
    with (
        sinks[output_format](output, pipe.reading.labels) as write,
        Bar("predict", "image", len(pictures.files), hidden=how.disable_tqdm) as bar,
    ):
        for file in pictures.files:
            name, problem, size, found = pictures.name(file), "", (0, 0), list[list[float]]()
            try:
                found, size = pipe.found(file)
            except HfkitError as error:
                problem = error.what
                bad.append(problem)
            tally.add([None if problem else [pipe.reading.labels[int(row[5])] for row in found] or ["no object"]])
            write(name, size, found, problem)
            bar.update(1)
    if output is not None:
        print(tally.told(output), file=sys.stderr)
    pictures.tell(bad)
    return len(pictures.files)


@contextmanager
def _rows(output: str | Path | None, labels: list[str]) -> Iterator[Sink]:
    kinds = {"file": pa.string(), "label": pa.string(), "score": pa.float64()}
    kinds |= dict.fromkeys(SIDES, pa.float64()) | {"problem": pa.string()}
    empty = dict.fromkeys(kinds)
    with open_writer(output, [], list(kinds), pa.schema(list(kinds.items()))) as writer:

        def write(name: str, size: tuple[int, int], found: list[list[float]], problem: str) -> None:
            rows = [
                {"label": labels[int(row[5])], "score": row[4], **dict(zip(SIDES, row[:4], strict=True))}
                for row in found
            ]
            writer.write([empty | {"file": name, "problem": problem} | row for row in rows or [{}]])

        yield write


@contextmanager
def _coco(output: str | Path, labels: list[str]) -> Iterator[Sink]:
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()

    def write(name: str, size: tuple[int, int], found: list[list[float]], problem: str) -> None:
        if problem:
            return
        images.append({"id": len(images) + 1, "file_name": name, "width": size[0], "height": size[1]})
        for left, top, right, below, score, one in found:
            wide, high = right - left, below - top
            annotations.append({
                "id": len(annotations) + 1, "image_id": len(images), "category_id": int(one) + 1, "iscrowd": 0,
                "bbox": [left, top, wide, high], "area": wide * high, "score": score,
            })  # fmt: skip

    yield write
    names = [{"id": number, "name": label} for number, label in enumerate(labels, start=1)]
    with writing(Path(output), "set --output"):
        write_json(Path(output), {"images": images, "annotations": annotations, "categories": names})


@contextmanager
def _yolo(output: str | Path, labels: list[str]) -> Iterator[Sink]:
    place, written = Path(output), Counter[str]()
    if place.exists():
        raise HfkitError(f"{place} is there already", fix="set --output to another name, or move the folder away")
    with writing(place, "set --output"), whole_folder(place) as folder:

        def write(name: str, size: tuple[int, int], found: list[list[float]], problem: str) -> None:
            file = (folder / name).with_suffix(".txt")
            written[str(file)] += 1
            if written[str(file)] > 1:
                raise HfkitError(f"Two pictures are called {file.stem}", fix="--output_format coco keeps their endings")
            if problem:
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = []
            for left, top, right, below, _, one in found:
                parts = [(left + right) / 2 / size[0], (top + below) / 2 / size[1]]
                parts += [(right - left) / size[0], (below - top) / size[1]]
                lines.append(" ".join([str(int(one)), *(f"{part:.6f}" for part in parts)]) + "\n")
            file.write_text("".join(lines), encoding="utf-8")

        yield write
        (folder / "classes.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
