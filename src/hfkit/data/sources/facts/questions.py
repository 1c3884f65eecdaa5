"""Questions about facts: a table of facts told in made paragraphs, and asked for in other words, as SQuAD 2.0 has them.

Every paragraph tells some facts of its subject in an order of its own, and one or two of a neighbour's beside them, so
that neither the only number nor the only name is the answer. Every fourth question asks for what the paragraph does not
tell. Test and validation have subjects of their own, and wordings that training never shows.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

from hfkit.data.cards.card import ROLES
from hfkit.data.sources.facts.elements import Facts
from hfkit.data.sources.facts.wordings import ASKED, TOLD

T = TypeVar("T")
Draw = Callable[[], float]
HELD_OUT = 0.15  # of the subjects, for validation and as many again for the test
MOST_TOLD = 7
MOST_ASKED = 6  # of the facts of a paragraph's subject; a neighbour's and what is not told come on top
NAMES = {"origin": "honor", "honor": "origin"}  # either may be taken for an answer to a question for the other


def fact_questions(files: Path, folder: Path, *, subjects_of: Callable[[Path], dict[str, Facts]], file: str) -> None:
    """Makes `facts.json` of the table `file` that `subjects_of` reads. Equal tables make equal bytes."""
    told = json.dumps(squad(subjects_of(files / file)), ensure_ascii=False, indent=1)
    (folder / "facts.json").write_text(told + "\n", encoding="utf-8", newline="\n")


def squad(subjects: dict[str, Facts]) -> dict[str, Any]:
    """Two paragraphs a subject and their questions, as SQuAD 2.0 nests them; a subject says of which `split` it is."""
    order, articles = _shuffled(random.Random("splits").random, list(subjects)), []
    first, second = round(HELD_OUT * len(order)), round(2 * HELD_OUT * len(order))
    for split, drawn in zip(ROLES, (order[second:], order[first:second], order[:first]), strict=True):
        names = [name for name in subjects if name in drawn]
        for place, name in enumerate(names):
            draw = random.Random(name).random  # the one method whose numbers Python promises to keep
            near = [name, *names[max(0, place - 1) : place], *names[place + 1 : place + 2]]
            told = {one: subjects[one] for one in near}
            topics = _shuffled(draw, list(subjects[name]))
            halves = topics[: len(topics) // 2], topics[len(topics) // 2 :]
            paragraphs = [_paragraph(draw, f"{name}-{number}", half[:MOST_TOLD], told, split == "train")
                          for number, half in enumerate(halves, start=1)]  # fmt: skip
            articles.append({"title": name.capitalize(), "split": split, "paragraphs": paragraphs})
    return {"version": "v2.0", "data": articles}


def _paragraph(draw: Draw, id: str, topics: list[str], facts: dict[str, Facts], known: bool) -> dict[str, Any]:
    """A context that tells `topics` of the first of `facts`, and something of the others; with its questions."""
    name, *others = facts
    order = [(name, topic) for topic in topics]
    for one in _shuffled(draw, [(other, topic) for other in others for topic in facts[other]])[: 1 + (draw() < 0.5)]:
        order.insert(1 + int(draw() * len(order)), one)
    text = _Text(draw, known)
    for subject, topic in order:
        text.tell(subject, topic, facts[subject][topic])
    told = _shuffled(draw, [slot for slot in text.places if slot[0] == name])[:MOST_ASKED]
    told += _shuffled(draw, [slot for slot in text.places if slot[0] != name])[:1]
    untold = sorted({(subject, slot) for subject, _ in order for slot in _askable(order, subject)} - set(text.places))
    # What the text tells of another subject tempts most.
    none = _shuffled(draw, [slot for slot in untold if any(slot[1] == one for _, one in text.places)])[:1]
    more = max(0, int(len(told) / 3 + draw()) - len(none))
    none += _shuffled(draw, [slot for slot in untold if slot not in none])[:more]
    asked = []
    for number, slot in enumerate(_shuffled(draw, told + none), start=1):
        question = _wording(draw, ASKED[slot[1]], known).format(name=slot[0])
        asked.append({"id": f"{id}-{number}", "question": question, **text.answers(slot)})
    return {"context": text.whole, "qas": asked}


def _askable(order: list[tuple[str, str]], subject: str) -> list[str]:
    """What may be asked of a subject, but for what the answer to another question could be taken for."""
    taken = {NAMES[topic] for one, topic in order if one == subject and topic in NAMES}
    slots = {topic: [slot for _, slot, _, _ in Formatter().parse(wordings[0])] for topic, wordings in TOLD.items()}
    return [slot for topic in TOLD if topic not in taken for slot in slots[topic] if slot in ASKED]


@dataclass
class _Text:
    """A paragraph as it grows."""

    draw: Draw
    known: bool  # whether only wordings of training are used
    whole: str = ""
    # (subject, slot) -> where the words begin that tell it, and those words
    places: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    subject: str = ""  # whom the last sentence was about

    def tell(self, subject: str, topic: str, words: dict[str, str]) -> None:
        """Adds a sentence."""
        self.whole += " " if self.whole else ""
        named = {"name": subject, "It": subject.capitalize(), "Its": f"{subject.capitalize()}'s"}
        if subject == self.subject:
            named |= {"It": _pick(self.draw, ["It", "The element", named["It"]]), "Its": "Its"}
        begin = len(self.whole)
        for literal, slot, _, _ in Formatter().parse(_wording(self.draw, TOLD[topic], self.known)):
            self.whole += literal
            if slot in words:
                self.places[subject, slot] = len(self.whole), words[slot]
            self.whole += {**named, **words}[slot] if slot else ""
        self.whole = self.whole[:begin] + self.whole[begin].upper() + self.whole[begin + 1 :]
        self.subject = subject

    def answers(self, slot: tuple[str, str]) -> dict[str, Any]:
        """The gold answers: the words, and what of them is an answer too; none where the text does not tell."""
        begin, words = self.places.get(slot, (0, ""))
        found = [(words, 0), *((one[0], one.start()) for one in re.finditer(_SHORTER, words))] if words else []
        told = [{"text": text, "answer_start": begin + start} for text, start in dict(found).items()]
        return {"answers": told, "is_impossible": not told}


_SHORTER = r"-?[\d,.]+ (?:°C|K)(?= \(|\)$)|^[\d,.]+(?= g/| dollars)|(?<=^Sir ).+"
"""One of two temperatures; a number without its unit; a knight without his title."""


def _wording(draw: Draw, wordings: Sequence[str], known: bool) -> str:
    """One of several; the last is kept from training."""
    return _pick(draw, wordings[: -1 if known else None])


def _pick(draw: Draw, several: Sequence[T]) -> T:
    return several[int(draw() * len(several))]


def _shuffled(draw: Draw, several: Sequence[T]) -> list[T]:
    keys = [draw() for _ in several]
    return [one for _, one in sorted(zip(keys, several, strict=True), key=lambda pair: pair[0])]
