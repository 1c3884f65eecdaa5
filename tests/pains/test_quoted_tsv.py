"""A quote in a TSV file swallows the rows up to the next one, and nothing is said: GLUE's files are full of them.

Threads: torchtext#612, pandas#39857
"""

from pathlib import Path
from typing import Any

import pytest

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data
from hfkit.inference.readers import open_rows

pytestmark = pytest.mark.pain("quoted-tsv")

ROWS = [("sentence", "label"), ('"a fine film', "1"), ("nothing", "0"), ('without end"', "0")]
ROWS += [(f"film number {n}", str(n % 2)) for n in range(37)]


@pytest.fixture
def glue() -> str:
    """40 rows, of which the first and the third hold a quote each."""
    Path("glue.tsv").write_text("".join(f"{label}\t{text}\n" for text, label in ROWS))
    return "glue.tsv"


def test_upstream_loses_rows_without_a_word(glue: str) -> None:
    import pandas as pd

    assert len(pd.read_csv(glue, sep="\t")) == 38


def test_hfkit_says_where_and_reads_every_row(glue: str) -> None:
    def predicted(**how: Any) -> list[Any]:
        from hfkit.config import FileArguments

        with open_rows(glue, FileArguments(**how)) as source:
            return list(source.rows)

    for read in (lambda: load_data(glue), predicted):
        with pytest.raises(HfkitError, match="3 lines that look like rows of their own") as told:
            read()
        assert told.value.where == "glue.tsv, line 2" and "--quoting none" in str(told.value)
    assert sum(map(len, load_data(glue, quoting="none").values())) == len(predicted(quoting="none")) == 40
