"""What a language model reads: texts, prompts with their completions, or chats, as checked splits without labels."""

import json
from typing import Any

from datasets import Dataset, Features, List, Value

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.cards.card import ROLES, DataCard
from hfkit.data.labels.column import UNLABELLED
from hfkit.data.sources.source import Source, open_source
from hfkit.data.sources.text_files import FEW, begun_by, cut_by_place, sections, text_source
from hfkit.data.splits import alike, carve, limited, remove_repeats, share_of
from hfkit.data.summary import LoadedData, finished
from hfkit.data.tables.columns import ID_NAMES, find_text, group_of, row_ids
from hfkit.data.tables.roles import choose_splits
from hfkit.data.tables.rows import Rows, check_missing, check_strings, units
from hfkit.data.tables.table import Table, counted, is_missing
from hfkit.data.text.chats import is_learnt, packed, said
from hfkit.data.text.layouts import Layout, layout_of


def load_documents(
    arguments: DataArguments, only_test: bool = False, label_names: list[str] | None = None
) -> LoadedData:
    """Documents as three splits, or with `only_test` the test split alone (of a single file, all of it). There are no
    labels to name.

    Columns: `id`, and one of

    - `text`, with `ends`: whether the document ends here. A text that was cut into sections goes on.
    - `prompt` and `completion`, where the source has texts in columns of these names: the completion is what is learnt.
    - `messages`, lists of `{"role", "content"}` with the rest of a message as JSON in `extra`, and `tools`, JSON too,
      where the source has chats, or a question and its answer (`hfkit.data.text.layouts`): the assistant's are learnt.

    Where there are fewer than 30 texts, held-out splits are the ends of each, and are cut into some fifty sections,
    so that figures have intervals. Raises HfkitError: as `hfkit.load_data`; and chats without the assistant's turns or
    the keys that make one."""
    opened, start = open_documents(arguments)
    card = opened.card
    tables, notes = choose_splits(opened, arguments, only_test)
    whole = "train" not in tables
    layout, unused = columns_of(next(iter(tables.values())), opened, arguments)
    notes += unused
    splits = {}
    with after(notes):
        for role, table in tables.items():
            if start:
                column = layout.columns[0]
                text = "".join(f"{line or ''}".removesuffix("\n") + "\n" for line in table.column(column))
                table = Table(table.origin, {column: begun_by(text, start, table.origin)})
            splits[role], found = take_documents(table, role, layout, arguments, None if start else card)
            notes += found + splits[role].substitute(card.replace if card else {}, role)
        splits = remove_repeats(splits, notes, keep=whole or arguments.keep_duplicates)
        if not whole:
            splits = _held_out(splits, opened, arguments, notes)
        splits = {role: splits[role] for role in ROLES if role in splits}
        splits |= {role: few_cut(rows, role, notes) for role, rows in splits.items() if role != "train"}
        splits = limited(splits, alike, arguments, notes)
    splits = {"test": splits["test"]} if only_test else splits
    built = {role: dataset(rows) for role, rows in splits.items()}
    read = {"text_column": ", ".join(layout.used), "label_column": None}
    return finished(opened, built, notes, problem_type=UNLABELLED, **read)


def open_documents(arguments: DataArguments) -> tuple[Source, str | None]:
    """The source, and the pattern of the row that begins a document where rows are lines. Raises as `open_source`."""
    if files := text_source(arguments):
        return files, None
    opened = open_source(arguments)
    return opened, arguments.document_start or (opened.card.document_start if opened.card else None)


def columns_of(table: Table, opened: Source, arguments: DataArguments) -> tuple[Layout, list[str]]:
    """The columns that are read, a flag before the card and the names; and what is to be said of all of them."""
    card = opened.card
    text = arguments.text_column or (card.columns.get("text") if card else None)
    layout = None if text else layout_of(table.columns)
    if layout is None:
        text = text or find_text(table, (), "")[0]
        table.known(text)
        layout = Layout("text", (text,))
    layout = layout.settled(lambda name: table.head(name, 100))
    used = {*layout.used, *ID_NAMES, group_of(arguments, card)}
    unused = ", ".join(name for name in table.columns if not {name, name.casefold()} & used)
    return layout, [*layout.read_as(), *([f"columns not used: {unused}"] if unused else [])]


def few_cut(rows: Rows, role: str, notes: list[str]) -> Rows:
    """A held-out split, cut into sections where its texts are too few for intervals."""
    if "text" not in rows.inputs or len(rows) >= FEW:
        return rows
    found = sections(rows)
    if len(found) > len(rows):
        notes.append(f"{role}: {counted(len(rows), 'text')} cut into {len(found)} sections")
    return found


def take_documents(
    table: Table, split: str, layout: Layout, arguments: DataArguments, card: DataCard | None = None, part: bool = False
) -> tuple[Rows, list[str]]:
    """The documents of a table; rows that lack one are refused or, with `--drop_bad_rows`, dropped and counted. Blocks
    or groups of the card, of like documents, stay in one split. A `part` of a split may be dropped whole."""
    table.missing = arguments.missing_values
    ids = row_ids(table, split, layout.used)
    bad: set[int] = set()
    notes: list[str] = []
    values = {name: table.column(name) for name in layout.columns}
    for name, column in values.items():
        chats = name in layout.listed
        missing = [row for row, value in enumerate(column) if (not value if chats else is_missing(value))]
        if name == layout.columns[0] and layout.kind in ("completion", "turns"):  # there need be no prompt
            column = values[name] = [value or "" for value in column]
            missing = []
        if not (part and arguments.drop_bad_rows):
            check_missing(table, f"{name!r}", missing, "--text_column names another column", arguments.drop_bad_rows)
        if not chats:
            check_strings(table, name, column)
        bad.update(missing)
        notes += [f"{counted(len(missing), 'row')} of {split} without {name}: dropped"] if missing else []
    if layout.kind == "text":
        inputs = {"text": values[layout.columns[0]]}
    elif layout.kind == "completion":
        inputs = dict(zip(("prompt", "completion"), values.values(), strict=True))
    else:
        values |= {name: table.column(name) for name in layout.beside if name in table.columns}
        inputs, found = _chats(table, split, layout, values, bad)
        notes += found
    unit = units(table, card.blocks if card else None, group_of(arguments, card))
    rows = Rows(table, list(range(len(table))), ids, inputs, [True] * len(table), unit).without(bad)
    if not len(rows) and not part:
        raise HfkitError("No row holds a document", where=table.origin)
    return rows, notes


def _chats(
    table: Table, split: str, layout: Layout, values: dict[str, list[Any]], bad: set[int]
) -> tuple[dict[str, list[str]], list[str]]:
    """The chats of all rows but the bad ones as JSON, and how many end with what nobody answers."""
    inputs: dict[str, list[str]] = {name: [""] * len(table) for name in layout.stores}
    open_ended = unasked = empty = 0
    for row in (row for row in range(len(table)) if row not in bad):
        messages, tools = layout.chat({name: column[row] for name, column in values.items()}, table.place(row))
        if messages and is_learnt(messages[0]):
            messages[0], unasked = {**messages[0], "weight": 0}, unasked + 1
        if not any(map(is_learnt, messages)):
            what = "No message of the chat has the role assistant and answers one: there is nothing to learn"
            raise HfkitError(what, where=table.place(row))
        open_ended += not is_learnt(messages[-1])
        empty += any(is_learnt(message) and not said(message).strip() for message in messages)
        for name, value in zip(layout.stores, (messages, tools), strict=False):
            inputs[name][row] = json.dumps(value, ensure_ascii=False)
    ends = f"{counted(open_ended, 'chat')} of {split} with messages after the last answer: these are not read"
    opens = f"{counted(unasked, 'chat')} of {split} opened by the assistant: read, and not learnt"
    says = f"{counted(empty, 'chat')} of {split} with an answer that says nothing: that is learnt"
    told = {ends: open_ended, opens: unasked, says: empty}
    return inputs, [sentence for sentence, chats in told.items() if chats]


def _held_out(splits: dict[str, Rows], opened: Source, arguments: DataArguments, notes: list[str]) -> dict[str, Rows]:
    """Held-out splits that the source lacks: documents drawn at random, or the ends of a few long texts."""
    missing = [role for role in ("test", "validation") if role not in splits]
    if not missing or "text" not in splits["train"].inputs or len(splits["train"]) >= FEW:
        return carve(splits, alike, arguments, opened.card, notes)
    shares = {role: share_of(role, arguments, opened.card) for role in missing}
    notes += [f"{role}: {100 * share:g} % of each text, from its end" for role, share in shares.items()]
    return {**splits, **cut_by_place(splits["train"], shares)}


def dataset(rows: Rows) -> Dataset:
    """Documents as a data set in memory."""
    columns: dict[str, Any] = {"id": rows.id, **rows.inputs}
    features: dict[str, Any] = dict.fromkeys(columns, Value("string"))
    if "messages" in rows.inputs:
        columns["messages"] = [packed(json.loads(chat)) for chat in rows.inputs["messages"]]
        extra = any("extra" in message for chat in columns["messages"] for message in chat)
        names = ("role", "content", "extra") if extra else ("role", "content")
        features["messages"] = List({name: Value("string") for name in names})
    if "text" in rows.inputs:
        columns["ends"], features["ends"] = rows.label, Value("bool")
    return Dataset.from_dict(columns, features=Features(features))
