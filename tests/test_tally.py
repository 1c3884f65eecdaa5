"""The line that predict ends with: how many rows, and what was answered."""

import pytest

from hfkit.inference.rows import Tally


def told(*answers: object) -> str:
    tally = Tally()
    tally.add(answers)
    return tally.told("out.csv")


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        (["pos", "neg", "pos"], "3 rows written to out.csv: pos 2, neg 1"),
        (["pos"], "1 row written to out.csv: pos 1"),
        (["pos", None], "2 rows written to out.csv: pos 1, without an answer 1"),
        ([["a", "b"], [], ["b"]], "3 rows written to out.csv: b 2, a 1, no label 1"),
        ([1.0, 4.5, 2.0], "3 rows written to out.csv: 1 to 4.5, 2.5 on average"),
        ([], "0 rows written to out.csv"),
        ([f"c{n}" for n in range(22)], None),
    ],
)
def test_it_counts_what_was_written(answers: list[object], line: str | None) -> None:
    said = told(*answers)
    assert said == line if line else said.endswith(", c19 1, and 2 more labels")
