"""load: pairs of a source text and what it becomes, as checked splits that share no source."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.cards.card import known_cards
from hfkit.data.sources.source import Source, open_source
from hfkit.data.sources.text_files import TEXT_SUFFIXES
from hfkit.data.splits import alike, settled
from hfkit.data.summary import LoadedData, finished
from hfkit.data.tables.columns import group_of, row_ids, unused
from hfkit.data.tables.roles import choose_alone
from hfkit.data.tables.rows import Rows, units
from hfkit.data.tables.table import Table, counted, is_missing, listed
from hfkit.tasks.seq2seq.config import PairArguments
from hfkit.tasks.seq2seq.pairs.aligned import aligned_tables, tabbed_table
from hfkit.tasks.seq2seq.pairs.checks import repeated_sources, told
from hfkit.tasks.seq2seq.pairs.columns import Columns, choose, unfolded
from hfkit.tasks.seq2seq.pairs.scripts import main_script
from hfkit.tasks.seq2seq.pairs.tmx import read_tmx

GROUP_KEPT = 2000  # characters of a source that name its group: a data set of articles is not copied into every run


@dataclass
class Arguments(PairArguments, DataArguments):
    """All that a data set can be asked for, and which columns or files hold the two sides."""


def load(arguments: Arguments, only_test: bool = False, label_names: list[str] | None = None) -> LoadedData:
    """Pairs as three splits, or with `only_test` the test split alone (of a single file, all of it).

    Rows of two columns, of a column `translation` with texts by language, two aligned files, a text file with a tab in
    each line, or TMX. Splits are drawn by sources, and no source of a later split is learnt: its other translations
    would be half known.

    Columns `id`, `source` and `target` (as they stand in the data), `references` (all the targets of a row, of which
    `target` is the first), and `group`: the source, or the value of `--group_column`, over which intervals are taken.
    Raises HfkitError: as `hfkit.load_data`; files that are not aligned, sides that cannot be told, are swapped or in
    one language, a cell that is no text, and no pair of two texts at all."""
    opened = pair_source(arguments) or open_source(arguments)
    tables, notes = choose_alone(opened, arguments, only_test)
    with after(notes):
        tables = {role: unfolded(table) for role, table in tables.items()}
        for table in tables.values():
            table.missing = arguments.missing_values
        columns = choose(next(iter(tables.values())), arguments)
        group = group_of(arguments, opened.card)
        notes += unused(tables, {columns.source, columns.target, group})
        splits = {role: _rows(table, role, columns, group, notes) for role, table in tables.items()}
        splits = settled(splits, alike, arguments, opened.card, notes, apart={"source": "source"})
    return _finish(opened, columns, {"test": splits["test"]} if only_test else splits, notes)


def pair_source(arguments: DataArguments) -> Source | None:
    """The source of files that hold pairs in a form of their own: TMX, aligned files, lines with a tab; else None."""
    name = arguments.dataset.strip()
    path = Path(name).expanduser()
    if not name or name in known_cards() or name.startswith("demo:") or "://" in name or len(name) > 4000:
        return None
    if path.is_dir():  # with one file in it, that one
        inside = [file for file in path.iterdir() if file.is_file()]
        path = inside[0] if len(inside) == 1 else path
    if path.suffix.lower() == ".tmx":
        languages = (getattr(arguments, "source_lang", None), getattr(arguments, "target_lang", None))
        tables, notes = {"train": read_tmx(path, *languages)}, list[str]()
    elif path.suffix.lower() in TEXT_SUFFIXES and path.is_file():
        table = tabbed_table(path, arguments)
        tables, notes = {"train": table} if table else {}, []
    else:
        tables, notes = aligned_tables(path, arguments)
    if not tables:
        return None
    arguments.check_no_csv(name)
    return Source.of_tables(name, path, tables, notes)


def _rows(table: Table, role: str, columns: Columns, group: str | None, notes: list[str]) -> Rows:
    """The pairs of a split: `inputs` are the source and the first target, `label` all the targets."""
    sources, cells = table.column(columns.source), table.column(columns.target)
    references = list(map(listed, cells))
    for name, values in ((columns.source, [[source] for source in sources]), (columns.target, references)):
        odd = [row for row, held in enumerate(values) for one in held if not isinstance(one, str | None) and one == one]
        if odd:
            kind = type(next(one for one in values[odd[0]] if not isinstance(one, str))).__name__
            what = f"{counted(len(odd), 'value')} of {name!r} cannot be read as text: the first is {kind}"
            raise HfkitError(what, where=table.places(odd), fix="write texts, in quotes; of JSON also lists of targets")
    empty = [row for row in range(len(table)) if is_missing(sources[row]) or not references[row]]
    if len(empty) == len(table):
        what = f"No row has both a text in {columns.source!r} and one in {columns.target!r}"
        raise HfkitError(what, where=table.origin, fix="--source_column and --target_column name other columns")
    if empty:
        notes.append(f"{role}: {counted(len(empty), 'pair')} with an empty side: dropped ({table.places(empty)})")
    kept = [row for row in range(len(table)) if row not in set(empty)]
    inputs = {"source": [sources[row] for row in kept], "target": [references[row][0] for row in kept]}
    ids = row_ids(table, role, (columns.source, columns.target))
    unit = units(table.select(kept), None, group) if group else inputs["source"]
    rows = Rows(table, kept, [ids[row] for row in kept], inputs, [references[row] for row in kept], unit)
    notes += told(rows, role, columns)
    if again := repeated_sources(rows.inputs["source"]):
        notes.append(f"{role}: {counted(again, 'pair')} of a source that an earlier pair has: they stay together")
    return rows


def _finish(opened: Source, columns: Columns, splits: dict[str, Rows], notes: list[str]) -> LoadedData:
    first = next(iter(splits.values()))
    names = ", ".join(
        f"{side} = {name} ({main_script(first.inputs[side]) or 'no'} letters)"
        for side, name in (("source", columns.source), ("target", columns.target))
    )
    sources = len({source for rows in splits.values() for source in rows.inputs["source"]})
    most = max(len(references) for rows in splits.values() for references in rows.label)
    several = f", with up to {most} references" if most > 1 else ""
    sizes = " / ".join(f"{len(rows):,}" for rows in splits.values())
    return finished(
        opened,
        {role: _dataset(rows) for role, rows in splits.items()},
        notes,
        problem_type="seq2seq",
        reading=f"{names}: {sizes} pairs of {counted(sources, 'source')}{several}",
        text_column=columns.source,
        label_column=columns.target,
    )


def _dataset(rows: Rows) -> Any:
    text = Value("string")
    columns = {
        "id": rows.id,
        **rows.inputs,
        "references": rows.label,
        "group": [str(unit)[:GROUP_KEPT] for unit in rows.unit or rows.inputs["source"]],
    }
    features = {"id": text, "source": text, "target": text, "references": List(text), "group": text}
    return Dataset.from_dict(columns, features=Features(features))
