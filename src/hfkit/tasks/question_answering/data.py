"""load: questions about contexts, with the answers that stand in them, as checked splits."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datasets import Dataset, Features, List, Value

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard
from hfkit.data.sources.source import Source, open_source
from hfkit.data.splits import group_of, settled
from hfkit.data.summary import LoadedData, finished
from hfkit.data.tables.columns import ID_NAMES, identifies, unused
from hfkit.data.tables.roles import choose_alone
from hfkit.data.tables.rows import Rows, units
from hfkit.data.tables.table import Table, counted, is_missing
from hfkit.tasks.question_answering.spans.overlap import by_character
from hfkit.tasks.question_answering.spans.written import NOWHERE, STARTS, Answer, placed, unfolded, written

QUESTIONS = ("question", "query", "question_text")
CONTEXTS = ("context", "passage", "paragraph", "text_pair", "context_text", "document", "article", "text")
ANSWERS = ("answers", "answer", "answer_text", "label")

FEW_TITLES = 10  # below so many, held-out splits are drawn by contexts: a title alone would be a split of its own kind

CHARACTERS = "F1 counts their characters, not words"


@dataclass(frozen=True)
class Columns:
    """The columns that are read; `start` and `impossible` where a table has such."""

    question: str
    context: str
    answers: str
    start: str | None
    impossible: str | None
    id: str | None


def load(arguments: DataArguments, only_test: bool = False, label_names: list[str] | None = None) -> LoadedData:
    """Questions with their contexts and answers as three splits, or with `only_test` the test split alone (of a single
    file, all of it).

    SQuAD's nested JSON, or rows of a question, a context and its answers in any form that `written` reads. Splits are
    drawn by titles where the rows have them, else by contexts; and no context of a later split is learnt.

    Columns `id`, `text` (the question), `text_pair` (its context), `answers` (texts; none where the question has no
    answer), `starts` (where each begins in the context, in characters; -1 where it stands nowhere), and `group`: the
    context, or the value of `--group_column`, over which intervals are taken. Raises HfkitError: as `hfkit.load_data`;
    and a row without a question, a context or an answer, or whose answers all stand nowhere in its context, with file,
    row and id."""
    opened = open_source(arguments)
    tables, notes = choose_alone(opened, arguments, only_test)
    with after(notes):
        tables = {role: unfolded(table) for role, table in tables.items()}
        for table in tables.values():
            table.missing = arguments.missing_values
        columns = _columns(tables, arguments, opened.card)
        asked = group_of(arguments, opened.card)
        arguments = replace(arguments, group_column=asked or _unit(tables, columns))
        notes += unused(tables, {*vars(columns).values(), arguments.group_column}, never=())
        splits = {role: _rows(table, role, columns, arguments, notes) for role, table in tables.items()}
        splits = settled(splits, _answerable, arguments, opened.card, notes, apart={"text_pair": "context"})
    return _finish(opened, columns, {"test": splits["test"]} if only_test else splits, notes, by_asked=bool(asked))


def _columns(tables: dict[str, Table], arguments: DataArguments, card: DataCard | None) -> Columns:
    """The columns, by flag, by card, by name; places, and what has no answer, where any split says so."""
    table = next(iter(tables.values()))
    every = {name.casefold(): name for one in tables.values() for name in reversed(list(one.columns))}
    given = card.columns if card else {}

    def column(what: str, flag: str, role: str, names: Sequence[str], taken: Sequence[str] = ()) -> str:
        asked = getattr(arguments, flag) or given.get(role)
        if asked:
            table.known(asked)
        found = asked or table.first_of(names, taken)
        if found is None:
            told = f"No column holds the {what}; there are {', '.join(table.columns)}"
            fix = f"say --{flag} NAME; names that are known are {', '.join(names)}"
            raise HfkitError(told, where=table.origin, fix=fix)
        return str(found)

    # Rows that were published as hfkit reads them have the question as text.
    questions = (*QUESTIONS, "text") if table.first_of(["text_pair"]) else QUESTIONS
    question = column("questions", "text_column", "text", questions)
    context = column("contexts", "text_pair_column", "text_pair", CONTEXTS, [question])
    answers = column("answers", "label_column", "label", ANSWERS, [question, context])
    id = given.get("id") or table.first_of(ID_NAMES)
    start = next((every[name] for name in STARTS if name in every), None)
    return Columns(question, context, answers, start, every.get("is_impossible"), id)


def _unit(tables: dict[str, Table], columns: Columns) -> str:
    """What stays in one split when none is asked for: the title, where there are enough; else the context."""
    for table in tables.values():
        titles = table.column("title") if "title" in table.columns else [None]
        if any(map(is_missing, titles)) or len(set(map(str, titles))) < FEW_TITLES:
            return columns.context
    return "title"


def _rows(table: Table, role: str, columns: Columns, arguments: DataArguments, notes: list[str]) -> Rows:
    """The questions of a split: `inputs` are the texts, `label` the answers."""
    ids = table.column(columns.id) if columns.id in table.columns else []
    ids = [str(value) for value in ids] if ids and identifies(ids) else [f"{role}-{row}" for row in range(len(table))]
    questions, contexts = table.column(columns.question), table.column(columns.context)
    table.known(columns.answers)
    beside = [table.column(name) if name in table.columns else [None] * len(table) for name in
              (columns.answers, columns.start, columns.impossible)]  # fmt: skip
    label: list[list[Answer]] = []
    bad: dict[int, str] = {}
    for row, (question, context, *cells) in enumerate(zip(questions, contexts, *beside, strict=True)):
        found: list[Answer] | str = _fault(question, "question") or _fault(context, "context") or ""
        try:
            found = found or _answers(context, *cells)
        except HfkitError as error:
            found = str(error.what)
        if isinstance(found, str):
            bad[row] = found
        label.append([] if isinstance(found, str) else found)
    if bad:
        first = min(bad)
        if not arguments.drop_bad_rows or len(bad) == len(table):
            named = f", id {ids[first]}" if columns.id in table.columns else ""
            where = f"{table.place(first)}{named} ({counted(len(bad), 'such row')} of {len(table):,})"
            fix = f"mend the row{'' if len(bad) == len(table) else ', or --drop_bad_rows goes on without such rows'}"
            raise HfkitError(f"{bad[first][0].upper()}{bad[first][1:]}", where=where, fix=fix)
        notes.append(f"{role}: {counted(len(bad), 'row')} dropped: {bad[first]} ({table.place(first)}), ...")
    rows = Rows(table, list(range(len(table))), ids, {"text": questions, "text_pair": contexts}, label)
    rows = rows.select([row for row in range(len(table)) if row not in bad])
    rows.unit = units(table.select(rows.index), None, arguments.group_column)
    notes += _told(rows, role)
    return rows


def _fault(value: Any, what: str) -> str | None:
    if is_missing(value):
        return f"the {what} is empty"
    return None if isinstance(value, str) else f"the {what} is no text: {str(value)[:60]!r}"


def _answers(context: str, value: Any, start: Any, impossible: Any) -> list[Answer]:
    """The answers of a row, at their places. Raises HfkitError: the row has none and does not say so, or none of them
    stands in the context."""
    if str(impossible).strip().casefold() in ("true", "1", "1.0"):
        return []
    pairs = written(value, start)
    if pairs is None:
        raise HfkitError("the answer is empty, and nothing says that there is none (is_impossible, or an empty list)")
    found = [placed(context, text, place) for text, place in pairs]
    if found and all(one.start == NOWHERE for one in found):
        text, place = found[0].text, pairs[0][1]
        there = f": at {place} stands {context[place : place + len(text)]!r}" if place is not None else ""
        raise HfkitError(f"the answer {text[:60]!r} stands nowhere in its context{there[:120]}")
    return found


def _told(rows: Rows, role: str) -> list[str]:
    """How many answers stand elsewhere than the data say, were looked up, or are nowhere; and what F1 counts."""
    kinds = {
        "mended": "not at the place that the data say: taken where they stand nearest to it",
        "looked_up": "without a place: the first place in the context that holds them",
        "nowhere": "nowhere in the context, beside one that is: judged by, not learnt",
    }
    notes = []
    for kind, told in kinds.items():
        found = [(row, one) for row, answers in enumerate(rows.label) for one in answers if one.how == kind]
        if found:
            row, one = found[0]
            notes.append(
                f"{role}: {counted(len(found), 'answer')} {told} (the first {one.text[:40]!r}, {rows.places([row])})"
            )
    none = sum(not answers for answers in rows.label)
    notes += [f"{role}: {counted(none, 'question')} without an answer"] if none else []
    characters = sum(any(by_character(one.text) for one in answers) for answers in rows.label)
    told = f"{role}: {counted(characters, 'question')} with answers in Chinese or Japanese: {CHARACTERS}"
    return [*notes, *([told] if characters else [])]


def _answerable(rows: Rows) -> Sequence[Hashable]:
    """What a question counts as when a split is drawn."""
    return [bool(answers) for answers in rows.label]


def _finish(opened: Source, columns: Columns, splits: dict[str, Rows], notes: list[str], by_asked: bool) -> LoadedData:
    contexts = len({context for rows in splits.values() for context in rows.inputs["text_pair"]})
    sizes = " / ".join(f"{len(rows):,}" for rows in splits.values())
    return finished(
        opened,
        {role: _dataset(rows, role, by_asked) for role, rows in splits.items()},
        notes,
        problem_type="question_answering",
        reading=f"question = {columns.question}, context = {columns.context}, answers = {columns.answers}:"
        f" {sizes} questions about {counted(contexts, 'context')}",
        text_column=columns.question,
        text_pair_column=columns.context,
        label_column=columns.answers,
    )


def _dataset(rows: Rows, role: str, by_asked: bool) -> Any:
    text = Value("string")
    numbers: dict[str, int] = {}
    contexts = [numbers.setdefault(context, len(numbers)) for context in rows.inputs["text_pair"]]
    columns = {
        "id": rows.id,
        **rows.inputs,
        "answers": [[one.text for one in answers] for answers in rows.label],
        "starts": [[one.start for one in answers] for answers in rows.label],
        "group": rows.unit if by_asked else [f"{role} context {number}" for number in contexts],
    }
    features = {"id": text, "text": text, "text_pair": text, "answers": List(text), "starts": List(Value("int32"))}
    return Dataset.from_dict(columns, features=Features(features | {"group": text}))
