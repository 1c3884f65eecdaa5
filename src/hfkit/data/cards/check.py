"""check_cards: whether data cards are complete, their front matter known to the Hub, their counts the data's."""

import contextlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from hfkit.base.errors import HfkitError, nearest
from hfkit.base.sanitize import line
from hfkit.data.cards.card import DataCard
from hfkit.data.cards.draft import MARK
from hfkit.data.cards.vocabulary import LICENSES, TASKS, languages, size_category, sizes

SHORTEST = 400  # characters of prose below which a card tells nothing
_COUNTS = re.compile(r"^\|\s*counts\b.*\|\n\|[-| ]+\|\n((?:\|.*\|\n?)+)", re.MULTILINE)


@dataclass
class Checked:
    """What was found of one card."""

    path: Path  # the card
    faults: list[str] = field(default_factory=list)  # a sentence for each; empty for a good card
    # Of each form whose counts the card gives: that they are right, or why they could not be looked at
    counts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        state = f"{len(self.faults)} to mend" if self.faults else "good"
        lines = [f"  - {sentence}" for sentence in [*self.faults, *self.counts]]
        return "\n".join([f"{self.path}: {state}", *lines])


def check_cards(paths: Iterable[str | Path], data: bool = True) -> list[Checked]:
    """Check cards: front matter by huggingface_hub and the Hub's own words, the `hfkit:` block, prose, and counts. With
    `data` what a card counts is loaded, where it is at hand, and compared. A Hub out of reach is said, and no fault."""
    return [_check(Path(path), data) for path in paths]


def _check(path: Path, data: bool) -> Checked:
    found = Checked(path)
    try:
        card = DataCard.read(path)
        text = path.read_text(encoding="utf-8-sig")
        front = DatasetCard(text).data.to_dict()
    except HfkitError as error:
        found.faults.append(f"{error.what}{f' ({error.where})' if error.where else ''}")
        return found
    except Exception as error:  # huggingface_hub and yaml each complain in their own way
        found.faults.append(f"huggingface_hub cannot read the front matter: {line(error, 300)}")
        return found
    found.faults += front_faults(front)
    marks = [str(number) for number, row in enumerate(text.splitlines(), 1) if MARK in row]
    if marks:
        found.faults.append(f"{len(marks)} places wait for a person, line {', '.join(marks)}")
    if len(card.prose) < SHORTEST:
        short = f"The prose has {len(card.prose)} characters"
        found.faults.append(f"{short}: say how the data was made, and what is wrong with it")
    for name, cells in counted_forms(card.prose).items() if data else ():
        wrong, said = _compare(name, cells, card)
        found.faults += wrong
        found.counts += said
    return found


def front_faults(front: dict[str, Any]) -> list[str]:
    """What the Hub would not know or show of a front matter."""
    try:
        DatasetCardData(**{key.replace("-", "_"): value for key, value in front.items()})
    except TypeError as error:
        return [f"huggingface_hub cannot read the front matter: {line(error, 300)}"]
    known = {"license": LICENSES, "language": languages(), "size_categories": sizes(), "task_categories": TASKS}
    faults = []
    for key, words in known.items():
        given = front.get(key)
        for word in given if isinstance(given, list) else [given]:
            if not isinstance(word, str) or (word not in words and not (key == "language" and word == "multilingual")):
                faults.append(f"{key}: the Hub does not know {word!r}; {nearest(str(word), words)}")
    return faults


def counted_forms(prose: str) -> dict[str, list[str]]:
    """The rows of the card's table of counts: what `--dataset` takes -> the cells of train, validation and test."""
    found: dict[str, list[str]] = {}
    for table in _COUNTS.finditer(prose):
        for row in table[1].strip().splitlines():
            name, *cells = (cell.strip() for cell in row.strip().strip("|").split("|"))
            if re.fullmatch(r"`[^`]+`", name):
                found[name.strip("`")] = cells
    return found


def numbers(cell: str) -> tuple[int | None, list[int]]:
    """Of a cell such as `6,718 (3,359 negative, 3,359 positive)`: the rows, and the rows of each label.

    >>> numbers("746 (373, 373)")
    (746, [373, 373])
    """
    match = re.match(r"\s*([\d,]+)\s*(?:\((.*)\))?", cell)
    if not match:
        return None, []
    each = re.split(r",\s+", match[2] or "")
    counts = [re.match(r"\s*([\d,]+)", entry) for entry in each]
    rows = [int(count[1].replace(",", "")) for count in counts if count]
    return int(match[1].replace(",", "")), rows if len(rows) == len(each) else []


def _compare(name: str, cells: list[str], card: DataCard) -> tuple[list[str], list[str]]:
    from hfkit.data.load import load_data
    from hfkit.tasks import discover

    if name not in (card.name, f"demo:{card.name}"):
        return [f"The counts name {name}, which is not this data set"], []
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            task = card.task if card.task in discover.names() else None
            loaded = load_data(name, drop_bad_rows=True, skip_corrupt=True, task=task)
    except HfkitError as error:
        return [], [f"counts of {name} not looked at: {error.what}"]
    faults = []
    for (split, found), cell in zip(loaded.summary.splits.items(), cells, strict=False):
        rows, each = numbers(cell)
        there = list(found.get("labels", {}).values())  # tags and answers have none
        if rows != found["rows"]:
            faults.append(f"{name}, {split}: the card says {cell.split(' ')[0]} rows, the data has {found['rows']:,}")
        elif each and each != there:
            said = ", ".join(f"{count:,}" for count in there)
            faults.append(f"{name}, {split}: the card's labels have {cell[cell.index('(') :]} rows, the data's {said}")
    total = sum(split["rows"] for split in loaded.summary.splits.values())
    if not name.startswith("demo:") and card.size != size_category(total):
        faults.append(f"size_categories: {card.size}, and {name} has {total:,} rows: {size_category(total)}")
    return faults, [] if faults else [f"counts of {name} are the data's: {total:,} rows"]
