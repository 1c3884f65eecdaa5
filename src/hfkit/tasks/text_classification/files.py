"""predict: a file of any size through a model, in constant memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError, nearest
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Source, column_of, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.confident import Confident
from hfkit.tasks.predicting import PredictArguments, answering
from hfkit.tasks.text_classification.inference import TextClassificationPipeline
from hfkit.tasks.text_classification.zero_shot import ZeroShotPipeline


def predict(
    model: str | Path | TextClassificationPipeline | ZeroShotPipeline,
    input: str | Path,
    output: str | Path | None = None,
    candidate_labels: Sequence[str] | None = None,
    hypothesis_template: str | None = None,
    min_confidence: float | None = None,
    accuracy: float | None = None,
    sets: float | None = None,
    set_method: str = "lac",
    **options: Any,
) -> int:
    """Classify every row of a file, and write it with the answer beside it: `label` and `score` (`value` for a
    regression), or `predicted_label` and so on where the file has columns of these names. In a multi-label problem both
    are lists, of the labels that are answered. How sure an answer must be, and sets of labels: see `Confident`. CSV
    cells that a spreadsheet would take for a formula get an apostrophe in front, counted.

    With `candidate_labels` a model of pairs says which of them follows from a text, see `ZeroShotPipeline`, in the
    sentence that `hypothesis_template` puts around a label. `input` is a .csv, .tsv, .jsonl or .parquet file, or `-`
    for a text a line on standard input. See `hfkit.inference.predict_file`."""
    if candidate_labels is not None:
        options |= {"task": "zero-shot-classification", "candidate_labels": candidate_labels}
    if hypothesis_template is not None:
        options["hypothesis_template"] = hypothesis_template
    how = PredictArguments.taken(model, options)
    with open_rows(input, how) as source:
        made = (TextClassificationPipeline, ZeroShotPipeline)
        classify: Any = model if isinstance(model, made) else pipeline(model, **options)
        zero_shot = isinstance(classify, ZeroShotPipeline)
        if zero_shot and (min_confidence or accuracy or sets):
            what = "Labels that nobody trained have no probability that was made true"
            raise HfkitError(what, where="--min_confidence, --accuracy, --sets", fix="drop the flag")
        say = Confident(classify.reading, min_confidence, accuracy, sets, set_method)
        columns = (column_of(source, how.text_column, None), None) if zero_shot else _text_columns(how, source)
        read = partial(_input, how=how, columns=columns)

        def answers(rows: list[Any]) -> Iterator[Answer]:
            if zero_shot:
                yield from ({"label": one["labels"][0], "score": one["scores"][0]} for one in classify(rows))
                return
            yield from say(classify.logits(rows)) if rows else ()

        return answer_rows(
            source,
            output,
            say.types,
            answering(read, answers),
            chunk=classify.chunk,
            told=lambda answer: next(iter(answer.values())),
            disable_tqdm=how.disable_tqdm,
        )


def _text_columns(how: PredictArguments, source: Source) -> tuple[str, str | None]:
    """The columns to read: those asked for, else those of the run, else a usual name, else the only one."""
    text, pair = how.text_column, how.text_pair_column
    for name in (text, pair):
        if name is not None and name not in source.columns:
            raise HfkitError(f"There is no column {name!r}", where=source.name, fix=nearest(name, source.columns))
    first, second = how.trained.get("text_column"), how.trained.get("text_pair_column")
    if second is not None and pair is None:
        if second not in source.columns or second == text:
            what = f"the model was trained on pairs of texts, and there is no column {second!r} for the second one"
            fix = "give a file with both texts, and name the columns with --text_column and --text_pair_column"
            raise HfkitError(what, where=source.name, fix=fix)
        pair = second
    others = replace(source, columns=[name for name in source.columns if name != pair])
    return column_of(others, text, first), pair


def _input(place: str, row: dict[str, Any], how: PredictArguments, columns: tuple[str, str | None]) -> Any:
    """What the pipeline takes of a row; None for one to skip. One text of a pair may be empty, as in training."""
    values = {key: row.get(name) for key, name in zip(("text", "text_pair"), columns, strict=True) if name is not None}
    empty = [key for key, value in values.items() if how.is_empty(value)]
    bad = [key for key, value in values.items() if not isinstance(value, str) and key not in empty]
    bad = bad or (empty if len(empty) == len(values) else [])
    if not bad:
        return {key: "" if key in empty else value for key, value in values.items()}
    return how.leave_out(place, str(columns[bad[0] == "text_pair"]), values[bad[0]])
