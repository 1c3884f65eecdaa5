"""Decimals: a file's rows, with a decimal point where the file's numbers have a comma."""

import re
from pathlib import Path
from typing import Any

from hfkit.config import DataArguments
from hfkit.data.readers import read_table
from hfkit.data.tables.table import Table

_COMMA, _THOUSANDS = re.compile(r"\s*[+-]?\d+(,\d+)?\s*"), re.compile(r"\s*[+-]?\d{1,3},\d{3}\s*")


def read_file(path: Path, arguments: DataArguments) -> Table:
    """A file's rows, with a decimal point where its numbers have a comma."""
    table = read_table(path, arguments)
    text = path.suffix.lower() in (".csv", ".tsv", ".txt")  # where every cell is a text
    for name, values in table.columns.items() if text and arguments.decimal != "." else ():
        listed = arguments.label_separator == "," and arguments.label_column in (name, None)  # "1,2" is two labels
        if not listed and isinstance(values, list) and (example := _with_comma(values, arguments)):
            table.columns[name] = [
                value if value in arguments.missing_values else value.replace(",", ".") for value in values
            ]
            table.notes.append(f"decimal comma in {name!r}: {example} is {example.replace(',', '.')} (--decimal)")
    return table


def _with_comma(values: list[Any], arguments: DataArguments) -> str | None:
    """A number with a decimal comma from a column of such numbers. Unasked, 1,000 may be a thousand, and 1,2 a list."""
    values = [value for value in values if value not in arguments.missing_values]
    if not all(isinstance(value, str) and (not value or _COMMA.fullmatch(value)) for value in values):
        return None
    commas = [value for value in values if "," in value]
    sure = 2 * len(commas) >= len(values) and not all(_THOUSANDS.fullmatch(value) for value in commas)
    return commas[0] if commas and (sure or arguments.decimal == ",") else None
