"""predict: the questions of a file of any size with their answers, in constant memory."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hfkit.base.atomic import write_json, writing
from hfkit.base.errors import HfkitError, nearest
from hfkit.config import FileArguments
from hfkit.data.readers import read_table
from hfkit.data.tables.columns import ID_NAMES
from hfkit.data.tables.table import counted, is_missing
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import STDIN, Row, Source, open_rows
from hfkit.inference.rows import Answer, answer_rows
from hfkit.tasks.predicting import PredictArguments, check_format
from hfkit.tasks.question_answering.data import CONTEXTS, QUESTIONS
from hfkit.tasks.question_answering.inference import QuestionAnsweringPipeline
from hfkit.tasks.question_answering.spans.written import unfolded

FORMATS = ("rows", "squad")

TYPES = {"answer": pa.string(), "start": pa.int64(), "end": pa.int64(), "score": pa.float64()}


def predict(
    model: str | Path | QuestionAnsweringPipeline,
    input: str | Path,
    output: str | Path | None = None,
    *,
    output_format: Literal["rows", "squad"] = "rows",
    **options: Any,
) -> int:
    """Answer every question of a file, and write it with the answer beside it.

    Every column is kept; `answer` (empty where there is none), `start`, `end` (characters of the context) and `score`
    are added; or, with the `output_format` squad, one JSON object is written, {id: answer}, as the official scripts
    read it.

    `input` is a .csv, .tsv, .jsonl, .json or .parquet file with a question (`text_column`) and its context
    (`text_pair_column`) in each row; SQuAD's nested JSON has a row a question. For the others, and what is raised, see
    `hfkit.inference.predict_file`; and for squad an id that is missing or stands twice is refused."""
    check_format(output_format, FORMATS)
    how = PredictArguments.taken(model, options)
    with _opened(input, how) as source:
        columns = _columns(source, how)
        answer = model if isinstance(model, QuestionAnsweringPipeline) else pipeline(model, **options)

        def read(place: str, row: dict[str, Any]) -> Any:
            for name in columns:
                if not how.is_text(row.get(name)):
                    return how.leave_out(place, name, row.get(name))
            return {key: row[name] for key, name in zip(("question", "context"), columns, strict=True)}

        def answers(chunk: list[Row]) -> list[Answer | None]:
            asked = [read(place, row) for place, row in chunk]
            try:
                found = iter(answer([one for one in asked if one is not None], top_k=1))
                return [None if one is None else next(found) for one in asked]
            except HfkitError as error:
                if len(chunk) > 1:  # one of them cannot be read: which
                    return [one for row in chunk for one in answers([row])]
                if how.skip_bad_rows:
                    return [None]
                raise HfkitError(error.what, where=chunk[0][0], fix=error.fix) from error

        if output_format == "squad":
            return _as_squad(source, output, answers, answer.chunk)
        told, hidden = (lambda one: ["answered" if one["answer"] else "no answer"]), how.disable_tqdm
        return answer_rows(source, output, TYPES, answers, chunk=answer.chunk, told=told, disable_tqdm=hidden)


@contextmanager
def _opened(input: str | Path, how: FileArguments) -> Iterator[Source]:
    """The rows of a file; of SQuAD's nested JSON, which is read whole, a row a question."""
    if str(input) == STDIN:
        raise HfkitError("--input -: a line holds no question and its context", fix="give a file with both in a row")
    with open_rows(input, how) as source:
        if not {"paragraphs", "qas"} & set(source.columns):
            yield source
            return
    table = unfolded(read_table(Path(input), how))
    names = list(table.columns)
    rows = zip(*map(table.column, names), strict=True)
    made = ((table.place(at), dict(zip(names, row, strict=True))) for at, row in enumerate(rows))
    yield Source(str(input), names, made, notes=table.notes)


def _columns(source: Source, how: PredictArguments) -> list[str]:
    """The columns of questions and contexts: those asked for, else the run's, else of a usual name."""
    named = {name.casefold(): name for name in reversed(source.columns)}
    found = []
    for flag, names in (("text_column", QUESTIONS), ("text_pair_column", CONTEXTS)):
        asked = getattr(how, flag)
        if asked is not None and asked not in source.columns:
            raise HfkitError(f"There is no column {asked!r}", where=source.name, fix=nearest(asked, source.columns))
        known = [how.trained[flag]] if how.trained.get(flag) in source.columns else []
        chosen = [name for name in (asked, *known, *(named[name] for name in names if name in named)) if name]
        if not chosen:
            what = f"There is none of the columns {', '.join(names)}; there are {', '.join(source.columns)}"
            raise HfkitError(what, where=source.name, fix=f"say --{flag} NAME")
        found.append(str(chosen[0]))
    return found


def _as_squad(source: Source, output: str | Path | None, answers: Any, chunk: int) -> int:
    """{id: answer} as one JSON object; a row that is skipped has the empty answer."""
    id = next((name for name in source.columns if name.casefold() in ID_NAMES), None)
    if id is None:
        fix = "give the questions an id, or leave --output_format out"
        raise HfkitError(f"No column holds ids; there are {', '.join(source.columns)}", where=source.name, fix=fix)
    found: dict[str, str] = {}
    rows = list(source.rows)
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        for (place, row), answer in zip(part, answers(part), strict=True):
            key = "" if is_missing(row.get(id)) else str(row[id])
            if not key or key in found:
                raise HfkitError(f"The id is {'missing' if not key else f'there twice: {key!r}'}", where=place)
            found[key] = answer["answer"] if answer else ""
    if output is None:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return len(found)
    with writing(Path(output), "set --output"):
        write_json(Path(output), found)
    print(
        f"{counted(len(found), 'answer')} written to {output}, {list(found.values()).count('')} empty", file=sys.stderr
    )
    return len(found)
