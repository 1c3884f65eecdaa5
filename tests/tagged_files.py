"""Texts of five words with two names, as files of every form; and what is made of them."""

import json
from typing import Any

import pytest
from data_files import write

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data

PEOPLE = ["Ann", "Bob", "Cid", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Leo", "Mia", "Ned"]
TOWNS = ["Rome", "Paris", "Oslo", "Lima", "Cairo", "Delhi", "Quito", "Accra", "Minsk", "Tunis", "Baku", "Doha"]
SAW = {
    "iob2": "B-PER I-PER O B-LOC O",
    "iob1": "I-PER I-PER O I-LOC O",
    "iobes": "B-PER E-PER O S-LOC O",
    "bilou": "B-PER L-PER O U-LOC O",
    "plain": "N N V N X",
}
IOB2 = SAW["iob2"].split()
TYPES = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def sentence(number: int, scheme: str = "iob2", sep: str = "\t", more: str = "") -> str:
    words = [PEOPLE[number % 14], f"Lee{number}", "saw", TOWNS[number % 12], "."]
    return "".join(f"{word}{sep}{more}{tag}\n" for word, tag in zip(words, SAW[scheme].split(), strict=True)) + "\n"


def conll(first: int = 0, last: int = 12, **how: str) -> str:
    return "".join(sentence(number, **how) for number in range(first, last))


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


LISTS = [{"tokens": [PEOPLE[n], "saw", TOWNS[n]], "tags": ["B-PER", "O", "B-LOC"]} for n in range(12)]
TEXTS = [f"{PEOPLE[n]} Lee saw {TOWNS[n]}." for n in range(12)]


def spans(text: str) -> list[tuple[int, int, str]]:
    town = text.index("saw ") + 4
    return [(text.index("Lee") - 4, text.index("Lee") + 3, "PER"), (town, len(text) - 1, "LOC")]


SPANS = [{"text": text, "label": [list(span) for span in spans(text)]} for text in TEXTS]


def load(name: str, content: str | bytes | None = None, **options: Any) -> Any:
    if content is not None:
        write(name, content)
    return load_data(f"./{name}", task="token-classification", **options)


def tags(data: Any) -> dict[str, list[str]]:
    """Of every text its tags; the words stand where they are said to."""
    found = {}
    for split in data.values():
        names = split.features["label"].feature.names
        for row in split:
            places = zip(row["begins"], row["ends"], strict=True)
            assert [row["text"][begin:end] for begin, end in places] == row["tokens"]
            found[row["text"]] = [names[tag] for tag in row["label"]]
    return found


def said(data: Any, part: str) -> str:
    return next((note for note in data.summary.notes if part in note), f"nothing of {part}: {data.summary.notes}")


def refused(name: str, content: str | bytes | None = None, **options: Any) -> str:
    with pytest.raises(HfkitError) as caught:
        load(name, content, **options)
    return str(caught.value)


def folder(**files: str) -> str:
    for name, text in files.items():
        write(f"d/{name.replace('__', '.')}", text)
    return "d"
