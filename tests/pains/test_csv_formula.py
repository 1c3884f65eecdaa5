"""A text of a stranger that begins with "=" runs as a formula once the table of answers is opened in a spreadsheet.

Threads: none
"""

import csv
from pathlib import Path

import pytest
from datasets import Dataset

from hfkit.inference import predict_file
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("csv-formula")

FORMULA = '=HYPERLINK("http://evil.example";"a warm film")'


def first_cell(path: str) -> str:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return next(iter(csv.DictReader(file)))["text"]


def test_upstream_writes_the_formula() -> None:
    Dataset.from_dict({"text": [FORMULA]}).to_csv("answers.csv")
    assert first_cell("answers.csv") == FORMULA


def test_hfkit_puts_an_apostrophe_before_it(finished: Run) -> None:
    Dataset.from_dict({"text": [FORMULA, "a cold film"]}).to_csv("texts.csv")
    predict_file(str(finished.path), "texts.csv", "answers.csv")
    assert first_cell("answers.csv") == "'" + FORMULA
