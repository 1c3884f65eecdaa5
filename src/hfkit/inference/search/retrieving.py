"""retrieve: the texts of an index for each query: the nearest, those that share its words, or a reranker's choice."""

import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.base.progress import Bar
from hfkit.config import FileArguments
from hfkit.data.tables.columns import TEXT_NAMES
from hfkit.data.tables.table import is_missing
from hfkit.evaluation.ranking import CUT
from hfkit.inference.readers import Source, column_of, open_rows
from hfkit.inference.rows import free_name
from hfkit.inference.search.building import IDS
from hfkit.inference.search.finding import Index, finder
from hfkit.inference.search.judging import Judged
from hfkit.inference.search.reranking import Reranker
from hfkit.inference.writers import open_writer

CHUNK = 1024
"""Queries that are answered together; with a reranker pairs."""

ADDED = {"rank": pa.int64(), "document_id": pa.string(), "score": pa.float64(), "document": pa.string()}
"""The columns of what is found."""


def retrieve(
    index_folder: str | Path,
    input: str | Path,
    output: str | Path | None = None,
    *,
    top_k: int = 10,
    model: str | None = None,
    by: str = "vectors",
    reranker: str | None = None,
    reranker_label: str | None = None,
    candidates: int = 100,
    qrels: str | Path | None = None,
    text_column: str | None = None,
    disable_tqdm: bool = False,
    how: FileArguments | None = None,
    **options: Any,
) -> int:
    """Write the texts of an index that are found for each query of a file, or each line of standard input (`-`): a row
    each, with the query's columns, `rank` from 1, `document_id`, `score` and `document`. Returns the number of queries.

    `by` says how: vectors, each is looked at, and the score is its cosine with that of `model`, by default the one that
    made the index; graph, those along it are; words, BM25, by no model. A `reranker`, see `Reranker`, also for its
    `reranker_label`, scores so many `candidates` of each query anew, of which the `top_k` best are shown. `qrels` are
    judgements, as BEIR has them: the figures of what was found are shown, see `Judged`. `output` ends in .csv, .tsv,
    .jsonl or .parquet; None is standard output. Raises HfkitError: there is no index, a query has no text, or model,
    reranker or judgements do not fit.
    """
    if top_k < 1:
        raise HfkitError(f"--top_k {top_k} finds nothing", fix="give a whole number from 1")
    found = Index.open(index_folder)
    search = finder(found, by, model, options)
    rerank = _reranker(reranker, reranker_label, candidates, top_k, options)
    judged = Judged(qrels, found.documents["id"].to_pylist()) if qrels is not None else None
    wanted = candidates if rerank else max(top_k, CUT if judged else 0)
    queries, size = 0, max(1, CHUNK // wanted) if rerank else CHUNK
    with open_rows(input, how) as source:
        column, id = _columns(source, text_column, judged is not None)
        names = {free_name(source.columns, name): kind for name, kind in ADDED.items()}
        schema = pa.schema([*(source.schema or ()), *names.items()])
        with (
            open_writer(output, source.columns, list(names), schema) as writer,
            Bar("retrieve", "row", None, hidden=disable_tqdm or output is None) as bar,
        ):
            while rows := list(islice(source.rows, size)):
                texts = [_query(place, row, column) for place, row in rows]
                listed = [_documents(found, *one) for one in zip(*search(texts, wanted), strict=True)]
                shown = rerank.ordered(texts, listed) if rerank else listed
                for (_, row), first, last in zip(rows, listed, shown, strict=True):
                    if judged:
                        judged.add(str(row.get(id)), [one["id"] for one in first], [one["id"] for one in last])
                each = zip(rows, shown, strict=True)
                writer.write([line for (_, row), own in each for line in _lines(row, names, own[:top_k])])
                queries += len(rows)
                bar.update(len(rows))
            told = judged.table(wanted, rerank is not None) if judged else []
    if rerank:
        told = [f"reranked by {rerank.wanted}: the first {wanted:,} of each query", *told]
    for line in told if output is None else [*told, f"queries answered in {output}: {queries:,}"]:
        print(line, file=sys.stderr)
    return queries


def _reranker(
    model: str | None, label: str | None, candidates: int, top_k: int, options: dict[str, Any]
) -> Reranker | None:
    """What orders the candidates anew, if anything."""
    if model is None:
        if label is not None:
            raise HfkitError("--reranker_label has no effect without --reranker", fix="drop the flag")
        return None
    if candidates < top_k:
        raise HfkitError(f"--candidates {candidates} are fewer than --top_k {top_k}", fix="give more of them")
    return Reranker(model, options, label)


def _columns(source: Source, asked: str | None, judged: bool) -> tuple[str, str]:
    """The columns of the queries, and of their ids where what is found for them is judged."""
    id = next((name for name in source.columns if name.casefold() in IDS), "")
    if judged and not id:
        raise HfkitError("The queries have no ids, by which they are judged", where=source.name, fix="add _id")
    return column_of(source, asked, None, ("query", "question", *TEXT_NAMES)), id


def _query(place: str, row: dict[str, Any], column: str) -> str:
    text = row.get(column)
    if not isinstance(text, str) or is_missing(text):
        raise HfkitError(f"The query has no text in its column {column!r}: {repr(text)[:80]}", where=place)
    return text


def _documents(found: Index, places: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    """What was found for a query: `id`, `text` and `score`, the best first."""
    rows = found.documents.take(pa.array(places)).to_pylist()
    return [row | {"score": float(score)} for row, score in zip(rows, scores, strict=True)]


def _lines(row: dict[str, Any], names: Iterable[str], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A query's row with the columns of each text that was found."""
    told = [(at + 1, one["id"], round(one["score"], 6), one["text"]) for at, one in enumerate(found)]
    return [row | dict(zip(names, values, strict=True)) for values in told]
