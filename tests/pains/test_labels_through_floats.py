"""Labels that are version numbers, room names or long ids go through a float: 3.1 and 3.10 become one, 1E2 becomes 100,
long numbers lose their digits.

Threads: pandas#40992 #44684 datasets#8365 python-stdnum#332
"""

from pathlib import Path

import pandas
import pytest
from datasets import load_dataset

from hfkit import load_data

pytestmark = pytest.mark.pain("labels-through-floats")

VERSIONS = ["3.1", "3.10", "3.11", "3.12"]


def table(folder: Path, labels: list[str]) -> Path:
    path = folder / "data.csv"
    lines = [f"ticket number {row},{labels[row % len(labels)]}\n" for row in range(40)]
    path.write_text("text,label\n" + "".join(lines))
    return path


def test_upstream_joins_versions_and_turns_rooms_into_numbers(tmp_path: Path) -> None:
    data = load_dataset(
        "csv", data_files=str(table(tmp_path, VERSIONS)), split="train", cache_dir=str(tmp_path / "one")
    )
    assert len(set(data["label"])) == 3
    rooms = pandas.read_csv(table(tmp_path, ["1E2", "2E1"]))
    assert set(rooms["label"]) == {100.0, 20.0}
    numbers = pandas.read_csv(table(tmp_path, ["9007199254740993", ""]))  # a missing value makes the column a float
    assert int(numbers["label"].max()) == 9007199254740992


@pytest.mark.parametrize("labels", [VERSIONS, ["1E2", "2E1"], ["9007199254740993", "9007199254740992"], ["+1", "1"]])
def test_hfkit_reads_a_name_as_its_text(tmp_path: Path, labels: list[str]) -> None:
    data = load_data(str(table(tmp_path, labels)), problem_type="single_label_classification")
    assert set(data.summary.label_names or []) == set(labels)
