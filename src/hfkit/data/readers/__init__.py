"""The one reader of CSV, JSON and Parquet, for training, streams, evaluation and predictions alike: `open_records`
gives rows one by one, in constant memory where the format allows it, `read_table` all of them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import check_text, regular_file
from hfkit.config.data import FileArguments
from hfkit.data.readers.csv_file import open_csv
from hfkit.data.readers.json_file import open_json
from hfkit.data.readers.lines import text_lines
from hfkit.data.readers.parquet_file import open_parquet
from hfkit.data.readers.records import Records
from hfkit.data.tables.table import Table, arrow_table

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*CSV_SUFFIXES, *JSON_SUFFIXES, ".parquet")


@contextmanager
def open_bytes(path: Path, text: bool = True) -> Iterator[BufferedReader]:
    """An ordinary file that is not empty. Raises HfkitError: it is empty, something else, or cannot be read; or it
    begins as an archive and shall be text."""
    path = regular_file(path)
    try:
        size, stream = path.stat().st_size, path.open("rb")
    except OSError as error:
        raise HfkitError(f"The file cannot be read: {error.strerror or error}", where=str(path)) from error
    with stream:
        if not size:
            raise HfkitError("The file is empty", where=str(path))
        if text:
            check_text(stream.peek(8), path)
        yield stream


@contextmanager
def open_records(path: Path, how: FileArguments) -> Iterator[Records]:
    """Opens a .csv, .tsv, .jsonl, .ndjson, .json or .parquet file. Raises HfkitError: another ending, a folder,
    no regular file, an empty one; and, while rows are read, bytes that are not text or a broken row, with its place."""
    suffix = path.suffix.lower()
    with suppress(OSError):  # a name of thousands of characters
        if path.is_dir():
            raise HfkitError(f"{path} is a folder, and one file is read", fix="name one of the files in it")
    if suffix not in SUFFIXES:
        fix = f"give a file ending in {', '.join(SUFFIXES)}, or a folder of them"
        raise HfkitError(f"Files ending in {suffix or 'nothing'} are not read", where=str(path), fix=fix)
    if suffix not in CSV_SUFFIXES:
        how.check_no_csv(str(path))
    if suffix == ".parquet" and how.encoding != FileArguments().encoding:
        what = "--encoding is for text files, and Parquet knows its own"
        raise HfkitError(what, where=str(path), fix="drop the flag")
    with open_bytes(path, text=suffix != ".parquet") as stream:
        if suffix == ".parquet":
            yield open_parquet(path, stream)
            return
        records = open_csv(path, stream, how) if suffix in CSV_SUFFIXES else open_json(str(path), stream, how.encoding)
        records.total, records.done = path.stat().st_size, stream.tell
        yield records


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a text file, with their ends. Raises as `open_bytes`, and for bytes that are not text."""
    with open_bytes(path) as stream:
        yield from text_lines(stream, str(path), encoding)


def read_table(path: Path, how: FileArguments | None = None) -> Table:
    """All rows of one file. Raises as `open_records`, and for a file without rows."""
    with open_records(path, how or FileArguments()) as records:
        table = arrow_table(records.name, records.arrow()) if records.arrow else _collected(records)
    if len(table) == 0:
        raise HfkitError("The file has a header and no rows", where=str(path))
    return table


def _collected(records: Records) -> Table:
    columns: dict[str, list] = {name: [] for name in records.columns}
    numbers: list[int] = []
    for number, row in records:
        if row.keys() - columns.keys():
            columns |= {name: [None] * len(numbers) for name in records.names(columns, row, number)}
        for name, values in columns.items():
            values.append(row.get(name))
        numbers.append(number)
    if not columns:
        raise HfkitError("The rows have no columns", where=records.name)
    return Table(records.name, columns, numbers, records.unit, notes=records.notes)
