"""predict: a file of any size through a model, in constant memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hfkit.base.errors import HfkitError, nearest
from hfkit.config import FileArguments
from hfkit.data.labels.problem import MULTI, REGRESSION
from hfkit.data.tables.table import is_missing
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row, Source, column_of, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.runs.run import Run
from hfkit.tasks.classifying import answer_types
from hfkit.tasks.text_classification.inference import TextClassificationPipeline


def predict(
    model: str | Path | TextClassificationPipeline,
    input: str | Path,
    output: str | Path | None = None,
    *,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    quoting: Literal["minimal", "none"] = "minimal",
    column_names: Sequence[str] = (),
    missing_values: Sequence[str] = (),
    skip_bad_rows: bool = False,
    disable_tqdm: bool = False,
    **options: Any,
) -> int:
    """Classify every row of a file, and write it with the answer beside it.

    Every column is kept, and `label` and `score` are added (`value` for a regression); where the file has columns of
    these names, `predicted_label` and so on. In a multi-label problem both are lists, of the labels with a probability
    of at least a half. CSV cells that a spreadsheet would take for a formula get an apostrophe in front, counted.

    Args:
        model: A run, a model's folder, an adapter or a Hub id; or a pipeline that is loaded already.
        input: A .csv, .tsv, .jsonl or .parquet file, or `-` for a text a line on standard input.
        output: A file of any of these kinds, written whole or not at all. None: a line an answer on standard output.
        text_column, text_pair_column: Default: the columns that the run was trained on, else a usual name (text,
            review, ...).
        encoding, delimiter, quoting, column_names: Of the input's text formats, as in `hfkit.config.FileArguments`.
        missing_values: What stands for a missing text. Default: the run's.
        skip_bad_rows: Give a row without a text no answer, counted, instead of stopping.
        disable_tqdm: No progress bar on standard error.
        options: Arguments of `hfkit.pipeline`.

    Returns:
        The number of rows.

    Raises:
        HfkitError: with the file and the row: a missing column, a row without a text, a broken row; and what
            `hfkit.pipeline` and the writers raise. No output is left then.
    """
    how = FileArguments(encoding=encoding, delimiter=delimiter, quoting=quoting, column_names=list(column_names))
    info = Run(model).info if isinstance(model, str | Path) and (Path(model) / "run.json").is_file() else {}
    missing = missing_values or info.get("config", {}).get("missing_values", ())
    with open_rows(input, how) as source:
        columns = _text_columns(info.get("data"), source, text_column, text_pair_column)
        classify = model if isinstance(model, TextClassificationPipeline) else pipeline(model, **options)
        problem = classify.reading.problem_type
        types, told = answer_types(problem), "value" if problem == REGRESSION else "label"
        read = partial(_input, columns=columns, skip=skip_bad_rows, missing=missing)
        return answer_rows(
            source,
            output,
            {name: types[name] for name in (("value",) if problem == REGRESSION else ("label", "score"))},
            lambda chunk: _answers(classify, chunk, read),
            chunk=classify.chunk,
            told=lambda answer: answer[told],
            disable_tqdm=disable_tqdm,
        )


def _text_columns(trained: Any, source: Source, text: str | None, pair: str | None) -> tuple[str, str | None]:
    """The columns to read: those asked for, else those of the run, else a usual name, else the only one."""
    for name in (text, pair):
        if name is not None and name not in source.columns:
            raise HfkitError(f"There is no column {name!r}", where=source.name, fix=nearest(name, source.columns))
    trained = trained if isinstance(trained, dict) else {}
    first, second = trained.get("text_column"), trained.get("text_pair_column")
    if second is not None and pair is None:
        if second not in source.columns or second == text:
            raise HfkitError(
                f"the model was trained on pairs of texts, and there is no column {second!r} for the second one",
                where=source.name,
                fix="give a file with both texts, and name the columns with --text_column and --text_pair_column",
            )
        pair = second
    others = replace(source, columns=[name for name in source.columns if name != pair])
    return column_of(others, text, first), pair


def _answers(classify: TextClassificationPipeline, chunk: list[Row], read: Callable[..., Any]) -> list[Answer | None]:
    """An answer to each row; None to one without a text."""
    answers: list[Answer | None] = [None] * len(chunk)
    inputs = [read(place, row) for place, row in chunk]
    asked = [number for number, given in enumerate(inputs) if given is not None]
    every_label = classify.reading.problem_type == MULTI
    found = classify([inputs[number] for number in asked], top_k=None if every_label else 1)
    for number, labels in zip(asked, found, strict=True):
        if every_label:
            labels = [one for one in labels if one["score"] >= 0.5]
            answers[number] = {key: [one[key] for one in labels] for key in ("label", "score")}
        else:
            label, score = labels[0]["label"], labels[0]["score"]
            answers[number] = {"label": label, "score": score, "value": score}
    return answers


def _input(place: str, row: dict[str, Any], columns: tuple[str, str | None], skip: bool, missing: Sequence[str]) -> Any:
    """What the pipeline takes of a row; None for one to skip. One text of a pair may be empty, as in training."""
    values = {key: row.get(name) for key, name in zip(("text", "text_pair"), columns, strict=True) if name is not None}
    empty = [key for key, value in values.items() if is_missing(value) or str(value).strip() in missing]
    bad = [key for key, value in values.items() if not isinstance(value, str) and key not in empty]
    bad = bad or (empty if len(empty) == len(values) else [])
    if not bad:
        return {key: "" if key in empty else value for key, value in values.items()}
    if skip:
        return None
    raise HfkitError(
        f"The row has no text in its column {columns[bad[0] == 'text_pair']!r}: {values[bad[0]]!r}",
        where=place,
        fix="mend the row, or --skip_bad_rows to leave such rows without an answer",
    )
