"""predict: the gaps in a file's texts, filled, in constant memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.config import FileArguments
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row, column_of, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.runs.run import Run

CHUNK = 64
"""Texts that are answered together."""


def predict(
    model: str | Path | Any,
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
    """Fill the gaps in every text of a file, and write it with the answers beside it.

    Every column is kept. `filled` is added, the text with the likeliest token in each gap; and `words` and `scores`,
    lists with an entry a gap. A gap is the model's mask token; each is filled as if the others stayed open.

    Args:
        model: A run, a model's folder, an adapter or a Hub id; or a pipeline that is loaded already.
        input: A .csv, .tsv, .jsonl or .parquet file, or `-` for a text a line on standard input.
        output: A .csv, .tsv, .jsonl or .parquet file, written whole or not at all. None: a line an answer.
        text_column: Default: the column that the run was trained on, else a usual name (text, sentence, ...).
        text_pair_column, missing_values: Of no use here.
        encoding, delimiter, quoting, column_names: Of the input's text formats, as in `hfkit.config.FileArguments`.
        skip_bad_rows: Give a row without a gap no answer, counted, instead of stopping.
        disable_tqdm: No progress bar on standard error.
        options: Arguments of `hfkit.pipeline`.

    Returns:
        The number of rows.

    Raises:
        HfkitError: With the file and the row: a missing column, a row without a gap, a broken row; and what
            `hfkit.pipeline` and the writers raise. No output is left then.
    """
    how = FileArguments(encoding=encoding, delimiter=delimiter, quoting=quoting, column_names=list(column_names))
    info = Run(model).info if isinstance(model, str | Path) and (Path(model) / "run.json").is_file() else {}
    with open_rows(input, how) as source:
        column = column_of(source, text_column, (info.get("data") or {}).get("text_column"))
        fill = pipeline(model, **options) if isinstance(model, str | Path) else model

        def answers(rows: list[Row]) -> list[Answer | None]:
            return [_filled(fill, row.get(column), column, place, skip_bad_rows) for place, row in rows]

        kinds = {"filled": pa.string(), "words": pa.list_(pa.string()), "scores": pa.list_(pa.float64())}
        return answer_rows(
            source, output, kinds, answers, chunk=CHUNK, told=lambda found: found["words"], disable_tqdm=disable_tqdm
        )


def _filled(fill: Any, text: Any, column: str, place: str, skip: bool) -> Answer | None:
    """A row's answer; None for one to skip."""
    mask = fill.tokenizer.mask_token
    if not isinstance(text, str) or mask not in text:
        if skip:
            return None
        raise HfkitError(
            f"The row has no {mask} in its column {column!r}: {str(text)[:80]!r}",
            where=place,
            fix=f"write {mask} where a word is wanted, or --skip_bad_rows to leave such rows without an answer",
        )
    try:
        found = fill(text, top_k=1)
    except HfkitError as error:
        raise HfkitError(error.what, where=place, fix=error.fix) from error
    best = [one[0] if isinstance(one, list) else one for one in found]
    words = [one["token_str"].strip() for one in best]
    first, *others = text.split(mask)
    filled = first + "".join(word + after for word, after in zip(words, others, strict=True))
    return {"filled": filled, "words": words, "scores": [one["score"] for one in best]}
