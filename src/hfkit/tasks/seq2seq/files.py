"""predict: the texts of a file of any size with what becomes of them, in constant memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from hfkit.config import FileArguments
from hfkit.data.readers import open_bytes
from hfkit.data.tables.columns import TEXT_NAMES
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import STDIN, Source, column_of, open_rows, stream_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.predicting import PredictArguments, answering
from hfkit.tasks.seq2seq.inference import KEYS, Seq2SeqPipeline

USUAL = ("source", "src", "input", "article", "document", "dialogue", *TEXT_NAMES)


def predict(
    model: str | Path | Seq2SeqPipeline, input: str | Path, output: str | Path | None = None, **options: Any
) -> int:
    """Write what becomes of every text of a file beside it.

    Every column is kept; `translation_text`, `summary_text` or `generated_text` is added, as the pipeline calls it.
    `input` is a .csv, .tsv, .jsonl, .json or .parquet file, a .txt file with a text a line, or `-` for standard input.
    For the others see `hfkit.inference.predict_file`; among them are arguments of `generate` too."""
    how = PredictArguments.taken(model, options)
    with _opened(input, how) as source:
        column = column_of(source, how.text_column, how.trained.get("text_column"), USUAL)
        write = model if isinstance(model, Seq2SeqPipeline) else pipeline(model, **options)
        key = KEYS[write.task]

        def answers(texts: list[str]) -> list[Answer]:
            return [{key: found[0].text} for found in write.answered(texts, **write._forward_params)] if texts else []

        return answer_rows(
            source,
            output,
            {key: pa.string()},
            answering(partial(how.text_in, column), answers),
            chunk=write.chunk,
            told=lambda answer: ["with a text" if answer[key].strip() else "empty"],
            disable_tqdm=how.disable_tqdm,
        )


@contextmanager
def _opened(input: str | Path, how: FileArguments) -> Iterator[Source]:
    """The rows of a file; of a .txt file a text a line."""
    if str(input) == STDIN or Path(input).suffix.lower() != ".txt":
        with open_rows(input, how) as source:
            yield source
        return
    with open_bytes(Path(input)) as stream:
        yield Source(str(input), ["text"], stream_rows(stream, str(input), how))
