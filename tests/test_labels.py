"""Labels: a name is its text, the kind of a column is decided by all rows, looks equal is equal, nan is a word."""

import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from data_files import refused, rows_csv, write
from image_files import disc

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments, TrainConfig
from hfkit.config.rules import check
from hfkit.data.cards.draft import draft_card
from hfkit.data.labels.names import canonical
from hfkit.data.labels.values import pointed
from hfkit.data.load import load_data, load_test

SINGLE, MULTI = "single_label_classification", "multi_label_classification"


def column(values: list[Any], name: str = "data.jsonl", count: int = 60) -> str:
    """A file whose label column repeats these values; in CSV a list is its JSON."""
    cells = [values[row % len(values)] for row in range(count)]
    texts = [f"text number {row} of {name}" for row in range(count)]
    if name.endswith(".parquet"):
        Path(name).parent.mkdir(exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table({"text": texts, "label": cells}), name)
        return name
    if name.endswith(".jsonl"):
        rows = zip(texts, cells, strict=True)
        return write(name, "".join(json.dumps({"text": text, "label": cell}) + "\n" for text, cell in rows))
    written = [cell if isinstance(cell, str) else json.dumps(cell) for cell in cells]
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in written]
    return write(name, "text,label\n" + "".join(f"{text},{cell}\n" for text, cell in zip(texts, quoted, strict=True)))


@pytest.mark.pain("labels-through-floats")
@pytest.mark.parametrize(
    "names",
    [
        ["3.1", "3.10", "3.11"],
        ["1.5", "1.50", "2.00"],
        ["3E0", "2E1", "1E2"],
        ["-1", "+1", "1"],
        ["0.5", "1_0", "٣"],
        ["12345678901234567890", "12345678901234567891"],
        ["9007199254740993.0", "9007199254740992.0", "a"],
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_class_name_is_its_text(names: list[str], form: str) -> None:
    data = load_data(column(names, f"data.{form}"), problem_type=SINGLE)
    assert set(data.summary.label_names) == set(names)
    row = data["train"][0]
    assert data.summary.label_names[row["label"]] == names[int(row["id"].split("-")[1]) % len(names)]


def test_whole_numbers_in_any_notation_are_classes_and_keep_it() -> None:
    assert load_data(column(["1E2", "2E1", "3E0"], "data.csv")).summary.label_names == ["3E0", "2E1", "1E2"]
    assert load_data(column(["1", "+1"], "data.csv")).summary.label_names == ["+1", "1"]


@pytest.mark.parametrize("codes", [("1.0", "2.0"), ("1.10", "1.20")])
def test_a_split_of_numbers_is_read_as_the_other_splits_are(codes: tuple[str, str]) -> None:
    rows_csv("set/train.csv", labels=(*codes, "unsure"))
    rows_csv("set/test.csv", 20, labels=codes, start=100)
    assert load_data("set").summary.label_names == [*codes, "unsure"]
    whole = load_test("set/test.csv", label_names=[*codes, "unsure"], problem_type=SINGLE)
    assert whole["test"]["label"][:2] == [0, 1], "a file alone has the model's names too"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_1_0_and_1_are_one_class_where_all_labels_are_whole_and_it_is_said(form: str) -> None:
    typed = (lambda values: values) if form == "parquet" else (lambda values: list(map(str, values)))
    column(typed([1.0, 2.0]), f"set/train.{form}")
    column(typed([1, 2]), f"set/test.{form}", 20)
    summary = load_data("set").summary
    assert summary.label_names == ["1", "2"]
    assert "60 labels read as whole numbers: 1.0 as 1" in summary.notes


def test_a_regression_of_few_values_says_how_to_read_classes() -> None:
    summary = load_data(column(["3.1", "3.10", "3.11"], "data.csv")).summary
    assert summary.problem_type == "regression"
    assert any(note.startswith("3 different numbers") and SINGLE in note for note in summary.notes)


@pytest.mark.parametrize("name", ["data.jsonl", "data.csv", "data.parquet"])
@pytest.mark.parametrize("values", [[[1, 0], [0, 1]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
def test_one_hot_lists_are_single_labels(values: list[Any], name: str) -> None:
    data = load_data(column(values, name))
    assert data.summary.problem_type == SINGLE
    assert data.summary.label_names == [str(place) for place in range(len(values))]
    row = data["train"][0]
    assert values[int(row["id"].split("-")[1]) % len(values)][row["label"]] == 1
    assert any("one 1 in every row" in note and MULTI in note for note in data.summary.notes)
    assert load_data(name, problem_type=MULTI).summary.problem_type == MULTI
    assert load_test(name, problem_type=SINGLE, label_names=data.summary.label_names).num_rows == {"test": 60}


def test_any_number_of_ones_is_multi_label_and_places_nobody_has_count() -> None:
    data = load_data(column([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]))
    assert (data.summary.problem_type, data.summary.label_names) == (MULTI, ["0", "1", "2", "3"])
    assert "classes without a training example: 2, 3" in data.summary.notes
    assert {len(label) for label in data["train"]["label"][:]} == {0, 1, 2}
    message = refused(column([[1, 1, 0], [0, 1, 0]]), problem_type=SINGLE)
    assert "needs one label; [1, 1, 0] has 2 (30 of 60 rows)" in message and "line 1, 3" in message


def test_class_numbers_in_lists_are_not_taken_for_one_hot() -> None:
    assert load_data(column([[0], [1], [0, 1], [1, 0], []])).summary.problem_type == MULTI
    assert load_data(column([[0, 2], [1, 2], [0, 1]])).summary.label_names == ["0", "1", "2"]


def test_a_card_names_the_places_of_one_hot_lists() -> None:
    head = "license: mit\nlanguage: en\ntask_categories: [text-classification]\nsize_categories: n<1K\n"
    write("data_cards/hot.md", f"---\n{head}hfkit:\n  source: ./hot.jsonl\n  labels: ['1', '0']\n---\nHot.\n")
    column([[1, 0], [0, 1]], "data_cards/hot.jsonl")
    data = load_data("hot")
    assert data.summary.label_names == ["1", "0"]
    row = data["train"][0]
    assert row["label"] == int(row["id"].split("-")[1]) % 2


@pytest.mark.parametrize("name", ["data.jsonl", "data.csv"])
def test_one_bad_cell_in_a_column_of_lists_is_told_by_its_row(name: str) -> None:
    message = refused(column([*[["a"], ["b"], ["a", "b"]] * 9, "a"], name, 28))
    assert "needs a list of labels; 'a' is not (1 of 28 rows)" in message
    assert f"line {28 + name.endswith('csv')}" in message
    assert "Each row needs a 0 or 1 for each of 3 classes; [1, 0] has not" in refused(
        column([*[[1, 0, 0], [0, 1, 1]] * 9, [1, 0]], count=19)
    )


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["['sad']", "['happy', \"it's\"]", "[]"], ["happy", "it's", "sad"]),
        (["['sad']", "['happy' 'proud']", "['a b'\n 'c']"], ["a b", "c", "happy", "proud", "sad"]),
        (["[np.str_('sad')]", "[np.str_('a'), np.str_('b')]"], ["a", "b", "sad"]),
        (["[1 0 1]", "[0 1 0]"], ["0", "1", "2"]),
        (["[1. 0. 1.]", "[0. 1. 0.]"], ["0", "1", "2"]),
        (["[ 3 12]", "[7]"], ["3", "7", "12"]),
        (["[True, False]", "[True, True]"], ["0", "1"]),
        (["('sad',)", "('happy', 'proud')", "()"], ["happy", "proud", "sad"]),
        (["{'sad'}", "{'happy', \"it's\"}", "set()"], ["happy", "it's", "sad"]),
    ],
)
def test_lists_as_pandas_and_numpy_write_them(cells: list[str], names: list[str]) -> None:
    summary = load_data(column(cells, "data.csv")).summary
    assert (summary.problem_type, summary.label_names) == (MULTI, names)


@pytest.mark.parametrize(
    "cell", ["[happy, proud]", "[__import__('os').getcwd()]", "['a', 'b'", "[0.2, 0.8]", "['a']*9]", "['\\ud83d']"]
)
def test_what_only_looks_like_a_list_is_refused_or_a_name(cell: str) -> None:
    name = column([cell, "['a']"], "data.csv")
    if cell.endswith("]"):
        assert "data.csv line 2" in refused(name)
    assert cell in load_data(name, problem_type=SINGLE).summary.label_names


@pytest.mark.parametrize(
    "cells", [["(1)", "(2)"], ["{'a'}", "b"], ["('a')", "('b')"], ["()", ":)"], ["(0, 1)", "(1, 2)"]]
)
def test_round_brackets_around_other_than_a_list_of_names_are_a_name(cells: list[str]) -> None:
    summary = load_data(column(cells, "data.csv")).summary
    assert (summary.problem_type, set(summary.label_names)) == (SINGLE, set(cells))


def test_columns_of_0_and_1_are_a_label_each() -> None:
    cells = [("0", "1", "1"), ("1", "0", "0"), ("0", "0", "0"), ("1", "1.0", "")]
    rows = "".join(f"comment {n},{','.join(cells[n % (4 if n > 30 else 3)])}\n" for n in range(60))
    name = write("data.csv", "comment_text,2,1,0\n" + rows)
    assert "--label_columns 2 1 0" in refused(name)
    assert "8 of 60 labels in '2, 1, 0' are missing" in refused(name, label_columns=["2", "1", "0"])
    data = load_data(name, label_columns=["2", "1", "0"], drop_bad_rows=True)
    assert (data.summary.problem_type, data.summary.label_names) == (MULTI, ["2", "1", "0"])
    row = data["train"][0]
    assert [place for place, cell in enumerate(cells[int(row["id"].split("-")[1]) % 3]) if cell == "1"] == row["label"]
    write("odd.csv", "comment_text,toxic,insult\n" + "".join(f"t {n},{n % 2},{-(n % 3 > 1)}\n" for n in range(9)))
    message = refused("odd.csv", label_columns=["toxic", "insult"])
    assert (
        "3 values of the label column 'insult' are no 0 or 1: the first is '-1'" in message and "line 4, 7" in message
    )


def test_columns_with_one_1_in_every_row_are_single_labels() -> None:
    write("data.csv", "text,cat,dog\n" + "".join(f"t {n},{n % 2},{1 - n % 2}\n" for n in range(40)))
    summary = load_data("data.csv", label_columns=["dog", "cat"]).summary
    assert (summary.problem_type, summary.label_names) == (SINGLE, ["dog", "cat"])
    assert "label = dog, cat: 2 classes dog, cat" in summary.reading
    trained = {"label_columns": ["dog", "cat"], "label_separator": None}
    names = ["cat", "dog"]
    assert load_test("data.csv", label_names=names, trained=trained)["test"]["label"][:2] == [1, 0]


def test_a_separator_makes_several_labels_of_a_cell() -> None:
    name = column(["sad", "happy|proud", "proud", " sad | proud", ""], "data.csv")
    with pytest.raises(HfkitError, match="missing"):
        load_data(name)
    note = "2 of 4 classes hold '|', as 'happy|proud'"
    assert any(note in found for found in load_data(name, drop_bad_rows=True).summary.notes)
    summary = load_data(name, label_separator="|").summary
    assert (summary.problem_type, summary.label_names) == (MULTI, ["happy", "proud", "sad"])
    assert "12 rows of train with an empty label: no label" in summary.notes
    assert not any("separator" in note for note in load_data(column(["Bonn, DE", "Rome, IT"])).summary.notes)


def test_tables_of_pictures_read_labels_the_same_way() -> None:
    rows = []
    for number in range(24):
        disc("red", number).save(f"p{number}.png")
        rows.append(f"p{number}.png,{'ab'[number % 2]}|c,{number % 2},1\n")
    write("list.csv", "file,finding,a,b\n" + "".join(rows))
    options = {"task": "image-classification"}
    assert "--label_columns a b" in refused("./list.csv", **options)
    data = load_data("list.csv", label_column="finding", label_separator="|", **options)
    assert (data.summary.problem_type, data.summary.label_names) == (MULTI, ["a", "b", "c"])
    data = load_data("list.csv", label_columns=["a", "b"], **options)
    assert data["train"].features["label"].feature.names == ["a", "b"]


LOOKALIKES = [
    ("café", "cafe\u0301"),
    ("pos", "pos\u200b"),
    ("pos", "\ufeffpos"),
    ("A类", "Ａ类"),
    ("two words", "Two\u00a0 words"),
    ("soft", "so\u00adft"),
    ("heart ❤", "heart ❤\ufe0f"),
]


@pytest.mark.pain("lookalike-labels")
@pytest.mark.parametrize(("name", "other"), LOOKALIKES, ids=lambda name: ascii(name))
def test_labels_that_look_equal_are_refused_and_can_be_merged(name: str, other: str) -> None:
    file = column([name, other, "bar"], "data.csv")
    message = refused(file)
    assert "differ only in case, spacing or in what cannot be seen" in message and "--merge_labels" in message
    shown = message.splitlines()[0].split(": ")[1]
    assert len(set(shown.replace(" (20)", "").split(", "))) == 2, "the message shows in what they differ"
    data = load_data(file, merge_labels=True)
    assert set(data.summary.label_names) == {"bar", name}
    assert any(note.startswith("labels merged") and "(20)" in note for note in data.summary.notes)
    assert load_test(column([other, "bar"], "new.csv"), label_names=["bar", name])["test"]["label"][:2] == [1, 0]


def test_what_differs_to_the_eye_stays_apart() -> None:
    flags = ["🏴" + "".join(chr(0xE0000 + ord(sign)) for sign in land) + "\U000e007f" for land in ("gbeng", "gbsct")]
    for names in (flags, ("naïve", "naive"), ("が", "か"), ("+1", "1"), ("é", "e")):
        assert canonical(names[0]) != canonical(names[1])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_nan_null_and_na_are_words_unless_they_are_named(form: str) -> None:
    name = column(["eng", "nan", "NA", "null"], f"data.{form}")
    assert load_data(name).summary.label_names == ["NA", "eng", "nan", "null"]
    options = {"missing_values": ["NA", "null"]}
    assert "30 of 60 labels in 'label' are missing" in refused(name, **options)
    data = load_data(name, drop_bad_rows=True, **options)
    assert data.summary.label_names == ["eng", "nan"]
    assert "30 rows of train without label: dropped" in data.summary.notes


def test_texts_that_are_such_words_are_texts() -> None:
    write("data.csv", "text,label\n" + "".join(f"{word},{'ab'[n % 2]}\n" for n, word in enumerate(["nan", "NA"] * 9)))
    assert sum(load_data("data.csv", keep_duplicates=True).num_rows.values()) == 18
    assert "9 of 18 texts in 'text' are missing" in refused("data.csv", missing_values=["nan"])
    with pytest.raises(HfkitError, match="9 of 18 'text' are missing"):
        load_data("data.csv", task="text-generation", missing_values=["NA"])


def test_one_text_of_a_pair_may_be_empty() -> None:
    lines = [f"body {n},{'' if n % 4 == 0 else f'title {n}'},{'ab'[n % 2]}\n" for n in range(40)]
    data = load_data(write("data.csv", "text,text_pair,label\n" + "".join(lines)))
    assert sum(data.num_rows.values()) == 40 and "" in data["train"]["text_pair"][:]
    assert "10 rows of train without text_pair: read as an empty text" in data.summary.notes
    write("data.csv", "text,text_pair,label\n" + "".join(lines) + ",,a\n")
    assert "1 of 41 texts in 'text' are missing" in refused("data.csv")
    assert "All texts in 'text_pair' are missing" in refused(write("x.csv", "text,text_pair,label\na,,b\nb,,c\n"))


def test_a_held_out_share_is_the_one_that_was_taken() -> None:
    notes = load_data(rows_csv(count=80, labels=tuple(f"class {n}" for n in range(20)))).summary.notes
    assert any(
        note.startswith("test held out from train: 20 of 80 rows, 25 %, seed 0 (10 % asked for") for note in notes
    )
    notes = load_data(rows_csv(count=400)).summary.notes
    assert "test held out from train: 40 of 400 rows, 10 %, seed 0" in notes


def test_a_refusal_tells_what_was_counted_before_it() -> None:
    lines = [f"please read message {n},calm\nPLEASE READ MESSAGE {n},shout\n" for n in range(20)]
    message = refused(write("shout.csv", "text,label\n" + "".join(lines) + ",calm\n"), drop_bad_rows=True)
    assert message.startswith("There is one class only: 'calm'")
    assert "before that: 20 repeated texts in train (20 with another label than the first): removed" in message
    assert "before that: 1 row of train without text: dropped" in message


def test_notes_of_an_error_come_through_another_process() -> None:
    with pytest.raises(HfkitError) as told, after(["40 rows removed"]):
        raise HfkitError("One class", fix="add some")
    assert str(pickle.loads(pickle.dumps(told.value))) == str(told.value)
    assert str(told.value).splitlines()[-1] == "  before that: 40 rows removed"


def test_rows_of_a_class_that_training_never_shows_can_be_left_out() -> None:
    rows_csv("set/train.csv", labels=("a", "b"))
    rows_csv("set/test.csv", 20, labels=("a", "b", "c", "b"), start=100)
    assert "--drop_unseen_labels" in refused("set")
    data = load_data("set", drop_unseen_labels=True)
    assert data.num_rows["test"] == 15 and data.summary.label_names == ["a", "b"]
    assert "5 rows of test left out, with labels that training lacks: c" in data.summary.notes
    rows_csv("set/test.csv", 20, labels=("x", "y"), start=100)
    message = refused("set", drop_unseen_labels=True)
    assert "training lacks: x, y" in message and "--drop_unseen" not in message


def test_evaluation_can_leave_out_what_the_model_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    name = rows_csv(count=20, labels=("a", "b", "c", "b"))
    with pytest.raises(HfkitError, match="does not know: c") as told:
        load_test(name, label_names=["b", "a"])
    assert "--drop_unseen_labels" in str(told.value)
    data = load_test(name, label_names=["b", "a"], drop_unseen_labels=True)
    assert data["test"]["label"][:3] == [1, 0, 0] and len(data["test"]) == 15
    note = "5 rows of test left out, with labels that training lacks: c"
    assert note in data.summary.notes and note in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"label_columns": ["a"]}, "--label_column a"),
        ({"label_columns": ["a", "b"], "label_column": "c"}, "--label_column has no meaning beside"),
        ({"label_columns": ["a", "b"], "label_separator": "|"}, "--label_separator has no meaning beside"),
        ({"label_columns": ["a", "b"], "problem_type": "regression"}, "--label_columns has no meaning beside"),
        ({"label_columns": ["a", "text"], "text_column": "text"}, "one column is named for two things"),
        ({"label_separator": ""}, "--label_separator makes several labels"),
        ({"label_separator": "|", "problem_type": SINGLE}, "--label_separator has no meaning beside"),
    ],
)
def test_flags_of_labels_that_contradict(flags: dict[str, Any], told: str) -> None:
    with pytest.raises(HfkitError) as caught:
        check(TrainConfig(**flags))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"label_columns": ["cat", "dog"]}, {"label_column": "tags", "label_separator": "|"}], ids=str
)
def test_a_drafted_card_reads_the_labels_as_the_flags_did(options: dict[str, Any]) -> None:
    lines = [f"t {n},{n % 2},1,{'x|y' if n % 3 else 'y'}\n" for n in range(40)]
    write("data_cards/pets.csv", "text,cat,dog,tags\n" + "".join(lines))
    path = draft_card("pets", DataArguments(dataset="data_cards/pets.csv", **options))
    path.write_text(path.read_text().replace("license: unknown", "license: mit"))
    asked = load_data("data_cards/pets.csv", **options).summary
    by_card = load_data("pets").summary
    assert by_card.problem_type == MULTI
    assert (by_card.label_names, by_card.splits) == (asked.label_names, asked.splits)


# Decimal commas


def table(values: list[str], name: str = "data.csv", extra: str = "") -> str:
    """A file with these labels, separated by semicolons."""
    lines = "".join(f"text {row} of {name};{value}\n" for row, value in enumerate(values))
    return write(name, f"text;score\n{lines}{extra}")


def test_decimal_commas_are_numbers_where_they_are_learnt_as_such_and_said_once() -> None:
    Path("marks").mkdir()
    for split in ("train", "test"):
        table([f"{n % 7},{n % 2 * 5}" for n in range(40)], f"marks/{split}.csv")
    data = load_data("marks", delimiter=";")
    assert (data.summary.problem_type, data.summary.decimal) == ("regression", ",")
    assert max(data["train"]["label"]) <= 6.5
    assert [note for note in data.summary.notes if "comma" in note] == [
        "labels with a decimal comma: 0,0 is 0.0 (--decimal)"
    ]


def test_a_class_that_looks_like_a_number_with_a_comma_keeps_its_name() -> None:
    chapters = table([f"{n % 2 + 3},{n % 4 // 2 + 1}" for n in range(60)])
    data = load_data(chapters, delimiter=";", problem_type=SINGLE)
    assert data.summary.label_names == ["3,1", "3,2", "4,1", "4,2"]
    assert not any("comma" in note for note in data.summary.notes)
    told = load_data(chapters, delimiter=";", problem_type=SINGLE, decimal=",").summary
    assert told.label_names == ["3,1", "3,2", "4,1", "4,2"]
    assert "no label is read with a decimal comma (--decimal)" in told.notes


def test_a_decimal_comma_is_decided_over_all_splits() -> None:
    Path("rooms").mkdir()
    table([f"{n % 2},5" for n in range(40)], "rooms/train.csv")
    table(["0,5", "1,5", "hall"] * 4, "rooms/test.csv")
    assert "labels that training lacks: hall" in refused("rooms", delimiter=";")


def test_a_text_is_not_changed_by_its_commas() -> None:
    write("codes.csv", "text;score\n" + "".join(f"{n},5;{'ab'[n % 2]}\n" for n in range(40)))
    data = load_data("codes.csv", delimiter=";", text_column="text", label_column="score")
    assert all("," in text for part in data.values() for text in part["text"])


@pytest.mark.parametrize(
    ("values", "decimal", "read"),
    [
        (["1,000", "2,500"], "auto", None),
        (["1,000", "2,500"], ",", ["1.000", "2.500"]),
        (["1,5", "2,5"], ".", None),
        (["1", "2", "1,2"], "auto", None),
        (["1,2,3", "2,5"], "auto", None),
        (["1,5", "2"], "auto", ["1.5", "2"]),
        (["1,5", "2.5"], ",", None),
        ([["1,5"], "2,5"], ",", None),
    ],
)
def test_a_comma_that_may_mean_something_else_stays(values: list[Any], decimal: str, read: list[str] | None) -> None:
    assert pointed({"train": values}, decimal) == (
        {"train": read or values},
        "1,5" if read == ["1.5", "2"] else read and "1,000",
    )


def test_what_is_missing_has_no_comma() -> None:
    data = load_data(
        table([f"{n},5" if n % 2 else "n/a" for n in range(60)]),
        delimiter=";",
        missing_values=["n/a"],
        drop_bad_rows=True,
    )
    assert data.summary.problem_type == "regression"


def test_other_rows_are_read_as_the_run_read_its_own() -> None:
    write("new.csv", "text;label;score\n" + "".join(f"text {n};{'ab'[n % 2]};{n},125\n" for n in range(9)))
    trained = {"decimal": ",", "label_column": "score", "text_column": "text", "label_columns": []}
    options = {"delimiter": ";", "problem_type": "regression"}
    found = load_test("new.csv", trained=trained, **options)
    assert found["test"]["label"][1] == pytest.approx(1.125) and found.summary.label_column == "score"
    with pytest.raises(HfkitError, match="--decimal ','"):
        load_test("new.csv", trained=trained | {"decimal": "auto"}, **options)
    asked = load_test("new.csv", trained=trained, delimiter=";", label_column="label", problem_type=SINGLE)
    assert asked.summary.label_names == ["a", "b"]


# What is missing


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "separator"])
def test_a_missing_value_in_a_list_is_left_out_and_counted(form: str) -> None:
    lists = [["a", "NA"], ["b"], ["a", "b"]]
    separator = "|" if form == "separator" else None
    cells = ["|".join(one) for one in lists] if separator else lists
    name = column(cells, f"data.{'csv' if separator else form}")
    data = load_data(name, missing_values=["NA"], label_separator=separator)
    assert data.summary.label_names == ["a", "b"]
    assert "missing values left out of 20 lists of labels in train" in data.summary.notes


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_list_of_missing_values_is_refused_or_named(form: str) -> None:
    name = column([["NA"], ["b"], ["a", "b"]], f"data.{form}")
    message = refused(name, missing_values=["NA"])
    assert "holds missing values alone (20 of 60 rows)" in message
    cell = "['NA']" if form == "jsonl" else '["NA"]'
    assert repr(cell) in message
    data = load_data(name, missing_values=["NA", cell], drop_bad_rows=True)
    assert "20 rows of train without label: dropped" in data.summary.notes


@pytest.mark.parametrize("values", [[1.5, -999, 2.5], [Decimal("1.50"), Decimal("-999.00"), Decimal("2.50")]])
def test_a_number_that_stands_for_a_missing_value_does_so_in_a_column_of_numbers(values: list[Any]) -> None:
    data = load_data(column(values, "data.parquet"), missing_values=["-999"], drop_bad_rows=True)
    assert "20 rows of train without label: dropped" in data.summary.notes
    assert "a number from 1.5 to 2.5" in data.summary.reading


def test_a_word_among_numbers_can_be_named_as_missing() -> None:
    name = column(["1.5", "2.5", "N/A"], "data.csv")
    assert "--missing_values 'N/A' with --drop_bad_rows" in refused(name, problem_type="regression")
    data = load_data(name, missing_values=["N/A"], drop_bad_rows=True)
    assert data.summary.problem_type == "regression"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_label_that_cannot_be_seen_is_missing(form: str) -> None:
    name = column(["a", "b", "\u200b", " \ufeff\u3164"], f"data.{form}")
    assert "30 of 60 labels in 'label' are missing (empty, null or nothing that can be seen)" in refused(name)
    data = load_data(name, drop_bad_rows=True)
    assert data.summary.label_names == ["a", "b"]
    assert "30 rows of train without label: dropped" in data.summary.notes
    assert "A label is text" in refused(column([["a"], ["b", "\u200b"]], "lists.jsonl"))
