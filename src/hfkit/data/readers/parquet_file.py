"""Parquet files: rows a few at a time, or an Arrow table; damaged ones and bombs are refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from hfkit.base.errors import HfkitError
from hfkit.data.readers.records import Records, check_names

SWELLS = 100
"""A Parquet file of equal values may be a thousandth of what it holds, and no data set is. Counted from 64 MB on."""


def open_parquet(path: Path, stream: BinaryIO) -> Records:
    """The rows of a Parquet file, numbered from 1. Raises HfkitError: the file is no Parquet, is damaged, has two
    columns of one name, or swells beyond all measure."""
    import pyarrow
    import pyarrow.parquet

    with _sound(path):
        file = pyarrow.parquet.ParquetFile(stream)
        schema, total = file.schema_arrow, file.metadata.num_rows
    check_names(schema.names, str(path))
    read = 0

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        nonlocal read
        for batch in _batches(path, file):
            for row in batch.to_pylist():
                read += 1
                yield read, row

    return Records(
        str(path),
        rows(),
        lambda _, row: row,
        schema.names,
        unit="row",
        total=total,
        done=lambda: read,
        measure="row",
        arrow=lambda: pyarrow.Table.from_batches(_batches(path, file), schema),
        schema=schema,
    )


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        problem = str(error).splitlines()[0]
        raise HfkitError(f"The file is not Parquet, or damaged: {problem}", where=str(path)) from error


def _batches(path: Path, file: Any) -> Iterator[Any]:
    """The file's rows a few at a time, stopped where they no longer stand in any relation to the file."""
    size, held = path.stat().st_size, 0
    batches = file.iter_batches(batch_size=1024)
    while True:
        with _sound(path):
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
        yield batch
        # Each row with its own value, as reading it makes of it; a dictionary holds equal ones once.
        plain = [one.dictionary_decode() if hasattr(one, "dictionary_decode") else one for one in batch.columns]
        held += sum(column.nbytes for column in plain)
        if held > max(1 << 26, SWELLS * size):
            what = f"The file swells to more than {SWELLS} times its {size:,} bytes: a bomb, or one value repeated"
            raise HfkitError(what, where=str(path), fix="write the rows that are needed as JSON lines")
