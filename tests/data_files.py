"""Files for the tests of the loader, written into the test's own folder."""

from pathlib import Path

import pytest

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data


def write(name: str, text: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def rows_csv(name: str = "data.csv", count: int = 60, labels: tuple[str, ...] = ("neg", "pos"), start: int = 0) -> str:
    lines = [f"text number {start + row},{labels[row % len(labels)]}" for row in range(count)]
    return write(name, "text,label\n" + "\n".join(lines) + "\n")


def refused(dataset: str, **options: object) -> str:
    with pytest.raises(HfkitError) as caught:
        load_data(dataset, **options)
    return str(caught.value)
