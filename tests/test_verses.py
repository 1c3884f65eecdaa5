"""Verses of two Bibles as pairs: read without running a module, mended, and kept apart from what they repeat."""

import json
from pathlib import Path

import pytest

from hfkit.data.cards.card import DataCard
from hfkit.data.sources.materials import MATERIALS
from hfkit.data.sources.packaged import verses as source
from hfkit.data.sources.packaged.verses import BOOKS, HELD_OUT, kjv_web, pairs, verses

GENESIS, JUDGES, PSALMS, SONG, MATTHEW, MARK = 1, 7, 19, 22, 40, 41


def number(book: int, chapter: int, verse: int) -> int:
    return book * 1_000_000 + chapter * 1000 + verse


def module(path: Path, texts: dict[int, str]) -> None:
    """A module as the packages have it, which tells when it is run."""
    begins, ends, text = {}, {}, ""
    for verse, one in texts.items():
        begins[verse], text = len(text), text + one
        ends[verse] = len(text)
    titles = "{Book.GENESIS: 'Genesis'}"
    path.write_text(
        "from pathlib import Path\nfrom nowhere import Bible, Book, Version\n"
        f"bible = Bible(Version.ANY, {text!r}, {begins}, {ends}, {titles}, False)\nPath('was-run').touch()\n"
    )


def said(old: str, new: str, book: int = GENESIS) -> tuple[str, str]:
    """What a pair becomes; beside others, with which it shares nothing."""
    others = {number(book, 1, place): f"w{'abc'[place]} x{'abc'[place]} y{'abc'[place]}" for place in (0, 2)}
    rows = pairs(others | {number(book, 1, 1): old}, others | {number(book, 1, 1): new})
    (row,) = (one for one in rows if one["id"].endswith(" 1:1"))
    return row["source"], row["target"]


def test_modules_are_read_and_not_run(tmp_path: Path) -> None:
    old = {number(GENESIS, 1, 1): "In the beginning", number(GENESIS, 1, 2): " And the earth [was] void.\n"}
    module(tmp_path / "plain_text_readers_bible.py", old)
    module(tmp_path / "plain_text_bible.py", {verse: f"{verse % 1000}. {text}" for verse, text in old.items()})
    assert verses(tmp_path / "plain_text_readers_bible.py") == old
    kjv_web(tmp_path, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "kjv_web.jsonl").read_text().splitlines()]
    assert rows[1] == {"id": "Genesis 1:2", "source": "And the earth was void.", "target": "And the earth was void.",
                       "chapter": "Genesis 1", "split": "train"}  # fmt: skip
    assert not Path("was-run").exists()


@pytest.mark.parametrize(
    ("new", "mended", "book"),
    [(' 3."Let God`s light be," he said.  ', '"Let God\'s light be," he said.', GENESIS),
     ("4. Trust him.     BOOK II      Psalm 42  For the Chief Musician.", "Trust him.", PSALMS),
     ("8. Don`t forsake me.  BEIT", "Don't forsake me.", PSALMS), ("5. My ways.  SIN AND SHIN", "My ways.", PSALMS),
     ("2. He named him JESUS.", "He named him JESUS.", MATTHEW),
     ("9. I say it, because I AM.", "I say it, because I AM.", MARK),
     ("4. His chambers.  Friends We will be glad.  Beloved", "His chambers. We will be glad.", SONG),
     ("4. Rise, Beloved friend.  Beloved", "Rise, Beloved friend. Beloved", PSALMS)],
)  # fmt: skip
def test_what_belongs_to_the_next_verse_goes(new: str, mended: str, book: int) -> None:
    assert said("Old words [of] the king’s.", new, book) == ("Old words of the king's.", mended)


def test_placeholders_and_shifted_verses_are_left_out() -> None:
    texts = [
        "all men of the city came",
        "two shall be in the field",
        "a dog ate bread at noon",
        "stars fall from heaven",
    ]
    old = {number(MATTHEW, 1, place): text for place, text in enumerate(texts, 1)}
    new = dict(old)
    assert len(pairs(old, new)) == 4
    new[number(MATTHEW, 1, 2)] = " 2. dummy verses inserted by amos"
    assert [row["id"] for row in pairs(old, new)] == ["Matthew 1:1", "Matthew 1:3", "Matthew 1:4"]
    new = dict(old) | {number(MATTHEW, 1, 3): texts[3], number(MATTHEW, 1, 4): texts[2]}
    assert [row["id"] for row in pairs(old, new)] == ["Matthew 1:1", "Matthew 1:2"]
    del new[number(MATTHEW, 1, 1)]
    assert [row["id"] for row in pairs(old, new)] == ["Matthew 1:2"]


def test_a_verse_that_a_held_out_one_tells_nearly_again_is_not_learnt() -> None:
    told = "and he said to them come after me and i will make you fishers of men"
    old = {
        number(MATTHEW, 1, 1): "then he said to them come after me and i will make you fishers of men",
        number(MATTHEW, 1, 2): "whoever has ears let him hear what is told",
        number(MATTHEW, 1, 3): "another thing that stands nowhere else at all in these books",
        number(MARK, 1, 1): told,
        number(MARK, 1, 2): "nothing of all that is said in any other place",
    }
    new = dict(old) | {
        number(MATTHEW, 1, 2): "all of you who have ears should listen",
        number(MARK, 1, 2): "all of you who have ears should listen",
    }
    splits = {row["id"]: row["split"] for row in pairs(old, new)}
    assert splits == {"Matthew 1:1": "parallel", "Matthew 1:2": "parallel", "Matthew 1:3": "train",
                      "Mark 1:1": "test", "Mark 1:2": "test"}  # fmt: skip


def test_whole_books_are_held_out_and_the_card_is_the_materials() -> None:
    assert len(BOOKS) == len(set(BOOKS)) == 66 and (BOOKS[18], BOOKS[39], BOOKS[65]) == (
        "Psalms",
        "Matthew",
        "Revelation",
    )
    assert not set(HELD_OUT["test"]) & set(HELD_OUT["validation"])
    assert {*HELD_OUT["test"], *HELD_OUT["validation"]} <= set(BOOKS)
    card, material = DataCard.find("kjv_web"), MATERIALS["kjv_web"]
    assert card.embedded is not None and card.embedded.file == "kjv_web.jsonl"
    kept = [Path(inner).name for archive in material.archives for inner in archive.files]
    assert len(set(kept)) == len(kept) == 2, "files are kept under their last part"
    assert source.PARALLEL == 0.5 and "half of their runs of four words" in card.prose.replace("\n", " ")
