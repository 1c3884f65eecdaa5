"""Made dates: each text is one date's alone, no date is in two splits, and the file is always the same bytes."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard
from hfkit.data.sources import dates
from hfkit.data.sources.dates import SPLITS, notations, pairs, write_dates
from hfkit.data.sources.source import open_source


def test_a_date_is_written_in_many_ways() -> None:
    found = notations(date(1981, 10, 21))
    assert len(found) == len(set(found)) == len(dates.CLEAR) + len(dates.DAY_AND_MONTH) + len(dates.SHORT_YEAR)
    assert {
        "October 21, 1981", "21st October 1981", "October the 21st, 1981", "Oct. 21, '81", "Wednesday, 21 October 1981",
        "the twenty-first of October, nineteen eighty-one", "21/10/1981", "10/21/1981", "21.10.81", "19811021",
    } <= set(found)  # fmt: skip


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (date(2000, 1, 1), "the first of January, two thousand"),
        (date(2005, 2, 2), "the second of February, two thousand and five"),
        (date(2010, 3, 13), "the thirteenth of March, twenty ten"),
        (date(2048, 4, 20), "the twentieth of April, twenty forty-eight"),
        (date(1970, 5, 30), "the thirtieth of May, nineteen seventy"),
        (date(1999, 8, 31), "the thirty-first of August, nineteen ninety-nine"),
    ],
)
def test_days_and_years_are_said_as_english_says_them(day: date, told: str) -> None:
    assert told in notations(day)


@pytest.mark.parametrize(
    ("day", "ordinal"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (13, "13th"), (22, "22nd")]
)
def test_ordinals_have_their_endings(day: int, ordinal: str) -> None:
    assert f"{ordinal} June 2001" in notations(date(2001, 6, day))


def test_no_text_can_be_read_as_two_dates() -> None:
    """Of every seventh day of the century, in capitals or not: where figures alone stand, both readings are tried."""
    owner: dict[str, date] = {}
    for number in range(dates.FIRST.toordinal(), dates.LAST.toordinal() + 1, 7):
        day = date.fromordinal(number)
        for text in notations(day):
            assert owner.setdefault(text.lower(), day) == day
            if found := re.fullmatch(r"(\d+)[/.-](\d+)[/.-](\d+)", text):
                one, two, three = map(int, found.groups())
                assert one > 31 or one == two or max(one, two) > 12
                assert one > 31 or three > 31, "a year's two figures are no day"


def test_no_date_is_in_two_splits_and_no_text_stands_twice() -> None:
    found = list(pairs())
    assert len({source.lower() for source, _, _ in found}) == len(found) == 2 * sum(SPLITS.values())
    of = {split: {target for _, target, one in found if one == split} for split in SPLITS}
    assert {split: len(targets) for split, targets in of.items()} == SPLITS
    assert len(set.union(*of.values())) == sum(SPLITS.values())
    for source, target, _ in found[:300]:
        told = notations(date.fromisoformat(target))
        assert source in {one for text in told for one in (text, text.upper(), text.lower())}


def test_the_card_names_the_bytes_that_are_made(tmp_path: Path) -> None:
    write_dates(tmp_path)
    made = [json.loads(line) for line in (tmp_path / "dates.jsonl").read_bytes().splitlines()]
    assert made[2] == {"source": "2049, December 26", "target": "2049-12-26", "split": "train"}
    source = open_source(DataArguments(dataset="demo:dates"))
    sizes = {split: len(rows) for split, rows in source.tables.items()}
    assert sizes == {"train": 12000, "validation": 800, "test": 1200}
    assert list(source.tables["train"].columns) == ["source", "target"]
    assert source.tables["test"].column("target")[:] == [row["target"] for row in made if row["split"] == "test"]
    again = open_source(DataArguments(dataset="dates"))
    assert again.location == source.location == "made: dates.jsonl"


CARD = """---
license: mit
language: en
task_categories: [other]
size_categories: n<1K
hfkit:
  source: demo:days
  embedded: {{file: dates.jsonl, sha256: "{sha256}"{more}}}
---
"""


def test_what_code_cannot_make_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dates, "SPLITS", {"train": 2})
    (card := tmp_path / "data_cards" / "days.md").parent.mkdir()
    monkeypatch.chdir(tmp_path)
    card.write_text(CARD.format(sha256="0" * 64, more=", made: date"))
    with pytest.raises(HfkitError, match=r"Nothing makes 'date'(.|\n)*dates"):
        open_source(DataArguments(dataset="demo:days"))
    card.write_text(CARD.format(sha256="0" * 64, more=", made: dates"))
    with pytest.raises(HfkitError, match=r"not the known one(.|\n)*run this again"):
        open_source(DataArguments(dataset="demo:days"))
    wrong = {", made: dates, material: facts": "or made", ", made: dates, module: m": "or made", "": "package"}
    for more, told in wrong.items():
        card.write_text(CARD.format(sha256="x", more=more))
        with pytest.raises(HfkitError, match=told):
            DataCard.read(card)
