"""predict: the texts of a file of any size with their names, in constant memory."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.data.readers import SUFFIXES
from hfkit.data.tables.columns import TEXT_NAMES
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import STDIN, Source, column_of, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.predicting import PredictArguments, answering, check_format
from hfkit.tasks.token_classification.inference import TokenClassificationPipeline
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
    output_format: Literal["spans", "words"] = "spans",
    **options: Any,
) -> int:
    """Find the names in every text of a file, and write it with them beside it.

    `input` is a .csv, .tsv, .jsonl or .parquet file with a column of texts, or of lists of words; a CoNLL file, whose
    first column is read; or `-` for a text a line on standard input. Every column is kept. `spans` is added: a list of
    {"start", "end", "label", "text", "score"}, places in characters of the text as it stands in the file; or `words`,
    `tags` and `scores`, lists with an entry a word. For the others see `hfkit.inference.predict_file`."""
    check_format(output_format, FORMATS)
    how = PredictArguments.taken(model, options)
    if how.text_pair_column is not None:
        raise HfkitError("--text_pair_column: names are found in one text", fix="drop the flag")
    columns = str(input) != STDIN and Path(input).is_file() and Path(input).suffix.lower() not in SUFFIXES
    with nullcontext(_sentences(Path(input), how)) if columns else open_rows(input, how) as source:
        usual, trained = (*WORD_NAMES, *TEXT_NAMES), how.trained.get("text_column")
        column = "tokens" if columns else column_of(source, how.text_column, trained, usual)
        tag = model if isinstance(model, TokenClassificationPipeline) else pipeline(model, **options)

        def read(place: str, row: dict[str, Any]) -> Any:
            value = row.get(column)
            value = spelled if (spelled := listed(value)) is not None else value  # as training reads such a cell
            if isinstance(value, list) and value and all(isinstance(word, str) and word for word in value):
                return {"tokens": value}
            return value if how.is_text(value) else how.leave_out(place, column, value)

        return answer_rows(
            source,
            output,
            TYPES[output_format],
            answering(read, lambda rows: _told(tag, rows, output_format)),
            chunk=tag.chunk,
            told=_labels,
            disable_tqdm=how.disable_tqdm,
        )


def _told(tag: TokenClassificationPipeline, rows: list[Any], output_format: str) -> Iterator[Answer]:
    spans = {"start": "start", "end": "end", "label": "entity_group", "text": "word", "score": "score"}
    words = {"words": "word", "tags": "entity", "scores": "score"}
    for answer in tag.answered(rows):
        if output_format == "spans":
            yield {"spans": [{key: name[own] for key, own in spans.items()} for name in tag.said(answer, {})]}
        else:
            said = tag.said(answer, {"aggregation_strategy": "none", "ignore_labels": []})
            yield {key: [word[own] for word in said] for key, own in words.items()}


def _labels(answer: Answer) -> list[str]:
    """What the line at the end counts."""
    return answer["tags"] if "tags" in answer else [span["label"] for span in answer["spans"]] or ["no name"]


def _sentences(path: Path, how: PredictArguments) -> Source:
    """The sentences of a CoNLL file: of the column that is asked for, else the run's, else where words usually are."""
    how.check_no_csv(str(path))
    table = read_columns(path, how.encoding)
    heads = {name: table.head(name, LOOKED_AT) for name in table.columns if name.isdecimal()}
    trained = how.trained.get("text_column")
    column = how.text_column or (trained if trained in heads else first_column(list(heads), heads)) or "1"
    rows = ((table.place(row), {"tokens": words}) for row, words in enumerate(table.column(column)))
    return Source(str(path), ["tokens"], rows, len(table), notes=[*table.notes, f"words: column {column}"])
