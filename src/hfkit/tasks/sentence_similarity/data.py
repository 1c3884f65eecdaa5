"""load: texts that belong together, as checked splits; a row a query, with the documents that are right for it."""

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from datasets import Dataset, Features, List, Value

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.sources.source import Source, open_source
from hfkit.data.splits import alike, group_of, settled
from hfkit.data.summary import LoadedData, finished
from hfkit.data.tables.columns import row_ids, unused
from hfkit.data.tables.roles import choose_alone
from hfkit.data.tables.rows import Rows, check_missing, check_strings, units
from hfkit.data.tables.table import Table, counted, is_missing, is_number, listed
from hfkit.data.text.keys import folded
from hfkit.tasks.sentence_similarity.config import MatchArguments
from hfkit.tasks.sentence_similarity.rows.beir import GRADE, beir_folder, read_beir
from hfkit.tasks.sentence_similarity.rows.columns import Columns, choose


@dataclass
class Arguments(MatchArguments, DataArguments):
    """All that a data set can be asked for, and what beside the two texts is learnt."""


@dataclass
class Beside:
    """What a row has beside its query and its document."""

    id: str | None  # of the document, where the data name it
    grade: float = 1.0  # how right the document is; of graded pairs their score
    negatives: list[str] = field(default_factory=list)


def load(arguments: Arguments, only_test: bool = False, label_names: list[str] | None = None) -> LoadedData:
    """Queries and documents as three splits, or with `only_test` the test split alone (of a single file, all of it).

    Pairs, triplets with negatives, pairs with a score, or a BEIR folder. Splits are drawn by documents, and no query
    or document of a later split is learnt. To search in are the documents of a split's own rows; for the test split
    of a BEIR folder its whole corpus.

    Args:
        arguments: Which data.
        only_test: Rows to evaluate a finished model on.
        label_names: Of no use: there are no labels.

    Returns:
        Columns `id`, `text` (the query), `text_pair` (its first document), `documents` with their `document_ids` and
        `grades` (above 0: right for the query), and `group` where several rows belong together. A query of validation
        and test has one row. Pairs with a score have that, and none of the lists.

    Raises:
        HfkitError: As `hfkit.load_data`; a cell that is no text, a score that is no number.
    """
    folder = beir_folder(arguments.dataset)
    opened, corpus = read_beir(folder, arguments) if folder else (open_source(arguments), None)
    tables, notes = choose_alone(opened, arguments, only_test)
    with after(notes):
        for table in tables.values():
            table.missing = arguments.missing_values
        columns = choose(next(iter(tables.values())), arguments, opened.card.columns if opened.card else {})
        group = group_of(arguments, opened.card)
        notes += unused(tables, {*vars(columns).values(), group, GRADE})
        splits = {role: _rows(table, role, columns, group, arguments, notes) for role, table in tables.items()}
        _scale(splits, columns, notes)
        by = group or (columns.query if corpus is not None or columns.score else columns.document)
        apart = {"text": "query"} if columns.score is None else {}
        if columns.score is None and corpus is None:  # which all splits of a BEIR folder search in
            apart["text_pair"] = "document"
        splits = settled(splits, alike, replace(arguments, group_column=by), opened.card, notes, apart)
    splits = {"test": splits["test"]} if only_test else splits
    return _finish(opened, columns, splits, group, corpus, notes)


def _rows(
    table: Table, role: str, columns: Columns, group: str | None, arguments: DataArguments, notes: list[str]
) -> Rows:
    """The pairs of a split; a cell that lists several documents is a row for each."""
    queries, cells = table.column(columns.query), table.column(columns.document)
    documents = list(map(listed, cells))
    negatives = table.column(columns.negative) if columns.negative in table.columns else [None] * len(table)
    denied = list(map(listed, negatives))
    check_strings(table, columns.query, queries)
    for name, values in ((columns.document, documents), (columns.negative, denied)):
        odd = [row for row, held in enumerate(values) if not all(isinstance(one, str) for one in held)]
        if odd:
            what = f"{counted(len(odd), 'value')} of {name!r} cannot be read as text: the first is {values[odd[0]]!r}"
            raise HfkitError(
                what[:300], where=table.places(odd), fix="write texts, in quotes; in JSON also lists of them"
            )
    empty = [row for row in range(len(table)) if is_missing(queries[row]) or not documents[row]]
    what = f"texts in {columns.query!r} and {columns.document!r}"
    check_missing(
        table, what, empty, "--text_column and --text_pair_column name other columns", arguments.drop_bad_rows
    )
    notes += [f"{role}: {counted(len(empty), 'row')} without both texts: dropped"] if empty else []
    grades = _grades(table, columns, set(empty), arguments)
    named = table.column(columns.document_id) if columns.document_id in table.columns else [None] * len(table)
    kept = [(row, one) for row in range(len(table)) if row not in set(empty) for one in documents[row]]
    ids = row_ids(table, role, (columns.query, columns.document))
    beside = [Beside(None if is_missing(named[row]) else str(named[row]), grades[row], denied[row]) for row, _ in kept]
    inputs = {"text": [queries[row] for row, _ in kept], "text_pair": [one for _, one in kept]}
    index = [row for row, _ in kept]
    by = "text" if GRADE in table.columns or columns.score else "text_pair"  # a judged query keeps all its documents
    unit: Any = [folded(text) for text in inputs[by]]
    if group and (own := units(table, None, group)):
        unit = [own[row] for row in index]
    _with_all_negatives(inputs, beside)
    same = sum(one.strip() == other.strip() for one, other in zip(*inputs.values(), strict=True))
    notes += [f"{role}: {counted(same, 'row')} whose two texts are the same"] if same else []
    return Rows(table, index, [ids[row] for row in index], inputs, beside, unit)


def _with_all_negatives(inputs: dict[str, list[str]], beside: list[Beside]) -> None:
    """Give the first of several rows of the same two texts the negatives of all: the others are repeats."""
    first: dict[tuple[str, str], Beside] = {}
    for *texts, one in zip(*inputs.values(), beside, strict=True):
        kept = first.setdefault((folded(texts[0]), folded(texts[1])), one)
        kept.negatives = list(dict.fromkeys([*kept.negatives, *one.negatives]))


def _grades(table: Table, columns: Columns, gone: set[int], arguments: DataArguments) -> list[float]:
    """The score of each row, or the grade of a judgement; 1 where there is neither."""
    name = columns.score or (GRADE if GRADE in table.columns else None)
    if name is None:
        return [1.0] * len(table)
    values = table.column(name)
    odd = [row for row, value in enumerate(values) if row not in gone and not is_number(str(value))]
    if odd:
        what = f"{counted(len(odd), 'score')} of {name!r} no number: the first is {str(values[odd[0]])[:40]!r}"
        raise HfkitError(what, where=table.places(odd), fix="mend the rows, or --loss ranking leaves scores out")
    return [0.0 if row in gone else float(value) for row, value in enumerate(values)]


def _scale(splits: dict[str, Rows], columns: Columns, notes: list[str]) -> None:
    """Divide scores by the largest where some are beyond 1, which no cosine is."""
    most = max((abs(one.grade) for rows in splits.values() for one in rows.label), default=0.0)
    if columns.score is not None and most > 1:
        for rows in splits.values():
            for one in rows.label:
                one.grade /= most
        notes.append(f"scores up to {most:g}: divided by that, to be learnt as cosines")


def _finish(
    opened: Source,
    columns: Columns,
    splits: dict[str, Rows],
    group: str | None,
    corpus: dict[str, str] | None,
    notes: list[str],
) -> LoadedData:
    made = {role: _graded(rows, group) for role, rows in splits.items()} if columns.score else {}
    for role, rows in splits.items():
        if not columns.score:
            made[role] = _matched(rows, role, group, corpus if role == "test" else None)
    sizes = " / ".join(f"{len(rows):,}" for rows in made.values())
    beside = [
        f", {what} = {name}" for what, name in (("negatives", columns.negative), ("score", columns.score)) if name
    ]
    noun = "pairs with a score" if columns.score else "queries"
    if "test" in made and not columns.score:
        there = len({id for ids in made["test"]["document_ids"] for id in ids})
        beside.append(f"; the test split searches in {counted(there, 'document')}")
    return finished(
        opened,
        made,
        notes,
        problem_type="retrieval" if columns.score is None else "similarity",
        reading=f"query = {columns.query}, document = {columns.document}: {sizes} {noun}{''.join(beside)}",
        text_column=columns.query,
        text_pair_column=columns.document,
        label_column=columns.score,
    )


def _graded(rows: Rows, group: str | None) -> Any:
    held = {"id": rows.id, **rows.inputs, "score": [one.grade for one in rows.label]}
    return Dataset.from_dict(held | ({"group": rows.unit} if group else {}))


def _matched(rows: Rows, role: str, group: str | None, corpus: dict[str, str] | None) -> Any:
    """The data set of a split: in training a row a right document, else a row a query. What the corpus holds beside is
    dealt out over the rows, each of which brings its share of documents to search in."""
    queries, ids = [folded(text) for text in rows.inputs["text"]], _document_ids(rows)
    right: dict[Any, list[int]] = {}
    wrong: dict[str, list[int]] = {}
    for row, query in enumerate(queries):
        if rows.label[row].grade > 0:
            right.setdefault(row if role == "train" else query, []).append(row)
        else:
            wrong.setdefault(query, []).append(row)
    made = [_line(rows, own, wrong.get(queries[own[0]], []), ids) for own in right.values()]
    found: dict[str, list[Any]] = {name: [line[name] for line in made] for name in made[0]}
    _deal(found, corpus or {})
    groups = [rows.unit[own[0]] if group and rows.unit else ids[own[0]] for own in right.values()]
    if group or len(set(groups)) < len(groups):
        found["group"] = [str(name)[:2000] for name in groups]
    text = Value("string")
    lists = {"documents": List(text), "document_ids": List(text), "grades": List(Value("float32"))}
    return Dataset.from_dict(found, features=Features(dict.fromkeys(found, text) | lists))


def _line(rows: Rows, right: list[int], wrong: list[int], ids: list[str]) -> dict[str, Any]:
    """A query with its documents: the right ones, the best first, those that are judged to be wrong, its negatives."""
    order = sorted(right, key=lambda row: -rows.label[row].grade)
    documents = {ids[row]: (rows.inputs["text_pair"][row], rows.label[row].grade) for row in [*order, *wrong]}
    for row in right:
        for number, text in enumerate(rows.label[row].negatives):
            documents.setdefault(f"{rows.id[row]}-{number + 1}", (text, 0.0))
    texts, grades = map(list, zip(*documents.values(), strict=True))
    asked = {"id": rows.id[right[0]], "text": rows.inputs["text"][right[0]], "text_pair": texts[0]}
    return asked | {"documents": texts, "document_ids": list(documents), "grades": grades}


def _document_ids(rows: Rows) -> list[str]:
    """The id of each row's document: its own, else that of the first row that has the same one. A row of several
    documents numbers them."""
    first: dict[str, str] = {}
    taken: set[str] = set()
    for text, one, id in zip(rows.inputs["text_pair"], rows.label, rows.id, strict=True):
        if folded(text) not in first:
            name = one.id or id
            name = next(new for at in count() if (new := f"{name}.{at + 1}" if at else name) not in taken)
            first[folded(text)] = name
            taken.add(name)
    return [first[folded(text)] for text in rows.inputs["text_pair"]]


def _deal(found: dict[str, list[Any]], corpus: dict[str, str]) -> None:
    """Give each row its share of the documents of a corpus that no row has."""
    there = {id for ids in found["document_ids"] for id in ids}
    rest = [(id, text) for id, text in corpus.items() if id not in there]
    rows = len(found["id"])
    for number, (id, text) in enumerate(rest):
        for name, value in (("documents", text), ("document_ids", id), ("grades", 0.0)):
            found[name][number % rows].append(value)
