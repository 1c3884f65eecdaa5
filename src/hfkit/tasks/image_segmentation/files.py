"""predict: every picture below a folder through a model; a mask of each as PNG, and a table of areas."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hfkit.base.atomic import whole_folder, writing
from hfkit.base.errors import HfkitError
from hfkit.data.vision.masks.values import png
from hfkit.inference.pictures import Pictures
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row
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
    how = PredictArguments.taken(model, options)
    pictures = Pictures.below(Path(input), model, how)
    pipe = model if isinstance(model, ImageSegmentationPipeline) else pipeline(model, **options)
    place = None if output is None else Path(output).with_name(f"{Path(output).stem}_masks")
    if place and place.exists():
        raise HfkitError(f"{place} is there already", fix="set --output to another name, or move the folder away")
    with ExitStack() as stack:
        if place:
            stack.enter_context(writing(place, "set --output"))
        masks = stack.enter_context(whole_folder(place)) if place else None
        return _answered(pictures, pipe, output, masks, how.disable_tqdm)


def _answered(
    pictures: Pictures, pipe: ImageSegmentationPipeline, output: str | Path | None, masks: Path | None, hidden: bool
) -> int:
    """The rows of the output, and the masks in their folder."""
    labels, files, bad = pipe.reading.labels, iter(pictures.files), list[str]()

    def answers(rows: list[Row]) -> list[Answer | None]:
        return [answer(name) for name, _ in rows]

    def answer(name: str) -> Answer:
        row: Answer = {"file": name, "mask": None, "problem": "", **dict.fromkeys(labels)}
        try:
            said = pipe.probabilities(next(files)).argmax(0).numpy().astype(np.uint8)
        except HfkitError as error:
            bad.append(error.what)
            return row | {"problem": error.what}
        shares = (np.bincount(said.ravel(), minlength=len(labels)) / said.size).tolist()
        if masks:
            file = masks / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(said))
            row["mask"] = f"{Path(str(output)).stem}_masks/{name}.png"
        return row | dict(zip(labels, shares, strict=True))

    kinds = {"file": pa.string(), "mask": pa.string(), **dict.fromkeys(labels, pa.float64()), "problem": pa.string()}
    told = _largest(labels)
    count = answer_rows(pictures.source, output, kinds, answers, chunk=4, told=told, disable_tqdm=hidden)
    pictures.tell(bad)
    return count


def _largest(labels: list[str]) -> Any:
    """The class of the most pixels, which the line at the end counts."""
    return lambda row: None if row["problem"] else max(labels, key=lambda label: row[label])
