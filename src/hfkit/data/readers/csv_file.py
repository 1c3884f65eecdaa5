"""CSV and its dialects: rows with their lines, and what looks read but is not: a quote that swallowed rows, no header.

A file is exact about its faults: a broken row is named by its line, which no fast parser of ours keeps.
"""

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from hfkit.base.errors import HfkitError
from hfkit.config.data import FileArguments
from hfkit.data.readers.lines import text_lines
from hfkit.data.readers.records import Records, check_names
from hfkit.data.tables.columns import ID_NAMES, LABEL_NAMES, PAIR_NAMES, SURE_LABELS, TEXT_NAMES
from hfkit.data.tables.table import counted

LOOKED_AT = 500  # first rows, from which it is told what a row looks like
FEWEST = 5  # rows below which it is not told
USUAL_NAMES = {*TEXT_NAMES, *SURE_LABELS, *LABEL_NAMES, *ID_NAMES, *(name for pair in PAIR_NAMES for name in pair)}
_SEP = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)
_QUOTES = "--quoting none reads quotes as any other character"
Line = tuple[int, list[str]]  # where a row begins, and its fields


def open_csv(path: Path, stream: BinaryIO, how: FileArguments) -> Records:
    """The rows of a CSV file, opened for bytes; `how` has encoding, separator, quoting and names for a missing header.
    Excel's first line `sep=;` says the separator, where `--delimiter` does not. Blank lines, and lines that repeat the
    header, are passed over and counted. Raises HfkitError: no header, two columns of one name, another separator; and,
    while rows are read, a broken row or a quote that swallowed others."""
    csv.field_size_limit(sys.maxsize)  # 128 KiB would refuse a long text
    lines: Iterator[str] = (  # old Macs end a row with a carriage return alone
        row
        for line in text_lines(stream, str(path), how.encoding)
        for row in (re.split("(?<=\r)(?=[^\n])", line) if "\r" in line.rstrip("\r\n") else (line,))
    )
    begin, separator = 1, how.separator(path.suffix)
    beginning = next(lines, "")
    if told := _SEP.fullmatch(beginning):
        begin, separator = 2, separator if how.delimiter else told[1]
    else:
        lines = chain([beginning], lines)
    records = Records(str(path), iter(()), lambda _, record: dict(zip(records.columns, record, strict=True)))
    rows = _whole_rows(records, lines, begin, separator, how.quoting)
    place, first = next(rows, (0, []))
    if not place:
        raise HfkitError("The file holds blank lines only", where=str(path))
    header = how.column_names or [name.strip() or f"column_{number}" for number, name in enumerate(first, start=1)]
    where = "--column_names" if how.column_names else records.place(place)
    check_names(header, where)
    if not how.column_names:
        _one_column(header, separator, where)
    rows = chain([(place, first)] if how.column_names else [], rows)
    head = list(islice(rows, LOOKED_AT))
    seen = _values(head, len(header))
    if not how.column_names:
        _is_header(header, seen, where)
    records.columns = header
    records.raw = _checked(records, chain(head, rows), separator, seen)
    return records


def _whole_rows(records: Records, lines: Iterator[str], begin: int, separator: str, quoting: str) -> Iterator[Line]:
    """The rows that are not blank, with the line on which each begins."""
    quotes = csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL
    reader = csv.reader(lines, delimiter=separator, quoting=quotes, strict=True)  # type: ignore[arg-type]
    place, blank = begin, 0
    try:
        for row in reader:
            blank += not row
            if row and row != ["\x1a"]:  # how DOS ends a file
                yield place, row
            place = reader.line_num + begin
    except csv.Error as error:
        fix = 'a quoted text ends with a double quote, and a double quote inside it is written twice ("");'
        fix += f" where none is quoted, {_QUOTES}"
        raise HfkitError(f"The row that begins here is broken: {error}", where=records.place(place), fix=fix) from error
    if blank:
        records.notes.append(f"{counted(blank, 'blank line')} in {Path(records.name).name} skipped")


def _checked(records: Records, rows: Iterator[Line], separator: str, seen: list[set[str]]) -> Iterator[Line]:
    """The rows, each of the header's length; refused where a quote swallowed others."""
    width, again = len(records.columns), 0
    for place, row in rows:
        if len(row) != width:
            fix = "a text that holds the separator or a line break stands in double quotes;"
            fix += f" a file with another separator needs --delimiter; {_QUOTES}"
            what = f"The row has {len(row)} fields and the header {width}"
            raise HfkitError(what, where=records.place(place), fix=fix)
        if row == records.columns:
            again += 1
            continue
        several = width > 1 and any("\n" in cell or "\r" in cell for cell in row)
        if several and (swallowed := _rows_within(row, separator, seen)):
            what = f"A quoted field that begins here holds {swallowed} lines that look like rows of their own"
            fix = f'{_QUOTES}; or write a quote that is meant as one twice, in quotes ("" in "...")'
            raise HfkitError(what, where=records.place(place), fix=fix)
        yield place, row
    if again:
        records.notes.append(f"{counted(again, 'line')} in {Path(records.name).name} that repeat the header: skipped")


def _rows_within(row: list[str], separator: str, seen: list[set[str]]) -> int:
    """How many rows a row is in truth; 0 for one. Each of its lines has the separators of a row. A tab seldom stands in
    a text; for other separators, one of the columns has to hold in every line what it holds in other rows."""
    lines = [line.split(separator) for line in re.split(r"[\r\n]+", separator.join(row)) if line.strip()]
    if len(lines) < 2 or any(len(line) != len(row) for line in lines):
        return 0
    alike = any(known.issuperset(column) for known, column in zip(seen, zip(*lines, strict=True), strict=True))
    return len(lines) if separator == "\t" or alike else 0


def _values(rows: Sequence[Line], width: int) -> list[set[str]]:
    """What a cell of each column usually holds: one of a few values; nothing where there are many."""
    plain = [row for _, row in rows if len(row) == width and not any("\n" in cell for cell in row)]
    columns = [set(column) - {""} for column in zip(*plain, strict=True)] if len(plain) >= FEWEST else [set()] * width
    return [values if 2 * len(values) <= len(plain) else set() for values in columns]


def _is_header(header: list[str], seen: list[set[str]], where: str) -> None:
    """Refuses a first line that is a row: it has none of the usual names, and a value that other rows have."""
    named = any(name.casefold() in USUAL_NAMES or re.fullmatch(r"[A-Za-z]+(_\w+)+", name) for name in header)
    if named or header == [str(n) for n in range(len(header))]:
        return
    value = next((name for name, known in zip(header, seen, strict=True) if name in known), None)
    if value is not None:
        what = f"The first line looks like a row, not a header: it holds {value!r}, as other rows do"
        fix = "name the columns, such as --column_names text label; if it is the header, as it names them"
        raise HfkitError(what, where=where, fix=fix)


def _one_column(header: list[str], separator: str, where: str) -> None:
    """Refuses a header that another separator parts."""
    for other, flag in ((";", "';'"), ("\t", "tab"), (",", "','"), ("|", "'|'")):
        if len(header) == 1 and other != separator and other in header[0]:
            what = f"The header is one column, {header[0][:60]!r}, read with the separator {separator!r}"
            raise HfkitError(what, where=where, fix=f"--delimiter {flag}")
