"""predict: the gaps in a file's texts, filled, in constant memory."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row, column_of, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.predicting import PredictArguments

CHUNK = 64  # texts that are answered together


def predict(model: str | Path | Any, input: str | Path, output: str | Path | None = None, **options: Any) -> int:
    """Fill the gaps in every text of a file, and write it with the answers beside it.

    Every column is kept. `filled` is added, the text with the likeliest token in each gap; and `words` and `scores`,
    lists with an entry a gap. A gap is the model's mask token; each is filled as if the others stayed open.

    `input` is a .csv, .tsv, .jsonl or .parquet file, or `-` for a text a line on standard input; a row without a gap is
    one without a text. See `hfkit.inference.predict_file`."""
    how = PredictArguments.taken(model, options)
    with open_rows(input, how) as source:
        column = column_of(source, how.text_column, how.trained.get("text_column"))
        fill = pipeline(model, **options) if isinstance(model, str | Path) else model

        def answers(rows: list[Row]) -> list[Answer | None]:
            return [_filled(fill, row.get(column), column, place, how) for place, row in rows]

        kinds = {"filled": pa.string(), "words": pa.list_(pa.string()), "scores": pa.list_(pa.float64())}
        told, hidden = (lambda found: found["words"]), how.disable_tqdm
        return answer_rows(source, output, kinds, answers, chunk=CHUNK, told=told, disable_tqdm=hidden)


def _filled(fill: Any, text: Any, column: str, place: str, how: PredictArguments) -> Answer | None:
    """A row's answer; None for one to skip."""
    mask = fill.tokenizer.mask_token
    if not isinstance(text, str) or mask not in text:
        how.leave_out(place, column, text, mask, f"write {mask} where a word is wanted")
        return None
    try:
        found = fill(text, top_k=1)
    except HfkitError as error:
        raise HfkitError(error.what, where=place, fix=error.fix) from error
    best = [one[0] if isinstance(one, list) else one for one in found]
    words = [one["token_str"].strip() for one in best]
    first, *others = text.split(mask)
    filled = first + "".join(word + after for word, after in zip(words, others, strict=True))
    return {"filled": filled, "words": words, "scores": [one["score"] for one in best]}
