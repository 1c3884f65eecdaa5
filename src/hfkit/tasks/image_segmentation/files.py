"""predict: every picture below a folder through a model; a mask of each as PNG, and a table of areas."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hfkit.base.atomic import writing
from hfkit.base.errors import HfkitError
from hfkit.data.readers import SUFFIXES
from hfkit.data.sources.image_folders import pictures_below
from hfkit.data.tables.table import counted
from hfkit.data.vision.decode import FORMATS
from hfkit.data.vision.masks import png
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row, Source
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.image_segmentation.inference import ImageSegmentationPipeline
from hfkit.tasks.predicting import PredictArguments


def predict(model: Any, input: str | Path, output: str | Path | None = None, **options: Any) -> int:
    """Answer every picture of a folder (or one) and of the folders in it, in the order of their names; how many.

    The output has a row a picture: `file` (the path below the folder), `mask`, a column of each class with its share of
    the picture's pixels, and `problem`, which says why a picture got no answer and is empty else. Masks are grey PNGs
    of class ids, in a folder beside the output that is called as it is (areas.csv: areas_masks/), under the pictures'
    names with .png behind; without an output none are written. Hidden files, links and what is no picture are left out,
    counted on standard error. For the others see `hfkit.inference.predict_file`; of `PredictArguments` `disable_tqdm`
    alone is of use. Raises HfkitError: there is no picture, or what the writers raise."""
    root = Path(input)
    if not root.exists() or root.suffix.lower() in SUFFIXES:
        raise HfkitError("There is no such folder of images", where=f"--input {root}", fix=f"{model} reads a folder")
    how = PredictArguments.taken(model, options)
    how.check_no_csv(str(root))
    pipe = model if isinstance(model, ImageSegmentationPipeline) else pipeline(model, **options)
    left: list[Path] = []
    files = [root] if root.is_file() else list(pictures_below(root, left))
    if not files:
        raise HfkitError("There is no picture in the folder", where=str(root), fix=f"pictures are {', '.join(FORMATS)}")
    names = [os.fsencode(file.relative_to(root) if root.is_dir() else file.name) for file in files]
    told = [name.decode("utf-8", "backslashreplace") for name in names]
    labels, place = pipe.reading.labels, output and Path(output).with_name(f"{Path(output).stem}_masks")
    queue, bad = iter(zip(files, told, strict=True)), 0

    def answers(rows: list[Row]) -> list[Answer | None]:
        nonlocal bad
        found: list[Answer | None] = []
        for _ in rows:
            file, name = next(queue)
            row: Answer = {"file": name, "mask": None, "problem": "", **dict.fromkeys(labels)}
            try:
                said = pipe.probabilities(file).argmax(0).numpy().astype(np.uint8)
                row |= dict(
                    zip(labels, (np.bincount(said.ravel(), minlength=len(labels)) / said.size).tolist(), strict=True)
                )
                if place:
                    row["mask"] = f"{place.name}/{name}.png"
                    with writing(place, "set --output"):
                        (place / f"{name}.png").parent.mkdir(parents=True, exist_ok=True)
                        (place / f"{name}.png").write_bytes(png(said))
            except HfkitError as error:
                row["problem"], bad = error.what, bad + 1
            found.append(row)
        return found

    kinds = {"file": pa.string(), "mask": pa.string(), **dict.fromkeys(labels, pa.float64()), "problem": pa.string()}
    source = Source(str(root), [], ((name, {}) for name in told), len(told), unit="image")
    count = answer_rows(source, output, kinds, answers, chunk=4, told=_largest(labels), disable_tqdm=how.disable_tqdm)
    for number, what in ((len(left), "left out: hidden, links or no pictures"), (bad, "got no answer, see problem")):
        if number:
            print(f"{counted(number, 'file')} {what}", file=sys.stderr)
    return count


def _largest(labels: list[str]) -> Any:
    """The class of the most pixels, which the line at the end counts."""
    return lambda row: None if row["problem"] else max(labels, key=lambda label: row[label])
