"""What a language model reads: texts, prompts with their completions, or chats, as checked splits without labels."""

import json
from typing import TYPE_CHECKING, Any

from hfkit.cards import DataCard
from hfkit.config import DataArguments
from hfkit.data.columns import ID_NAMES, find_text, identifies
from hfkit.data.labels import LANGUAGE_MODELING
from hfkit.data.roles import choose_splits
from hfkit.data.rows import Rows, check_missing, check_strings
from hfkit.data.sources import Source, open_source
from hfkit.data.splits import ROLES, carve, limited, remove_repeats, share_of
from hfkit.data.table import Table, counted, is_missing
from hfkit.data.text_files import FEW, begun_by, cut_by_place, sections, text_source
from hfkit.errors import HfkitError, after

if TYPE_CHECKING:
    from datasets import Dataset

    from hfkit.data.summary import LoadedData

LANGUAGE = "text-generation"


def load_documents(arguments: DataArguments, only_test: bool = False) -> "LoadedData":
    """Documents as three splits, or with `only_test` the test split alone (of a single file, all of it).

    Columns: `id`, and one of

    - `text`, with `ends`: whether the document ends here. A text that was cut into sections goes on.
    - `prompt` and `completion`, where the source has columns of these names: the completion is what is learnt.
    - `messages`, lists of `{"role", "content"}`, where it has a column of that name: the assistant's are learnt.

    Where there are fewer than 30 texts, held-out splits are the ends of each, and are cut into some fifty sections,
    so that figures have intervals.

    Raises:
        HfkitError: As `hfkit.load_data`; and chats without the assistant's turns or the keys that make one.
    """
    files = text_source(arguments)
    opened = files or open_source(arguments)
    card = opened.card
    start = None if files else arguments.document_start or (card.document_start if card else None)
    notes = list(opened.notes)
    whole = only_test and opened.single and opened.kind == "file"
    if whole:
        tables = {"test": next(iter(opened.tables.values()))}
    else:
        tables, notes = choose_splits(opened, arguments)
    columns = columns_of(next(iter(tables.values())), opened, arguments)
    splits = {}
    with after(notes):
        for role, table in tables.items():
            table = joined_lines(table, columns[0], start) if start else table
            splits[role], found = take_documents(table, role, columns, arguments, None if start else card)
            notes += found + splits[role].substitute(card.replace if card else {}, role)
        splits = remove_repeats(splits, notes, keep=whole or arguments.keep_duplicates)
        if not whole:
            splits = _held_out(splits, opened, arguments, notes)
        for role in ("validation", "test"):
            if role in splits:
                splits[role] = few_cut(splits[role], role, notes)
        splits = limited({role: splits[role] for role in ROLES if role in splits}, _alike, arguments, notes)
    return _finish(opened, columns, {"test": splits["test"]} if only_test else splits, notes)


def columns_of(table: Table, opened: Source, arguments: DataArguments) -> tuple[str, ...]:
    """The columns that are read: messages; prompt and completion; or the text. A flag decides, then the names."""
    if arguments.text_column:
        table.known(arguments.text_column)
        return (arguments.text_column,)
    given = opened.card.columns.get("text") if opened.card else None
    if given:
        table.known(given)
        return (given,)
    for names in (("messages",), ("prompt", "completion")):
        if all(name in table.columns for name in names):
            return names
    named = {name.casefold(): name for name in reversed(list(table.columns))}
    return (find_text(table, named, (), "")[0],)


def few_cut(rows: Rows, role: str, notes: list[str]) -> Rows:
    """A held-out split, cut into sections where its texts are too few for intervals."""
    if "text" not in rows.inputs or len(rows) >= FEW:
        return rows
    found = sections(rows)
    if len(found) > len(rows):
        notes.append(f"{role}: {counted(len(rows), 'text')} cut into {len(found)} sections")
    return found


def joined_lines(table: Table, column: str, start: str) -> Table:
    """A column of lines as a column of documents, each beginning at a line that `start` matches."""
    lines = [line if line and line.endswith("\n") else f"{line or ''}\n" for line in table.column(column)]
    return Table(table.origin, {column: begun_by("".join(lines), start, table.origin)})


def take_documents(
    table: Table,
    split: str,
    columns: tuple[str, ...],
    arguments: DataArguments,
    card: DataCard | None = None,
    part: bool = False,
) -> tuple[Rows, list[str]]:
    """The documents of a table; rows that lack one are refused or, with `--drop_bad_rows`, dropped and counted.

    Blocks or groups of the card, of like documents, stay in one split. A `part` of a split may hold nothing but what is
    dropped.
    """
    table.missing = arguments.missing_values
    named = {name.casefold(): name for name in reversed(list(table.columns))}
    id = next((named[name] for name in ID_NAMES if name in named and named[name] not in columns), None)
    ids = table.column(id) if id else []
    ids = [str(value) for value in ids] if id and identifies(ids) else [f"{split}-{row}" for row in range(len(table))]
    bad: set[int] = set()
    notes: list[str] = []
    inputs: dict[str, list[str]] = {}
    for name in columns:
        values = table.column(name)
        chats = columns == ("messages",)
        missing = [row for row, value in enumerate(values) if (not value if chats else is_missing(value))]
        if name == "prompt":  # nothing may stand before a completion
            values, missing = [value or "" for value in values], []
        if not (part and arguments.drop_bad_rows):
            check_missing(table, f"{name!r}", missing, "--text_column names another column", arguments.drop_bad_rows)
        if chats:
            values = [value if row in missing else _chat(value, table, row) for row, value in enumerate(values)]
        else:
            check_strings(table, name, values)
        bad.update(missing)
        notes += [f"{counted(len(missing), 'row')} of {split} without {name}: dropped"] if missing else []
        inputs[name if len(columns) == 2 or chats else "text"] = values
    blocks = card.blocks if card and card.blocks else None
    unit: list[Any] | None = [row // blocks for row in range(len(table))] if blocks else None
    if card and card.group:
        unit = [str(value) for value in table.column(card.group)]
    rows = Rows(table, list(range(len(table))), ids, inputs, [True] * len(table), unit)
    if bad:
        rows = rows.select([row for row in range(len(table)) if row not in bad])
    if not len(rows) and not part:
        raise HfkitError("No row holds a document", where=table.origin)
    return rows, notes


def _chat(messages: Any, table: Table, row: int) -> str:
    """The messages of a chat as JSON, with nothing but role and content."""
    kept = []
    for message in messages if isinstance(messages, list) else [None]:
        if not isinstance(message, dict) or not all(isinstance(message.get(key), str) for key in ("role", "content")):
            raise HfkitError(
                "A message is no object with the texts role and content",
                where=table.place(row),
                fix='messages are lists such as [{"role": "user", "content": "..."}, {"role": "assistant", ...}]',
            )
        kept.append({"role": message["role"], "content": message["content"]})
    if not any(message["role"] == "assistant" for message in kept):
        raise HfkitError(
            "No message of the chat has the role assistant: there is nothing to learn", where=table.place(row)
        )
    return json.dumps(kept, ensure_ascii=False)


def _held_out(splits: dict[str, Rows], opened: Source, arguments: DataArguments, notes: list[str]) -> dict[str, Rows]:
    """Held-out splits that the source lacks: documents drawn at random, or the ends of a few long texts."""
    missing = [role for role in ("test", "validation") if role not in splits]
    if not missing or "text" not in splits["train"].inputs or len(splits["train"]) >= FEW:
        return carve(splits, _alike, arguments, opened.card, notes)
    shares = {role: share_of(role, arguments, opened.card) for role in missing}
    notes += [f"{role}: {100 * share:g} % of each text, from its end" for role, share in shares.items()]
    return {**splits, **cut_by_place(splits["train"], shares)}


def _alike(rows: Rows) -> list[int]:
    """Documents are of one kind when some are drawn."""
    return [0] * len(rows)


def _finish(opened: Source, columns: tuple[str, ...], splits: dict[str, Rows], notes: list[str]) -> "LoadedData":
    from hfkit.data.summary import finished

    return finished(
        opened,
        {role: dataset(rows) for role, rows in splits.items()},
        notes,
        problem_type=LANGUAGE_MODELING,
        text_column=", ".join(columns),
        label_column=None,
    )


def dataset(rows: Rows) -> "Dataset":
    """Documents as a data set in memory."""
    from datasets import Dataset, Features, List, Value

    columns: dict[str, Any] = {"id": rows.id, **rows.inputs}
    features: dict[str, Any] = dict.fromkeys(columns, Value("string"))
    if "messages" in rows.inputs:
        columns["messages"] = [json.loads(chat) for chat in rows.inputs["messages"]]
        features["messages"] = List({"role": Value("string"), "content": Value("string")})
    if "text" in rows.inputs:
        columns["ends"], features["ends"] = rows.label, Value("bool")
    return Dataset.from_dict(columns, features=Features(features))
