"""Bad input: one clear message for each, with the place and what to do."""

from collections import Counter
from pathlib import Path

import pytest
from data_files import refused, rows_csv, write

from hfkit.data.load import load_data

GOOD = "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(20))


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        (b"", {}, ["empty"]),
        (b"\n\n", {}, ["blank lines only"]),
        (b"text,label\n", {}, ["header and no rows"]),
        ("text,label\n" + GOOD + "caf\xe9,a\n", {}, ["not utf-8", "line 22", "--encoding"]),
        ("text,label\n" + GOOD, {"encoding": "utf-9"}, ["no encoding 'utf-9'"]),
        ("text,label\na,b\nx,y,z\n", {}, ["3 fields and the header 2", "line 3"]),
        ('text,label\n"two\nlines",a\n\n"never ends,b\n' + GOOD, {}, ["broken", "line 5"]),
        ("text;label\n" + GOOD.replace(",", ";"), {}, ["--delimiter ';'"]),
        ("text,text\na,b\n", {}, ["twice"]),
        ("text,label\n" + GOOD, {"delimiter": "||"}, ["not one character"]),
        ("text,label\n" + GOOD, {"text_column": "txt"}, ["no column 'txt'", "did you mean text", "label"]),
        ("text,label\n" + GOOD, {"text_column": "label", "label_column": "label"}, ["asked for twice"]),
        ("text,other\n" + "".join(f"t {n},u{n}\n" for n in range(30)), {}, ["which column is the label"]),
        ("text,rating,sentiment\n" + "t,1,a\n", {}, ["'sentiment' and 'rating'", "--label_column"]),
        ("a,label\n" + "".join(f"{n},{n % 2}\n" for n in range(9)), {}, ["No column holds texts"]),
        ("text,label\n" + GOOD.replace(",b", ",a"), {}, ["one class only: 'a'"]),
        ("text,label\n" + GOOD + "once,c\n", {}, ["1 of 3 classes have one example only: c", "line 22"]),
        ("text,label\n" + GOOD + "x,\ny, \n", {}, ["2 of 22 labels in 'label' are missing", "line 22, 23"]),
        ("text,label\n" + GOOD + ",a\n ,b\n", {}, ["2 of 22 texts in 'text' are missing", "--drop_bad_rows"]),
        ("text,label\n" + " ,a\n" * 9, {}, ["All texts in 'text' are missing"]),
        ("text,label\n" + "t,\n" * 9, {}, ["All labels in 'label' are missing"]),
        ("what a great film,1\n" + GOOD.replace("a\n", "0\n").replace("b\n", "1\n"), {}, ["first line looks like"]),
        ("text,label\none,0.5\ntwo,1.5\n", {}, ["1 row cannot give up a validation split"]),
    ],
)  # fmt: skip
def test_a_bad_csv_is_one_clear_message(content: str | bytes, options: dict[str, str], expected: list[str]) -> None:
    data = content if isinstance(content, bytes) else content.encode("latin-1")
    message = refused(write("bad.csv", data), **options)
    for part in expected:
        assert part in message


def test_many_bad_rows_are_counted_and_only_the_first_are_named() -> None:
    message = refused(write("bad.csv", "text,label\n" + GOOD + "x,\n" * 400))
    assert "400 of 420 labels" in message and "(400 rows)" in message and len(message) < 400


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "a"\n', ["not JSON", "line 2"]),
        ("a.jsonl", '{"text": "a", "label": 1}\n["a", 1]\n', ["holds list, not an object", "line 2"]),
        ("a.json", '[{"text": "a"},\n {"text": }]', ["not JSON", "line 2"]),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "a \\ud83d", "label": 0}\n', ["\\ud83d", "half", "line 2"]),
        ("a.json", '[{"text": "a", "label": "\\uD83D"}]', ["\\ud83d", "half a character"]),
        (
            "a.jsonl",
            '{"text": 3, "label": 1}\n{"text": "a", "label": 1}\n',
            ["cannot be read as text", "int", "line 1"],
        ),
        ("a.parquet", "no parquet at all", ["not Parquet", "a.parquet"]),
        ("a.xlsx", "x", ["Files ending in .xlsx", ".csv"]),
    ],
)
def test_a_bad_file_of_another_form(name: str, content: str, expected: list[str]) -> None:
    message = refused("./" + write(name, content))
    for part in expected:
        assert part in message


def test_dropping_bad_rows_is_counted() -> None:
    write("bad.csv", "text,label\n" + GOOD + "x,\n,a\n ,b\n")
    data = load_data("bad.csv", drop_bad_rows=True)
    assert sum(data.num_rows.values()) == 20
    assert {"2 rows of train without text: dropped", "1 row of train without label: dropped"} <= set(data.summary.notes)


def test_labels_unlike_between_splits() -> None:
    rows_csv("set/train.csv", 40)
    rows_csv("set/test.csv", 10, labels=("0", "1"), start=90)
    message = refused("set")
    assert "The split test has labels that training lacks: 0, 1; training has neg, pos" in message
    rows_csv("set/test.csv", 10, labels=("neg", "Pos"), start=90)
    assert "differ only in case" in refused("set")


def test_missing_sources() -> None:
    rows_csv("reviews.csv")
    assert "did you mean reviews.csv" in refused("review.csv")
    assert "did you mean imdb" in refused("imbd")
    assert "did you mean imdb" in refused("demo:imbd")
    Path("empty").mkdir()
    assert "holds no file ending in" in refused("./empty")
    rows_csv("two/a.csv")
    rows_csv("two/b.csv")
    assert "named after a split: a.csv, b.csv" in refused("two")


def test_a_bad_load_leaves_nothing_behind() -> None:
    write("bad.csv", "text,label\na,b,c\n")
    refused("bad.csv")
    assert [path.name for path in Path().iterdir()] == ["bad.csv"]


def test_a_folder_never_stands_in_for_a_card() -> None:
    rows_csv("imdb/train.csv", 40)
    assert "cannot be reached" in refused("imdb")
    assert Counter(load_data("./imdb").num_rows)["train"] == 32
