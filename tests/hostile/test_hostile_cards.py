"""Data cards that are broken, lie or mean harm: YAML of strangers, and a block that says where rows come from."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guard import Case, cases, refused, write

from hfkit.data.cards.card import DataCard
from hfkit.data.load import load_data

FRONT = "license: mit\nlanguage: en\ntask_categories: [text-classification]\nsize_categories: n<1K\n"
PLACE = "data_cards/mine.md"
LAUGHS = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def card(front: str, tail: str = "---\n\n# Mine\n") -> Callable[[], str]:
    return lambda: (write(PLACE, f"---\n{front}{tail}"), "mine")[1]


def block(text: str) -> Callable[[], str]:
    return card(f"{FRONT}hfkit: {{{text}}}\n")


def raw(content: str | bytes) -> Callable[[], str]:
    return lambda: (write(PLACE, content), "mine")[1]


def special(how: Callable[[Path], Any]) -> Callable[[], str]:
    def make() -> str:
        Path("data_cards").mkdir()
        how(Path(PLACE))
        return "mine"

    return make


def embedded(text: str) -> Callable[[], str]:
    return block(f"source: a/b, embedded: {{package: p, module: evil, file: f, sha256: s, {text}}}")


CARDS = cases(
    ("a card of nothing", raw(b""), (PLACE, "front matter")),
    ("a card of NULs", raw(b"---\nlicense: \0\n---\n"), (PLACE,)),
    ("a card that is no UTF-8", raw(b"---\nlicense: \xff\n---\n"), (PLACE,)),
    ("a card of UTF-16", raw(f"---\n{FRONT}---\n".encode("utf-16")), (PLACE,)),
    ("a card of ten megabytes", raw("---\n" + "x" * 10_000_000), (PLACE, "bytes")),
    ("a card that is a pipe", special(os.mkfifo), (PLACE, "no regular file")),
    ("a card that is a folder", special(Path.mkdir), (PLACE, "folder")),
    ("a card that links to itself", special(lambda path: path.symlink_to(path.name)), (PLACE,)),
    ("a card without an end", card(FRONT, ""), (PLACE, "front matter")),
    ("a billion laughs", card(LAUGHS + FRONT.replace("mit", "*i") + "hfkit: {source: a/b}\n"),
     (PLACE, "line", "alias")),
    ("an alias of itself", card("license: &a [*a]\n"), (PLACE, "line 2", "alias")),
    ("a tag that runs code", card("license: !!python/object/apply:os.system ['touch ran']\n"), (PLACE, "line 2")),
    ("a tag that imports", card("license: !!python/name:os.system\n"), (PLACE, "line 2")),
    ("a tag that is a lie", card("license: !!int mit\n"), (PLACE,)),
    ("a time that is none", card("license: !!timestamp mit\n"), (PLACE,)),
    ("a day that is none", card("license: 2020-13-45\n"), (PLACE,)),
    ("an integer of 5,000 digits", card(f"license: {'9' * 5000}\n"), (PLACE,)),
    ("nesting without end", card("license: " + "[" * 20_000 + "\n"), (PLACE, "nested")),
    ("a key that is a list", card("? [a]\n: b\n"), (PLACE,)),
    ("front matter that is a list", card("- a\n"), (PLACE, "mapping")),
    ("a block that is a list", card(FRONT + "hfkit: [a]\n"), (PLACE, "mapping")),
    ("a key that is a number", block("source: a/b, 7: 8"), (PLACE, "7")),
    ("a key that is nothing", block("source: a/b, null: 8"), (PLACE, "None")),
    ("a source that is a list", block("source: [a/b]"), (PLACE, "hfkit.source")),
    ("a source that is empty", block("source: ''"), (PLACE, "hfkit.source")),
    ("a source that is a loader", block("source: csv"), (PLACE, "hfkit.source")),
    ("a source that is a system's folder", block("source: /etc"), (PLACE, "hfkit.source")),
    ("a source that is an address", block("source: 'https://evil.example/data.csv'"), (PLACE, "hfkit.source")),
    ("a source that climbs to a system's file", block("source: ../../../../../../../../etc/passwd"),
     ("passwd", "not read")),
    ("labels in lists", block("source: a/b, labels: [[a], {b: c}]"), (PLACE, "hfkit.labels")),
    ("labels of nothing", block("source: a/b, labels: [null, a]"), (PLACE, "hfkit.labels")),
    ("no labels", block("source: a/b, labels: []"), (PLACE, "hfkit.labels")),
    ("columns in a list", block("source: a/b, columns: [text]"), (PLACE, "hfkit.columns")),
    ("a column that is a list", block("source: a/b, columns: {text: [a]}"), (PLACE, "hfkit.columns")),
    ("a share that is no number", block("source: a/b, test_size: .nan"), (PLACE, "hfkit.test_size")),
    ("a share of truth", block("source: a/b, test_size: true"), (PLACE, "hfkit.test_size")),
    ("blocks of less than nothing", block("source: a/b, blocks: -1"), (PLACE, "hfkit.blocks")),
    ("an embedded form that is a list", block("source: a/b, embedded: [a]"), (PLACE, "hfkit.embedded")),
    ("an embedded module that is a number", embedded("module: 7"), (PLACE, "hfkit.embedded", "module")),
    ("an embedded module that is run to be found", embedded("module: evil.inner"), (PLACE, "hfkit.embedded", "module")),
    ("an embedded file that climbs out", embedded("file: ../../etc/passwd"), (PLACE, "hfkit.embedded", "file")),
    ("embedded rows in a list", embedded("rows: [a]"), (PLACE, "hfkit.embedded", "rows")),
    ("an embedded share that is a word", embedded("test_size: half"), (PLACE, "hfkit.embedded", "test_size")),
    ("escapes in a key", card(FRONT + 'hfkit: {source: a/b, "\\e[2J": 1}\n'), (PLACE,)),
)  # fmt: skip


@pytest.mark.parametrize("case", CARDS)
def test_a_hostile_card_is_not_followed(
    case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("evil/__init__.py", "open('ran', 'w')")
    monkeypatch.syspath_prepend(str(Path().absolute()))
    refused(case, load_data, capsys)
    assert not Path("ran").exists() and "evil" not in sys.modules


def test_a_folder_never_stands_in_for_a_cards_hub_data(capsys: pytest.CaptureFixture[str]) -> None:
    block("source: a/b")()
    write("a/b/train.csv", "text,label\n" + "x,y\n" * 9)
    refused(Case("", lambda: "mine", ("a/b", "./a/b")), load_data, capsys)


def test_what_windows_writes_is_a_card() -> None:
    write(PLACE, f"\ufeff---\n{FRONT}hfkit: {{source: a/b}}\n---\n\n# Mine\n".replace("\n", "\r\n"))
    assert DataCard.find("mine").source == "a/b"
