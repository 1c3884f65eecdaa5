"""Texts with spans, as the tools write them in which people mark names: what is read, said and refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from data_files import write
from tagged_files import (
    IOB2,
    SPANS,
    TEXTS,
    lines,
    load,
    refused,
    said,
    spans,
    tags,
)

from hfkit.base.errors import HfkitError
from hfkit.data.readers import read_table
from hfkit.tasks.token_classification.words.splitting import split_words


def objects(text: str, begin: str, end: str, label: str = "label") -> list[dict[str, Any]]:
    return [{begin: first, end: last, label: kind} for first, last, kind in spans(text)]


def studio(text: str, **more: Any) -> dict[str, Any]:
    marks = [{"type": "labels", "value": {"start": a, "end": b, "text": text[a:b], "labels": [c]}}
             for a, b, c in spans(text)]  # fmt: skip
    return {"id": 1, "result": [*marks, {"type": "choices", "value": {"choices": ["x"]}}], **more}


FORMS = {
    "doccano": lambda t: {"id": 1, "text": t, "label": spans(t)},
    "doccano old": lambda t: {"data": t, "label": spans(t), "Comments": []},
    "doccano relations": lambda t: {"text": t, "relations": [], "entities": objects(t, "start_offset", "end_offset")},
    "prodigy": lambda t: {"text": t, "spans": objects(t, "start", "end"), "answer": "accept"},
    "label studio": lambda t: {"data": {"text": t, "lang": "en"}, "annotations": [studio(t)], "predictions": []},
    "label studio, own key": lambda t: {"data": {"review": t, "stars": 1}, "annotations": [studio(t)]},
    "json-min": lambda t: {"text": t, "label": [mark["value"] for mark in studio(t)["result"][:2]], "annotator": 1},
    "spacy": lambda t: [t, {"entities": spans(t)}],
    "spacy ents": lambda t: {"text": t, "ents": objects(t, "start", "end")},
    "types": lambda t: {"text": t, "entities": objects(t, "start", "end", "type")},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_spans_as_tools_write_them(form: str, name: str) -> None:
    rows = [FORMS[form](text) for text in TEXTS]
    data = load(name, json.dumps(rows) if name == "a.json" else lines(rows))
    assert tags(data) == dict.fromkeys(TEXTS, IOB2)


@pytest.mark.parametrize("spell", [str, json.dumps])
def test_a_csv_spells_spans(spell: Any) -> None:
    rows = "".join('{},"{}"\n'.format(text, spell(spans(text)).replace('"', '""')) for text in TEXTS)
    assert tags(load("a.csv", "text,label\n" + rows)) == dict.fromkeys(TEXTS, IOB2)


def test_a_pair_of_text_and_object_is_a_row() -> None:
    write("a.json", json.dumps(["One text", {"entities": []}]))
    assert read_table_columns("a.json") == {"text": ["One text"], "entities": [[]]}
    write("b.jsonl", lines([["One text", {"entities": []}], ["no object"]]))
    with pytest.raises(HfkitError, match=r"holds list, not an object\n  where: b\.jsonl, item 2"):
        read_table_columns("b.jsonl")


def read_table_columns(name: str) -> dict[str, Any]:
    table = read_table(Path(name))
    return {column: table.column(column) for column in table.columns}


def test_prodigys_words_and_answers() -> None:
    rows = [
        {**FORMS["prodigy"](text), "answer": answer}
        for text, answer in zip(TEXTS, ["reject", "ignore"] + ["accept"] * 10, strict=True)
    ]
    for row in rows:
        row["tokens"] = [{"start": begin, "end": end} for begin, end in split_words(row["text"][:-1])]
    data = load("a.jsonl", lines(rows))
    assert tags(data) == dict.fromkeys(TEXTS[2:], IOB2[:-1])
    assert "train: 2 texts left out by their answer: ignore 1, reject 1" in data.summary.notes
    rows[4]["tokens"][1]["end"] = 99
    message = refused("a.jsonl", lines(rows))
    assert "no token of the text" in message
    assert "a.jsonl line 5" in message


def test_label_studios_annotations_are_counted_and_cancelled_ones_passed_over() -> None:
    wrong = {"result": [{"type": "labels", "value": {"start": 0, "end": 3, "labels": ["ORG"]}}]}
    rows = [{"data": {"text": text}, "annotations": [studio(text)]} for text in TEXTS]
    rows[1]["annotations"] = [{**wrong, "was_cancelled": True}, studio(TEXTS[1])]
    rows[2]["annotations"] += [wrong]
    rows[3]["annotations"] = []
    data = load("a.json", json.dumps(rows))
    assert tags(data) == dict.fromkeys([*TEXTS[:3], *TEXTS[4:]], IOB2)
    assert said(data, "more than") == (
        "train: 1 text with more than one annotation: the first is read (the first such in a.json item 3)"
    )
    assert said(data, "without an") == "train: 1 text without an annotation left out (the first in a.json item 4)"


@pytest.mark.parametrize(
    ("text", "span", "own", "note"),
    [
        ("Annabel went", [0, 3, "PER"], "B-PER O", "1 span that cuts a word: the whole word has the tag"),
        ("Tokyo is", [3, 3, "LOC"], "O O", "1 span without a character, left out"),
        ("Tokyo  is", [5, 7, "LOC"], "O O", "1 span without a character, left out"),
        ("in Tokyo is", [2, 9, "LOC"], "O B-LOC O", "1 span with space at an end, taken without it"),
        ("東京です", [0, 2, "LOC"], "B-LOC I-LOC O O", ""),
    ],
)
def test_odd_spans_are_counted(text: str, span: list[Any], own: str, note: str) -> None:
    data = load("a.jsonl", lines([*SPANS, {"text": text, "label": [span]}]))
    assert tags(data)[text] == own.split()
    assert (f"train: {note} (the first in a.jsonl line 13)" in data.summary.notes) == bool(note), data.summary.notes


def test_of_spans_that_overlap_the_longest_is_read() -> None:
    row = {"text": "New York Times", "label": [[0, 8, "LOC"], [0, 14, "PER"], [4, 8, "LOC"]]}
    data = load("a.jsonl", lines([*SPANS, row]))
    assert tags(data)["New York Times"] == ["B-PER", "I-PER", "I-PER"]
    assert said(data, "overlap").startswith("train: 2 spans that overlap another: the longest is read")


@pytest.mark.parametrize(
    ("span", "what"),
    [
        ([0, 9, "LOC"], "The span 0 to 9 (LOC) is outside the text, which has 5 characters"),
        ([-1, 3, "LOC"], "The span -1 to 3 (LOC) is outside the text"),
        ([4, 1, "LOC"], "The span 4 to 1 (LOC) ends before it begins"),
        ([0, 5, ""], "A span has no label"),
        ([0, 5], "This is no span: [0, 5]"),
        (["0", "5", "LOC"], "This is no span"),
    ],
)
def test_a_span_that_is_none_is_refused_with_its_line(span: list[Any], what: str) -> None:
    message = refused("a.jsonl", lines([*SPANS, {"text": "Tokyo", "label": [span]}]))
    assert what in message
    assert "a.jsonl line 13" in message


UNITS = {"bytes": lambda text: len(text.encode()), "UTF-16 units": lambda text: len(text.encode("utf-16-le")) // 2}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("told", [True, False], ids=["with text", "without"])
def test_offsets_in_other_units_are_found_in_spite_of_a_misfit(unit: str, told: bool) -> None:
    texts, rows = [f"é😀{text[:-1]}ß." for text in TEXTS], []
    for text in texts:
        own = [(begin, end + (kind == "LOC"), kind) for begin, end, kind in spans(text[:-2] + ".")]
        marks = [dict(zip(("start", "end"), (UNITS[unit](text[:at]) for at in span[:2]), strict=True)) for span in own]
        for mark, (begin, end, kind) in zip(marks, own, strict=True):
            mark |= {"label": kind, **({"text": text[begin:end]} if told else {})}
        rows.append({"text": text, "label": marks})
    if told:
        rows[3]["label"][0]["text"] = "nonsense"
    else:
        rows[3]["label"][1]["end"] -= 1  # in bytes, the middle of a character
    data = load("a.jsonl", lines(rows))
    assert tags(data) == {text: ["O", "O", *IOB2] for text in texts}
    note = said(data, "counted in")
    assert note.startswith(f"train: spans are counted in {unit}: in characters ")
    assert note.endswith(f"would miss what they mark, in {unit} 1")
    if told:
        assert said(data, "beside").startswith("train: 1 span with a text beside the numbers that does not stand there")
    rows[5]["label"][0]["end"] = 99
    message = refused("a.jsonl", lines(rows))
    assert " to 99 (PER) is outside the text" in message
    assert "a.jsonl line 6" in message


def test_a_text_beside_its_numbers_that_does_not_stand_there_is_told() -> None:
    rows = [{"text": text, "label": [{"start": a, "end": b, "label": c, "text": text[a:b]} for a, b, c in spans(text)]}
            for text in TEXTS]  # fmt: skip
    rows[3]["label"][0]["text"] = "Somebody"
    data = load("a.jsonl", lines(rows))
    assert tags(data) == dict.fromkeys(TEXTS, IOB2)
    assert said(data, "beside") == (
        "train: 1 span with a text beside the numbers that does not stand there: the numbers are read (the first in"
        " a.jsonl line 4)"
    )


def test_words_of_a_text() -> None:
    def words(text: str) -> list[str]:
        return [text[begin:end] for begin, end in split_words(text)]

    assert words("don't e-mail U.S. €5") == ["don", "'", "t", "e", "-", "mail", "U", ".", "S", ".", "€", "5"]
    assert words("cafe\u0301 हिन्दी 東京タワー") == ["cafe\u0301", "हिन्दी", "東", "京", "タ", "ワ", "ー"]
