"""A `split` column is passed over, and the official test rows are trained on.

Threads: ludwig#1823
"""

from pathlib import Path

import pytest
from datasets import load_dataset

from hfkit.data.load import load_data

pytestmark = pytest.mark.pain("split-column-ignored")

ROWS = [(f"film number {n}", "ab"[n // 4 % 2], "test" if n % 4 == 3 else "train") for n in range(80)]


@pytest.fixture
def table() -> str:
    """80 rows, a quarter of which the column `split` gives to the test split."""
    Path("films.csv").write_text("text,label,split\n" + "".join(",".join(row) + "\n" for row in ROWS))
    return "films.csv"


def test_upstream_trains_on_the_test_rows(table: str, tmp_path: Path) -> None:
    rows = load_dataset("csv", data_files=table, cache_dir=str(tmp_path / "cache"))
    assert "test" in rows["train"]["split"]


def test_hfkit_keeps_them_apart_and_says_so(table: str) -> None:
    data = load_data(table)
    assert sorted(data["test"]["text"]) == sorted(text for text, _, split in ROWS if split == "test")
    assert "splits by 'split': train 60, test 20 rows" in data.summary.notes
