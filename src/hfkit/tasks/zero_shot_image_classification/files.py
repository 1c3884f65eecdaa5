"""predict: the class of every picture below a folder, of the run's classes or of any that are named."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.data.vision.given import picture_of
from hfkit.inference.pictures import Pictures
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.predicting import PredictArguments
from hfkit.tasks.zero_shot_image_classification.inference import ZeroShotImagePipeline

KINDS = {"label": pa.string(), "score": pa.float64()}


def predict(
    model: Any,
    input: str | Path,
    output: str | Path | None = None,
    *,
    candidate_labels: list[str] | str | None = None,
    hypothesis_template: str | None = None,
    **options: Any,
) -> int:
    """Name the class of every picture of a folder (or one) and of the folders in it, in the order of their names; how
    many.

    A row a picture: `file` (the path below the folder), `label` and `score`, and `problem`, which says why a picture
    got no answer and is empty else. `candidate_labels` are by default the run's classes, and `hypothesis_template` its
    sentences. Hidden files, links and what is no picture are left out, counted on standard error. Raises HfkitError:
    there is no picture, there are no labels, or what the writers raise."""
    how = PredictArguments.taken(model, options)
    pictures = Pictures.below(Path(input), model, how)
    pipe = model if isinstance(model, ZeroShotImagePipeline) else pipeline(model, **options)
    asked = pipe._sanitize_parameters(candidate_labels=candidate_labels, hypothesis_template=hypothesis_template)[1]
    files, bad = dict(zip(map(pictures.name, pictures.files), pictures.files, strict=True)), list[str]()

    def answers(rows: list[Row]) -> list[Answer | None]:
        """Of as many files as a batch has; those that cannot be read are added to `bad`."""
        seen, told = [], dict[str, Answer]()
        for name, _ in rows:
            try:
                seen.append((name, picture_of(files[name], pipe.reading.pixel_range)))
            except HfkitError as error:
                bad.append(error.what)
                told[name] = {"file": name, "label": None, "score": None, "problem": error.what}
        found = pipe.answered([picture for _, picture in seen], **asked) if seen else ()
        for (name, _), answer in zip(seen, found, strict=True):
            told[name] = {"file": name, **pipe.said(answer, {})[0], "problem": ""}
        return [told[name] for name, _ in rows]

    count = answer_rows(
        pictures.source,
        output,
        {"file": pa.string(), **KINDS, "problem": pa.string()},
        answers,
        chunk=pipe.rows,
        told=lambda answer: answer["label"],
        disable_tqdm=how.disable_tqdm,
    )
    pictures.tell(bad)
    return count
