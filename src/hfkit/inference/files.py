"""predict_file: a file or a folder through a model, in constant memory, as the model's task reads it."""

from inspect import signature
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.models.loading import task_of
from hfkit.models.names import locate
from hfkit.tasks import discover


def predict_file(model: Any, input: str | Path, output: str | Path | None = None, **options: Any) -> int:
    """Answer every row of a file, or every picture of a folder, and write it with the answer beside it.

    Args:
        model: A run, a model's folder, an adapter or a Hub id; or a pipeline that is loaded already.
        input, output: See `predict` in the task's `files.py`, such as `hfkit.tasks.text_classification.files`.
        options: Its arguments, and those of `hfkit.pipeline`.

    Returns:
        The number of rows.

    Raises:
        HfkitError: The model's task writes no answers to files, and what its `predict` raises.
    """
    loaded = getattr(model, "model", None)
    spec = task_of(locate(model)) if loaded is None else discover.of_model(loaded)
    if spec is None:
        from hfkit.models import load_model

        load_model(model)  # says what it is, and that no task knows it
        raise HfkitError(f"{model} answers none of the tasks {', '.join(discover.names())}")
    predict = spec.offers("files", "predict")
    if predict is None:
        raise HfkitError(
            f"{model} is for {spec.name}, which answers no files", fix="hfkit.pipeline in Python, hfkit generate"
        )
    if "output_format" in options and "output_format" not in signature(predict).parameters:
        raise HfkitError(f"--output_format: {spec.name} writes its answers in one form", fix="drop the flag")
    return int(predict(model, input, output, **options))
