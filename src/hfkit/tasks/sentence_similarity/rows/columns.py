"""Which columns hold the texts that belong together: by flag, by card, by name; never a silent guess."""

from dataclasses import dataclass
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import Table, is_missing, is_number

QUERIES = (
    "query", "question", "anchor", "sentence1", "sentence_1", "sentence_a", "text_a", "source", "premise", "text",
)  # fmt: skip
DOCUMENTS = (
    "positive", "document", "passage", "context", "paragraph", "pos", "positives", "answer", "sentence2", "sentence_2",
    "sentence_b", "text_b", "target", "response", "hypothesis", "text_pair",
)  # fmt: skip
NEGATIVES = ("negative", "negatives", "neg", "hard_negative", "hard_negatives")
SCORES = ("score", "similarity_score", "similarity", "relatedness_score", "label")
IDS = ("document_id", "doc_id", "passage_id", "positive_id", "corpus-id")


@dataclass(frozen=True)
class Columns:
    """The columns that are read; those that a table has not are None."""

    query: str
    document: str
    negative: str | None
    score: str | None
    document_id: str | None


def choose(table: Table, arguments: Any, given: dict[str, str]) -> Columns:
    """The columns of a table; `given` are those of its card. Raises HfkitError: a column that is asked for is not
    there, or the two texts cannot be told."""
    asked = {
        "query": arguments.text_column or given.get("text"),
        "document": arguments.text_pair_column or given.get("text_pair"),
        "negative": arguments.negative_column,
        "score": arguments.score_column,
    }
    taken = [name for name in asked.values() if name]
    for name in taken:
        table.known(name)
        if taken.count(name) > 1:
            raise HfkitError(f"The column {name!r} is named for two things", where=table.origin, fix="drop one flag")
    query = asked["query"] or table.first_of(QUERIES, taken)
    document = asked["document"] or table.first_of(DOCUMENTS, [*taken, query])
    if query is None or document is None or query == document:
        raise HfkitError(
            f"No two columns are known for texts that belong together; there are {', '.join(table.shown)}",
            where=table.origin,
            fix="say --text_column and --text_pair_column; of CSV without a header --column_names query positive",
        )
    negative = asked["negative"] or table.first_of(NEGATIVES, [query, document])
    score = asked["score"]
    if score is None and negative is None and arguments.loss in ("auto", "cosine"):
        score = table.first_of(SCORES, [query, document])
        if score and score.casefold() == "label" and not _graded(table.head(score, 1000)):
            fix = f"--score_column {score} learns 1 as near and 0 as far; --loss ranking takes every row for a match"
            raise HfkitError(f"The column {score!r} holds classes, and which rows belong together is not said",
                             where=table.origin, fix=fix)  # fmt: skip
    if arguments.loss == "cosine" and score is None:
        what = f"--loss cosine learns a score, and no column is called so; there are {', '.join(table.shown)}"
        raise HfkitError(what, where=table.origin, fix="say --score_column NAME")
    if arguments.loss == "margin" and negative is None:
        what = f"--loss margin learns of negatives, and no column holds them; there are {', '.join(table.shown)}"
        raise HfkitError(what, where=table.origin, fix="say --negative_column NAME, or --loss ranking")
    return Columns(query, document, negative, score, table.first_of(IDS, [query, document, negative]))


def _graded(values: list[Any]) -> bool:
    """Whether these are grades and no classes: numbers, some with a fraction."""
    known = [str(value) for value in values if not is_missing(value)]
    return all(map(is_number, known)) and any(float(value) % 1 for value in known)
