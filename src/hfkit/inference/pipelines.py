"""A trained model, whatever it was trained for: as a transformers pipeline, and over whole files."""

from inspect import signature
from pathlib import Path
from typing import Any

import torch

from hfkit.base.errors import HfkitError
from hfkit.base.hardware import check_device
from hfkit.base.processes import one_thread_after_fork
from hfkit.models.adapting.adapters import summed
from hfkit.models.loading import load_model, task_of
from hfkit.models.names import locate
from hfkit.runs.run import Run
from hfkit.tasks import discover


def pipeline(
    model: str | Path,
    *,
    device: int | str | torch.device | None = None,
    mixed_precision: str = "auto",
    tokens_per_batch: int | None = None,
    backend: str = "torch",
    revision: str | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> Any:
    """A transformers pipeline for a trained model.

    Args:
        model: A run (`runs/bert_imdb`), a model's folder, an adapter's folder or a Hub id.
        device: As in transformers: by default the first accelerator, else the CPU.
        mixed_precision: auto, no, bf16 or fp16; of a classifier see `hfkit.tasks.classifying`.
        tokens_per_batch: Padded tokens in a text classifier's batch. Default: 2,048 on a CPU, 65,536 on an accelerator.
            A longer text is a batch of its own.
        backend: `torch`, or `openvino` for a text classifier on a CPU: faster, but compiled anew in each process.
        revision: Commit, tag or branch of a Hub id.
        trust_remote_code: Run Python code that the model ships. Off unless you trust it.
        options: Further arguments of the task's pipeline, see its `inference.py`: of a classifier `top_k`,
            `function_to_apply` and `batch_size` (most rows in a batch), of a language model those of `generate`.

    Raises:
        HfkitError: the run is not finished; the model answers none of the tasks; there is no such model, or a part of
            it is missing; an argument that is none, such as a device that is not here.

    On a CPU glibc is taught to keep freed blocks; a program that has its memory to itself gains some more with
    `hfkit.base.hardware.keep_memory()` before anything else. A fork of the process computes with one thread, or it
    would wait for ever for threads that are not in it.

    >>> classify = hfkit.pipeline("runs/bert_imdb")                             # doctest: +SKIP
    >>> classify(["A film to see twice.", {"text": "...", "text_pair": "..."}])  # doctest: +SKIP
    [{'label': 'positive', 'score': 0.98}, {'label': 'negative', 'score': 0.61}]
    """
    check_device(device)
    one_thread_after_fork()
    if (Path(model) / "run.json").is_file():
        Run(model).check_finished()
    loaded, processor = load_model(model, revision, trust_remote_code)
    spec = discover.of_model(loaded)
    assert spec is not None, "load_model opens nothing else"
    make = spec.offers("inference", "pipeline")
    if make is None:
        raise HfkitError(f"{model} is for {spec.name}, which has no pipeline", where=str(model))
    for name, value, default in (("tokens_per_batch", tokens_per_batch, None), ("backend", backend, "torch")):
        if value == default:
            continue
        if name not in signature(make).parameters:
            raise HfkitError(f"{name}={value!r} is for text classifiers", where=str(model), fix="leave it out")
        options[name] = value
    if hasattr(loaded, "merge_and_unload"):  # an adapter: merged, it costs nothing
        loaded = summed(loaded).eval()
    return make(loaded, processor, device=device, mixed_precision=mixed_precision, **options)


def predict_file(model: Any, input: str | Path, output: str | Path | None = None, **options: Any) -> int:
    """Answer every row of a file, or every picture of a folder, and write it with the answer beside it.

    Args:
        model: A run, a model's folder, an adapter or a Hub id; or a pipeline that is loaded already.
        input: What the task reads, see `predict` in its `files.py`, such as `hfkit.tasks.text_classification.files`.
        output: A .csv, .tsv, .jsonl or .parquet file, written whole or not at all. None: a line an answer on standard
            output.
        options: Those of the task's `predict`: for texts `hfkit.tasks.predicting.PredictArguments`; and those of
            `hfkit.pipeline`.

    Returns:
        The number of rows.

    Raises:
        HfkitError: The model's task writes no answers to files. With the file and the row: a missing column, a row
            without a text, a broken row. And what `hfkit.pipeline` and the writers raise. No output is left then."""
    loaded = getattr(model, "model", None)
    spec = task_of(locate(model)) if loaded is None else discover.of_model(loaded)
    if spec is None:
        load_model(model)  # says what it is, and that no task knows it
        raise HfkitError(f"{model} answers none of the tasks {', '.join(discover.names())}")
    predict = spec.offers("files", "predict")
    if predict is None:
        what = f"{model} is for {spec.name}, which answers no files"
        raise HfkitError(what, fix="hfkit.pipeline in Python, hfkit generate")
    sure = ("min_confidence", "accuracy", "sets", "set_method")
    for name in ("output_format", "candidate_labels", "hypothesis_template", *sure):
        if name in options and name not in signature(predict).parameters:
            raise HfkitError(f"{spec.name} has no such choice", where=f"--{name}", fix="drop the flag")
    return int(predict(model, input, output, **options))
