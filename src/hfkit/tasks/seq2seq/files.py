"""predict: the texts of a file of any size with what becomes of them, in constant memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.config import FileArguments
from hfkit.data.readers import open_bytes
from hfkit.data.tables.columns import TEXT_NAMES
from hfkit.data.tables.table import is_missing
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import STDIN, Row, Source, column_of, open_rows, stream_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.runs.run import Run
from hfkit.tasks.seq2seq.inference import KEYS, Seq2SeqPipeline

USUAL = ("source", "src", "input", "article", "document", "dialogue", *TEXT_NAMES)


def predict(
    model: str | Path | Seq2SeqPipeline,
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
    """Write what becomes of every text of a file beside it.

    Every column is kept; `translation_text`, `summary_text` or `generated_text` is added, as the pipeline calls it.

    Args:
        model: A run, a model's folder, an adapter or a Hub id; or a pipeline that is loaded already.
        input: A .csv, .tsv, .jsonl, .json or .parquet file, a .txt file with a text a line, or `-` for standard input.
        output: A .csv, .tsv, .jsonl, .json or .parquet file, written whole or not at all. None: a line an answer.
        text_column: Default: the column of sources that the run was trained on, else a usual name.
        text_pair_column: Of no use here.
        encoding, delimiter, quoting, column_names: Of the input's text formats, as in `hfkit.config.FileArguments`.
        missing_values: What stands for a missing text. Default: the run's.
        skip_bad_rows: Give a row without a text no answer, counted, instead of stopping.
        disable_tqdm: No progress bar on standard error.
        options: Arguments of `hfkit.pipeline`, those of `generate` too.

    Returns:
        The number of rows.

    Raises:
        HfkitError: With the file and the row: a missing column, a row without a text; and what `hfkit.pipeline` and the
            writers raise. No output is left then.
    """
    how = FileArguments(encoding=encoding, delimiter=delimiter, quoting=quoting, column_names=list(column_names))
    info = Run(model).info if isinstance(model, str | Path) and (Path(model) / "run.json").is_file() else {}
    missing = missing_values or info.get("config", {}).get("missing_values", ())
    with _opened(input, how) as source:
        column = column_of(source, text_column, (info.get("data") or {}).get("text_column"), USUAL)
        write = model if isinstance(model, Seq2SeqPipeline) else pipeline(model, **options)
        key = KEYS[write.task]
        return answer_rows(
            source,
            output,
            {key: pa.string()},
            lambda chunk: _answers(write, chunk, column, missing, skip_bad_rows),
            chunk=write.chunk,
            told=lambda answer: ["with a text" if answer[key].strip() else "empty"],
            disable_tqdm=disable_tqdm,
        )


def _answers(
    write: Seq2SeqPipeline, chunk: list[Row], column: str, missing: Sequence[str], skip: bool
) -> list[Answer | None]:
    """What is written to each row."""
    texts = [_text(place, row, column, missing, skip) for place, row in chunk]
    asked = [text for text in texts if text is not None]
    try:
        found = iter(write.answered(asked, **write._forward_params) if asked else ())
        return [None if text is None else {KEYS[write.task]: next(found)[0].text} for text in texts]
    except HfkitError as error:
        if len(chunk) > 1:  # one of them cannot be read: which
            return [one for row in chunk for one in _answers(write, [row], column, missing, skip)]
        if skip:
            return [None]
        raise HfkitError(error.what, where=chunk[0][0], fix=error.fix) from error


@contextmanager
def _opened(input: str | Path, how: FileArguments) -> Iterator[Source]:
    """The rows of a file; of a .txt file a text a line."""
    if str(input) == STDIN or Path(input).suffix.lower() != ".txt":
        with open_rows(input, how) as source:
            yield source
        return
    with open_bytes(Path(input)) as stream:
        yield Source(str(input), ["text"], stream_rows(stream, str(input), how))


def _text(place: str, row: dict[str, Any], column: str, missing: Sequence[str], skip: bool) -> str | None:
    """A row's text; None for one to skip."""
    value = row.get(column)
    if isinstance(value, str) and not is_missing(value) and value.strip() not in missing:
        return value
    if skip:
        return None
    raise HfkitError(
        f"The row has no text in its column {column!r}: {str(value)[:80]!r}",
        where=place,
        fix="mend the row, or --skip_bad_rows to leave such rows without an answer",
    )
