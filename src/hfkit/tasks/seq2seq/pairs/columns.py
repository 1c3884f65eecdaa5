"""Which columns hold the two sides of a pair: by flag, by language, by name; never a silent guess."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.tables.columns import ID_NAMES
from hfkit.data.tables.table import Table
from hfkit.tasks.seq2seq.pairs.languages import CODE, direction, short

SOURCES = (
    "source", "src", "source_text", "input", "input_text", "inputs", "document", "article", "dialogue", "dialog",
    "passage", "context", "question", "query", "text",
)  # fmt: skip
TARGETS = (
    "target", "tgt", "trg", "target_text", "targets", "references", "reference", "output", "output_text", "outputs",
    "summary", "highlights", "abstract", "answer", "response", "simplification", "title", "headline",
)  # fmt: skip

TRANSLATION = "translation"  # the column of the Hub's translation data sets: {"en": "...", "zh": "..."} a row


@dataclass(frozen=True)
class Columns:
    """The columns that are read, and the languages of the two sides, where the data name them."""

    source: str
    target: str
    source_lang: str | None = None
    target_lang: str | None = None


def unfolded(table: Table) -> Table:
    """The table with a column for each language of its column `translation`, where that holds texts by language. Raises
    HfkitError: some rows hold such texts, and one of the others does not."""
    cells = table.column(TRANSLATION) if TRANSLATION in table.columns else []
    if not any(isinstance(cell, dict) for cell in cells):
        return table
    odd = [row for row, cell in enumerate(cells) if not isinstance(cell, dict)]
    if odd:
        what = f"The translation is no object of texts by language, but {str(cells[odd[0]])[:60]!r}"
        raise HfkitError(what, where=table.places(odd), fix='such as {"en": "...", "zh": "..."}')
    languages = dict.fromkeys(language for cell in cells for language in cell)
    columns: dict[str, Any] = {name: values for name, values in table.columns.items() if name != TRANSLATION}
    return replace(table, columns=columns | {one: [cell.get(one) for cell in cells] for one in languages})


def choose(table: Table, arguments: DataArguments) -> Columns:
    """The columns of the two sides. Raises HfkitError: a column or language that is asked for is not there, or the two
    cannot be told."""
    source, target = getattr(arguments, "source_column", None), getattr(arguments, "target_column", None)
    languages = getattr(arguments, "source_lang", None), getattr(arguments, "target_lang", None)
    for name in (source, target):
        if name is not None:
            table.known(name)
    if source is None and target is None and (named := _by_language(table, languages)):
        source, target = direction(named, *languages, where=table.origin)
        return Columns(source, target, source, target)
    source = source or table.first_of(SOURCES, [target])
    target = target or table.first_of(TARGETS, [source])
    if source is None or target is None or source == target:
        what = f"No two columns are known for a source and its target; there are {', '.join(table.columns)}"
        bare = "for a CSV file that begins with a pair and no header, --column_names source target"
        raise HfkitError(what, where=table.origin, fix=f"say --source_column and --target_column; {bare}")
    return Columns(source, target, *languages)


def _by_language(table: Table, asked: Sequence[str | None]) -> list[str]:
    """The two columns that are named after the languages asked for; else the only two that are named after any, where
    none is called a source. None where there are no such two."""
    named = [name for name in table.columns if CODE.fullmatch(name)]
    if len(named) > 2:  # an id; beside one other language it is Indonesian
        named = [name for name in named if name.casefold() not in ID_NAMES]
    wanted = [name for name in named if short(name) in {short(one) for one in asked if one}]
    if len(wanted) == 2:
        return wanted
    others = [name for name in named if name.casefold() not in (*SOURCES, *TARGETS)]
    return others if len(others) == 2 and not table.first_of(SOURCES) else []
