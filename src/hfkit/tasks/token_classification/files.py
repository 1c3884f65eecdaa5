"""predict: the texts of a file of any size with their names, in constant memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hfkit.base.errors import HfkitError, nearest
from hfkit.config import FileArguments
from hfkit.data.readers import SUFFIXES
from hfkit.data.tables.columns import TEXT_NAMES
from hfkit.data.tables.table import is_missing
from hfkit.inference.readers import STDIN, Row, Source, column_of, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.runs.run import Run
from hfkit.tasks.token_classification.inference import Tagged, TokenClassificationPipeline
from hfkit.tasks.token_classification.words.choice import LOOKED_AT, first_column
from hfkit.tasks.token_classification.words.columns import read_columns
from hfkit.tasks.token_classification.words.layouts import WORD_NAMES, listed

FORMATS = ("spans", "words")

_SPAN = pa.struct({"start": pa.int64(), "end": pa.int64(), "label": pa.string(), "text": pa.string(),
                   "score": pa.float64()})  # fmt: skip
TYPES: dict[str, dict[str, pa.DataType]] = {
    "spans": {"spans": pa.list_(_SPAN)},
    "words": {"words": pa.list_(pa.string()), "tags": pa.list_(pa.string()), "scores": pa.list_(pa.float64())},
}


def predict(
    model: str | Path | TokenClassificationPipeline,
    input: str | Path,
    output: str | Path | None = None,
    *,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    output_format: Literal["spans", "words"] = "spans",
    encoding: str = "utf-8",
    delimiter: str | None = None,
    quoting: Literal["minimal", "none"] = "minimal",
    column_names: Sequence[str] = (),
    missing_values: Sequence[str] = (),
    skip_bad_rows: bool = False,
    disable_tqdm: bool = False,
    **options: Any,
) -> int:
    """Find the names in every text of a file, and write it with them beside it.

    Every column is kept. `spans` is added: a list of {"start", "end", "label", "text", "score"}, places in characters
    of the text as it stands in the file; or `words`, `tags` and `scores`, lists with an entry a word.

    Args:
        model: A run, a model's folder, an adapter or a Hub id; or a pipeline that is loaded already.
        input: A .csv, .tsv, .jsonl or .parquet file with a column of texts, or of lists of words; a CoNLL file, whose
            first column is read; `-` for a text a line on standard input.
        output: A .csv, .tsv, .jsonl or .parquet file, written whole or not at all. None: a line an answer.
        text_column: Default: the column that the run was trained on, else a usual name (text, tokens, ...).
        text_pair_column: Of no use here.
        output_format: `spans` or `words`.
        encoding, delimiter, quoting, column_names: Of the input's text formats, as in `hfkit.config.FileArguments`.
        missing_values: What stands for a missing text. Default: the run's.
        skip_bad_rows: Give a row without a text no answer, counted, instead of stopping.
        disable_tqdm: No progress bar on standard error.
        options: Arguments of `hfkit.pipeline`.

    Returns:
        The number of rows.

    Raises:
        HfkitError: With the file and the row: a missing column, a row without a text, a broken row; and what
            `hfkit.pipeline` and the writers raise. No output is left then.
    """
    if output_format not in FORMATS:
        raise HfkitError(f"There is no --output_format {output_format}", fix=nearest(output_format, FORMATS))
    if text_pair_column is not None:
        raise HfkitError("--text_pair_column: names are found in one text", fix="drop the flag")
    how = FileArguments(encoding=encoding, delimiter=delimiter, quoting=quoting, column_names=list(column_names))
    info = Run(model).info if isinstance(model, str | Path) and (Path(model) / "run.json").is_file() else {}
    missing = missing_values or info.get("config", {}).get("missing_values", ())
    if str(input) != STDIN and Path(input).is_file() and Path(input).suffix.lower() not in SUFFIXES:
        how.check_no_csv(str(input))
        source = _sentences(Path(input), encoding, text_column, (info.get("data") or {}).get("text_column"))
        return _answered(source, "tokens", model, output, output_format, missing, skip_bad_rows, disable_tqdm, options)
    with open_rows(input, how) as source:
        column = column_of(source, text_column, (info.get("data") or {}).get("text_column"), (*WORD_NAMES, *TEXT_NAMES))
        return _answered(source, column, model, output, output_format, missing, skip_bad_rows, disable_tqdm, options)


def _answered(
    source: Source,
    column: str,
    model: Any,
    output: str | Path | None,
    output_format: str,
    missing: Sequence[str],
    skip: bool,
    disable_tqdm: bool,
    options: dict[str, Any],
) -> int:
    tag = model if isinstance(model, TokenClassificationPipeline) else pipeline_of(model, options)

    def answers(chunk: list[Row]) -> list[Answer | None]:
        rows = [_input(place, row.get(column), column, missing, skip) for place, row in chunk]
        found = iter(tag.answered([row for row in rows if row is not None]))
        return [None if row is None else _told(tag, next(found), output_format) for row in rows]

    return answer_rows(
        source,
        output,
        TYPES[output_format],
        answers,
        chunk=tag.chunk,
        told=lambda answer: _labels(answer, output_format),
        disable_tqdm=disable_tqdm,
    )


def pipeline_of(model: Any, options: dict[str, Any]) -> TokenClassificationPipeline:
    """The pipeline of a run, a folder or a Hub id."""
    from hfkit.inference.pipelines import pipeline as opened

    made: TokenClassificationPipeline = opened(model, **options)
    return made


def _told(tag: TokenClassificationPipeline, answer: Tagged, output_format: str) -> Answer:
    if output_format == "spans":
        names = tag.said(answer, {})
        keys = {"start": "start", "end": "end", "label": "entity_group", "text": "word", "score": "score"}
        return {"spans": [{key: name[other] for key, other in keys.items()} for name in names]}
    words = tag.said(answer, {"aggregation_strategy": "none", "ignore_labels": []})
    return {
        "words": [word["word"] for word in words],
        "tags": [word["entity"] for word in words],
        "scores": [word["score"] for word in words],
    }


def _labels(answer: Answer, output_format: str) -> list[str]:
    """What the line at the end counts."""
    if output_format == "spans":
        return [span["label"] for span in answer["spans"]] or ["no name"]
    return list(answer["tags"])


def _sentences(path: Path, encoding: str, asked: str | None, trained: str | None) -> Source:
    """The sentences of a CoNLL file: of the column that is asked for, else the run's, else where words usually are."""
    table = read_columns(path, encoding)
    heads = {name: table.head(name, LOOKED_AT) for name in table.columns if name.isdecimal()}
    column = asked or (trained if trained in heads else first_column(list(heads), heads)) or "1"
    rows = ((table.place(row), {"tokens": words}) for row, words in enumerate(table.column(column)))
    return Source(str(path), ["tokens"], rows, len(table), notes=[*table.notes, f"words: column {column}"])


def _input(place: str, value: Any, column: str, missing: Sequence[str], skip: bool) -> Any:
    """What the pipeline takes of a row; None for one to skip."""
    value = spelled if (spelled := listed(value)) is not None else value  # as training reads such a cell
    words = isinstance(value, list) and value and all(isinstance(word, str) and word for word in value)
    if words or (isinstance(value, str) and not is_missing(value) and value.strip() not in missing):
        return {"tokens": value} if words else value
    if skip:
        return None
    raise HfkitError(
        f"The row has no text in its column {column!r}: {str(value)[:80]!r}",
        where=place,
        fix="mend the row, or --skip_bad_rows to leave such rows without an answer",
    )
