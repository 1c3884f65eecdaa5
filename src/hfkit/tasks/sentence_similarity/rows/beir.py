"""BEIR folders: a corpus, queries, and which document answers which query (Thakur et al. 2021)."""

from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.readers import read_table
from hfkit.data.readers.judgements import read_judgements
from hfkit.data.sources.image_folders import SPLITS
from hfkit.data.sources.source import Source
from hfkit.data.tables.table import Table, counted, is_missing

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"

GRADE = "relevance"
"""How right a document is for a query: 0 is judged to be wrong."""


def beir_folder(name: str) -> Path | None:
    """The folder of that name, where it is one of BEIR's."""
    try:
        folder = Path(name).expanduser()
        return folder if (folder / CORPUS).is_file() and (folder / QUERIES).is_file() else None
    except (OSError, RuntimeError):  # a name of thousands of characters, ~nobody
        return None


def read_beir(folder: Path, arguments: DataArguments) -> tuple[Source, dict[str, str]]:
    """The judgements of each split as rows of a query and a document, and the corpus: id -> text, in its order.
    Raises HfkitError: a file is missing or no such file, an id stands twice, or no judgement names texts that are
    there."""
    arguments.check_no_csv(str(folder))
    notes: list[str] = []
    corpus, queries = _texts(folder / CORPUS, arguments, notes), _texts(folder / QUERIES, arguments, notes)
    files = sorted((folder / QRELS).glob("*.tsv"))
    if not files:
        what = f"The folder has a corpus and queries, and no judgements in {QRELS}/"
        raise HfkitError(
            what, where=str(folder), fix=f"add {QRELS}/train.tsv: query-id, corpus-id and score, tab-parted"
        )
    tables = {SPLITS.get(file.stem, file.stem): _judged(file, corpus, queries, notes) for file in files}
    if len(tables) == 1:
        tables = {"train": next(iter(tables.values()))}
    return Source(str(folder), "file", str(folder), tables, single=len(tables) == 1, notes=notes), corpus


def _texts(file: Path, arguments: DataArguments, notes: list[str]) -> dict[str, str]:
    """id -> title and text, of a file of them; empty ones are left out, counted."""
    table = read_table(file, arguments)
    for name in ("_id", "text"):
        table.known(name)
    titles = table.column("title") if "title" in table.columns else [None] * len(table)
    found: dict[str, str] = {}
    empty = []
    for row, (id, title, text) in enumerate(zip(table.column("_id"), titles, table.column("text"), strict=True)):
        said = " ".join(str(part).strip() for part in (title, text) if not is_missing(part))
        if is_missing(id) or str(id) in found:
            what = "The text has no _id" if is_missing(id) else f"The _id {str(id)[:60]!r} stands twice"
            raise HfkitError(what, where=table.place(row))
        if not said:
            empty.append(row)
        found[str(id)] = said
    if empty:
        notes.append(f"{file.name}: {counted(len(empty), 'text')} with nothing in it: left out ({table.places(empty)})")
    return {id: text for id, text in found.items() if text}


def _judged(file: Path, corpus: dict[str, str], queries: dict[str, str], notes: list[str]) -> Table:
    """The judgements of a file whose query and document are there."""
    table, rows = read_judgements(file)
    columns: dict[str, list[Any]] = {name: [] for name in ("query", "document", "document_id", GRADE)}
    kept, gone = [], []
    for row, (query, document, grade) in enumerate(rows):
        if query not in queries or document not in corpus:
            gone.append(row)
            continue
        for name, value in zip(columns, (queries[query], corpus[document], document, grade), strict=True):
            columns[name].append(value)
        kept.append(row)
    if gone:
        told = f"of a query or document that is not there: left out ({table.places(gone)})"
        notes.append(f"{file.name}: {counted(len(gone), 'judgement')} {told}")
    if not any(grade > 0 for grade in columns[GRADE]):
        raise HfkitError("No judgement says that a document is right for a query", where=str(file))
    lines = [table.lines[row] if table.lines is not None else row for row in kept]
    return Table(table.origin, columns, lines, table.unit, notes=table.notes)
