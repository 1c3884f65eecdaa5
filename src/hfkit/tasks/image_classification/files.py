"""predict: every picture below a folder through a model, decoded in workers, in constant memory."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch.utils.data import DataLoader

from hfkit.data.vision.decode import BadImage
from hfkit.data.vision.given import seen_of
from hfkit.data.vision.reading import ImageReading
from hfkit.inference.pictures import Pictures
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.confident import Confident
from hfkit.tasks.image_classification.inference import ImageClassificationPipeline
from hfkit.tasks.predicting import PredictArguments


def predict(
    model: Any,
    input: str | Path,
    output: str | Path | None = None,
    *,
    workers: int | None = None,
    min_confidence: float | None = None,
    accuracy: float | None = None,
    sets: float | None = None,
    set_method: str = "lac",
    **options: Any,
) -> int:
    """Classify every picture of a folder (or one) and of the folders in it, in the order of their names; how many.

    The output has a row a picture: `file` (the path below the folder), `label` and `score` (`value` for a regression;
    lists in a multi-label problem), and `problem`, which says why a picture got no answer and is empty else. Those are
    listed on standard error too. Hidden files, symbolic links and what is no picture are left out, counted there.
    `workers` processes decode, by default one for each core but one, at most 8. How sure an answer must be, and sets of
    labels: see `Confident`; for the others see `hfkit.inference.predict_file`. Of `PredictArguments` a table's dialect
    is refused, and all but `disable_tqdm` is of no use. Raises HfkitError: there is no picture, or what the writers
    raise."""
    how = PredictArguments.taken(model, options)
    pictures = Pictures.below(Path(input), model, how)
    classify = model if isinstance(model, ImageClassificationPipeline) else pipeline(model, **options)
    say = Confident(classify.reading, min_confidence, accuracy, sets, set_method)
    kinds = say.types
    bad: list[str] = []
    flattened: list[str] = []
    batches = _batches(pictures.files, classify, workers)

    def answers(rows: list[Row]) -> list[Answer | None]:
        """Of as many files as a batch has; those that cannot be read are added to `bad`."""
        pixels, problems, flat = next(batches)
        found = iter(say(classify.of_pixels(pixels)) if pixels is not None else ())
        said = [dict.fromkeys(kinds) if why else next(found) for why in problems]
        bad.extend(f"{name} {why}" for (name, _), why in zip(rows, problems, strict=True) if why)
        flattened.extend(rows[at][0] for at in flat)
        return [{"file": rows[at][0], **said[at], "problem": problems[at]} for at in range(len(rows))]

    count = answer_rows(
        pictures.source,
        output,
        {"file": pa.string(), **kinds, "problem": pa.string()},
        answers,
        chunk=classify.rows,
        told=lambda answer: answer[next(iter(kinds))],
        disable_tqdm=how.disable_tqdm,
    )
    pictures.tell(bad, flattened)
    return count


def _batches(
    files: list[Path], classify: ImageClassificationPipeline, workers: int | None
) -> Iterator[tuple[torch.Tensor | None, list[str], list[int]]]:
    """Of so many files as the pipeline answers at once, what `_seen` gives."""
    assert classify.reading.seen is not None
    loader: DataLoader[Any] = DataLoader(
        files,  # type: ignore[arg-type]
        batch_size=classify.rows,
        collate_fn=partial(_seen, classify.reading.seen),
        num_workers=min(8, (os.cpu_count() or 2) - 1) if workers is None else workers,
    )
    return iter(loader)


def _seen(seen: ImageReading, files: list[Path]) -> tuple[torch.Tensor | None, list[str], list[int]]:
    """Pictures as the model sees them, of each file why it is none, and the places of those that are flattened: what
    the loader's workers make."""
    pixels: list[torch.Tensor] = []
    problems: list[str] = []
    flattened: list[int] = []
    for place, file in enumerate(files):
        try:
            picture, flat = seen_of(file, seen.pixel_range)
            pixels.append(seen.look([picture])[0])
            problems.append("")
            flattened += [place] * flat
        except BadImage as error:
            problems.append(str(error))
    return torch.stack(pixels) if pixels else None, problems, flattened
