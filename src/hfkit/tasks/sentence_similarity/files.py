"""predict: the texts of a file of any size with their vectors, in constant memory."""

from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from hfkit.data.tables.columns import TEXT_NAMES
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import column_of, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.predicting import PredictArguments, answering
from hfkit.tasks.sentence_similarity.inference import SentencePipeline

USUAL = (*TEXT_NAMES, "query", "document")


def predict(
    model: str | Path | SentencePipeline, input: str | Path, output: str | Path | None = None, **options: Any
) -> int:
    """Write the vector of every text of a file beside it, in a column `embedding`; a .npy file has the vectors alone.

    Args:
        input: A .csv, .tsv, .jsonl, .json or .parquet file, or `-` for a text a line on standard input.
        model, output, options: See `hfkit.inference.predict_file`; among them `prompt_name` and `truncate_dim`, see
            `SentencePipeline`. In a .npy file a row that is skipped has zeros.
    """
    how = PredictArguments.taken(model, options)
    with open_rows(input, how) as source:
        column = column_of(source, how.text_column, how.trained.get("text_column"), USUAL)
        embed = model if isinstance(model, SentencePipeline) else pipeline(model, **options)

        def answers(texts: list[str]) -> list[Answer]:
            found = embed.answered(texts, **embed._forward_params) if texts else []
            return [{"embedding": vector.tolist()} for vector in found]

        return answer_rows(
            source,
            output,
            {"embedding": pa.list_(pa.float32())},
            answering(partial(how.text_in, column), answers),
            chunk=embed.chunk,
            told=lambda answer: f"vectors of {len(answer['embedding'])} numbers",
            disable_tqdm=how.disable_tqdm,
        )
