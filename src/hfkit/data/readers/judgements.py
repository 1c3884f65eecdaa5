"""Judgements: which document is right for which query, and how much; the qrels of a BEIR folder."""

from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.data.readers import read_table
from hfkit.data.tables.table import Table, is_number

NAMES = (("query-id", "query_id"), ("corpus-id", "corpus_id"), ("score",))


def read_judgements(file: Path) -> tuple[Table, list[tuple[str, str, float]]]:
    """The rows of a file, each the ids of a query and of a document and how right that is (0: judged to be wrong), with
    the table that says where a row stands. Raises HfkitError: other columns, or a score that is no number."""
    table = read_table(file)
    names = [table.first_of(known) for known in NAMES]
    if None in names:
        what = f"The judgements have the columns {', '.join(table.shown)}"
        raise HfkitError(what, where=str(file), fix="they are query-id, corpus-id and score, with a header")
    rows = list(zip(*(table.column(str(name)) for name in names), strict=True))
    odd = next((row for row, (_, _, grade) in enumerate(rows) if not is_number(str(grade))), None)
    if odd is not None:
        raise HfkitError(f"The score is no number: {str(rows[odd][2])[:40]!r}", where=table.place(odd))
    return table, [(str(query), str(document), float(grade)) for query, document, grade in rows]
