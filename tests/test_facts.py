"""Questions that are made of facts: places are exact, subjects stay in one split, equal tables make equal bytes."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from hfkit.config import DataArguments
from hfkit.data.sources import materials
from hfkit.data.sources.facts.elements import elements
from hfkit.data.sources.facts.questions import fact_questions, squad
from hfkit.data.sources.facts.wordings import ASKED, TOLD
from hfkit.data.sources.source import open_source

# What elements.db has of a gas, a metal, one that antiquity knew in two forms, and one that nobody saw.
COLUMNS = (
    "atomic_number, name, symbol, period, group_id, series_id, atomic_weight, density, lattice_structure, discoverers,"
    " discovery_year, discovery_location, name_origin, price_per_kg, top_3_producers, top_3_reserve_holders"
).split(", ")
ROWS = [
    (2, "Helium", "He", 1, 18, 2, 4.002602, 0.000164, "HEX", "Sir William Ramsey; P.T.Cleve", 1895, "Scotland/Sweden",
     "Greek: hêlios (sun).", 24.0, "1) USA  2) Algeria", "1) Unknown (likely USA)"),
    (50, "Tin", "Sn", 5, 14, 7, 118.71, 7.287, "TET", "Known to the ancients.", None, None,
     "Named after Etruscan god, Tinia; symbol from Latin: stannum (tin).", 18.7, "1) China  2) Peru", "1) China"),
    (92, "Uranium", "U", 7, None, 10, 238.02891, 19.1, "ORC", "Martin Klaproth", 1789, "United States",
     "Named for the  planet Uranus.", 1234567.0, "1) Kazakhstan", None),
    (104, "Rutherfordium", "Rf", 7, 4, 8, 267.0, 23.3, None, "A.Ghiorso, et al", 1969, "USSR/United States", "?",
     None, None, None),
]  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(path := tmp_path / "elements.db")) as made, made:
        made.execute(f"create table elements ({', '.join(COLUMNS)})")
        made.executemany(f"insert into elements values ({', '.join('?' * len(COLUMNS))})", ROWS)
        made.execute("create table series (id, name)")
        series = [(2, "Noble gases"), (7, "Poor metals"), (8, "Transition metals"), (10, "Actinides")]
        made.executemany("insert into series values (?, ?)", series)
        made.execute(
            "create table phasetransitions (atomic_number, boiling_point, melting_point, is_sublimation_point)"
        )
        points = [(2, 4.222, None, None), (50, 2859.15, 286.35, None), (50, 2859.15, 505.078, None)]
        made.executemany("insert into phasetransitions values (?, ?, ?, ?)", [*points, (92, 4404.15, 1408.15, None)])
    return path


def test_what_the_table_tells_becomes_words(table: Path) -> None:
    facts = elements(table)
    assert facts["helium"] == {
        "number": {"number": "2", "symbol": "He"},
        "family": {"period": "1", "family": "noble gases"},
        "weight": {"weight": "4.0026"},
        "group": {"group": "18"},
        "boiling": {"boiling": "-268.9 °C (4.2 K)"},
        "density": {"density": "0.164 g/L"},
        "lattice": {"lattice": "hexagonal"},
        "discovery": {"finder": "Sir William Ramsey and P.T. Cleve", "year": "1895", "land": "Scotland and Sweden"},
        "origin": {"language": "Greek", "word": "hêlios", "meaning": "sun"},
        "price": {"price": "24.00 dollars"},
        "mining": {"miner": "USA", "second": "Algeria"},
    }
    assert not {"melting", "boiling", "discovery", "honor"} & facts["tin"].keys(), "two forms, and nobody's discovery"
    assert facts["uranium"]["melting"] == {"melting": "1,135 °C (1,408 K)"}
    assert facts["uranium"]["honor"] == {"honor": "the planet Uranus"}
    assert not {"group", "price", "mining", "reserves"} & facts["uranium"].keys()
    told = {"finder": "A. Ghiorso and others", "year": "1969", "land": "the USSR and the United States"}
    assert facts["rutherfordium"]["discovery"] == told
    assert "density" not in facts["rutherfordium"]
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        elements(table.with_name("other.db"))
    assert not table.with_name("other.db").exists()


def many(table: Path) -> dict[str, Any]:
    """Forty subjects, whose words are the four elements'."""
    known = list(elements(table).values())
    return squad({f"stuff {number}": known[number % len(known)] for number in range(40)})


def questions(made: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    for article in made["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield article, paragraph, question


def test_answers_stand_where_they_are_said_to_stand(table: Path) -> None:
    found = list(questions(many(table)))
    for _, paragraph, question in found:
        assert question["is_impossible"] == (not question["answers"])
        for answer in question["answers"]:
            begin = answer["answer_start"]
            assert paragraph["context"][begin : begin + len(answer["text"])] == answer["text"]
    assert 0.2 < sum(question["is_impossible"] for _, _, question in found) / len(found) < 0.3
    assert len({question["id"] for _, _, question in found}) == len(found) > 500
    several = {answer["text"] for _, _, question in found for answer in question["answers"]}
    assert {"-268.9 °C (4.2 K)", "-268.9 °C", "4.2 K", "0.164 g/L", "0.164", "24.00", "7.287"} <= several
    assert "William Ramsey and P.T. Cleve" in several


def test_what_has_no_answer_is_not_told(table: Path) -> None:
    """A question's words name its subject and kind; a sentence that tells that of it is none of the paragraph's."""
    kinds = {slot: topic for topic, several in TOLD.items() for _, slot, _, _ in Formatter().parse(several[0]) if slot}
    told = 0
    for _, paragraph, question in questions(many(table)):
        subject = re.search(r"stuff \d+", question["question"])
        assert subject
        worded = question["question"].replace(subject[0], "{name}")
        (slot,) = (slot for slot, several in ASKED.items() if worded in several)
        patterns = (re.escape(one).replace(r"\{name\}", subject[0]) for one in TOLD[kinds[slot]])
        named = [re.sub(r"\\\{(\w+)\\\}", r"(?:(?![.] ).)+?", one) for one in patterns if subject[0] in one]
        said = any(re.search(f"(^|[.] ){one}", paragraph["context"], re.IGNORECASE) for one in named)
        assert not (said and question["is_impossible"]), (question, paragraph["context"])
        told += said
    assert told > 50


def test_subjects_and_some_wordings_stay_in_one_split(table: Path) -> None:
    made = many(table)
    splits = {article["title"].lower(): article["split"] for article in made["data"]}
    assert sorted(splits.values()) == ["test"] * 6 + ["train"] * 28 + ["validation"] * 6
    kept = {re.escape(several[-1]).replace(r"\{name\}", r"stuff \d+") for several in ASKED.values()}
    seen = dict.fromkeys(("train", "validation", "test"), 0)
    for article, paragraph, question in questions(made):
        named = set(re.findall(r"stuff \d+", (paragraph["context"] + question["question"]).lower()))
        assert {splits[name] for name in named} == {article["split"]}
        seen[article["split"]] += any(re.fullmatch(one, question["question"]) for one in kept)
    assert seen["train"] == 0 and min(seen["validation"], seen["test"]) > 10


def test_equal_tables_make_equal_bytes(table: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fact_questions(table.parent, tmp_path / name, subjects_of=elements, file=table.name)
    one, two = ((tmp_path / name / "facts.json").read_bytes() for name in ("one", "two"))
    assert one == two and b"\r" not in one
    assert json.loads(one)["version"] == "v2.0"


def test_every_topic_is_told_and_asked_in_several_ways() -> None:
    for topic, several in TOLD.items():
        slots = [{slot for _, slot, _, _ in Formatter().parse(one) if slot} for one in several]
        words = [found - {"It", "Its", "name"} for found in slots]
        assert len(several) == 4 and all(found == words[0] for found in words), topic
        assert words[0] <= ASKED.keys() and all(found - words[0] for found in slots), "each names its subject"
    for slot, several in ASKED.items():
        assert len(set(several)) == 3 and all("{name}" in one for one in several), slot


def test_the_file_comes_as_splits_of_articles(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is read before a task takes it apart."""
    (folder := table.parent / "made").mkdir()
    many = {f"stuff {at}": elements(table)["helium"] for at in range(20)}
    fact_questions(table.parent, folder, subjects_of=lambda path: many, file=table.name)
    monkeypatch.setattr(materials, "find", lambda name: folder)
    monkeypatch.setattr("hfkit.data.sources.embedded.check_file", lambda *given, **more: None)
    source = open_source(DataArguments(dataset="demo:facts"))
    assert {split: len(rows) for split, rows in source.tables.items()} == {"train": 14, "validation": 3, "test": 3}
    assert list(source.tables["train"].columns) == ["title", "paragraphs"]
