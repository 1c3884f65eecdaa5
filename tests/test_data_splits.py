"""Splits: seeded, stratified, whole, and without a text that stands in two of them."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from data_files import refused, rows_csv, write

from hfkit.data.load import load_data, load_test
from hfkit.data.splits import allocate


def test_splits_are_stratified_seeded_and_whole() -> None:
    name = rows_csv(count=400, labels=("a", "b", "b", "b"))
    first, again, other = load_data(name), load_data(name), load_data(name, data_seed=1)
    assert first.summary.splits == again.summary.splits != other.summary.splits
    assert {split: rows["labels"] for split, rows in first.summary.splits.items()} == {
        "train": {"a": 81, "b": 243},
        "validation": {"a": 9, "b": 27},
        "test": {"a": 10, "b": 30},
    }
    ids = [row for split in first.values() for row in split["id"]]
    assert len(ids) == len(set(ids)) == 400


def test_every_class_reaches_the_held_out_splits_when_it_can() -> None:
    name = write(
        "data.csv", "text,label\n" + "".join(f"text {n},{'rare' if n < 4 else 'ab'[n % 2]}\n" for n in range(100))
    )
    counts = [split["labels"]["rare"] for split in load_data(name).summary.splits.values()]
    assert counts == [2, 1, 1]


def test_sizes_and_limits() -> None:
    data = load_data(
        rows_csv(count=200), test_size=0.25, validation_size=0.2, max_train_samples=50, max_eval_samples=10
    )
    assert data.num_rows == {"train": 50, "validation": 10, "test": 50}
    assert data.summary.splits["train"]["labels"] == {"neg": 25, "pos": 25}
    assert "train: 50 of 120 rows drawn, seed 0" in data.summary.notes
    one = load_data("data.csv", max_train_samples=1)  # one row of each label at least, and the note says so
    assert one.num_rows["train"] == 2 and "train: 2 of 162 rows drawn, seed 0" in one.summary.notes
    assert "--test_size is 1.5" in refused("data.csv", test_size=1.5)
    assert "--max_train_samples is 0" in refused("data.csv", max_train_samples=0)


def test_a_folder_of_splits_and_shards() -> None:
    rows_csv("set/train.csv", 40)
    rows_csv("set/dev.csv", 10, start=100)
    rows_csv("set/test.csv", 12, start=200)
    write("set/sample_submission.csv", "id,label\n1,neg\n")
    data = load_data("set")
    assert data.num_rows == {"train": 40, "validation": 10, "test": 12}
    assert "files not read: sample_submission.csv" in data.summary.notes
    assert "validation is the source's dev split" in data.summary.notes
    for shard in range(2):
        table = pyarrow.table({"text": [f"shard {shard} row {n}" for n in range(20)], "label": ["a", "b"] * 10})
        Path("hub/data").mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(table, f"hub/data/train-0000{shard}-of-00002.parquet")
    assert sum(load_data("hub").num_rows.values()) == 40


def test_split_flags_choose_and_refuse() -> None:
    rows_csv("set/train.csv", 40)
    rows_csv("set/validation_matched.csv", 10, start=100)
    rows_csv("set/test.csv", 12, start=200)
    data = load_data("set", test_split="validation_matched")
    assert data.num_rows == {"train": 36, "validation": 4, "test": 10}
    assert "splits not used: test (12 rows)" in data.summary.notes
    assert "did you mean test" in refused("set", test_split="tests")
    assert "cannot play two roles" in refused("set", validation_split="test", test_split="test")


def test_repeats_and_leaks_leave_training_and_are_counted() -> None:
    write(
        "set/train.csv",
        "text,label\n" + "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(40)) + "TEXT 3 ,b\ntext 5,a\n",
    )
    write("set/test.csv", "text,label\n Text 0,a\ntext 1,b\ntext 1,b\nnew,a\n")
    data = load_data("set")
    assert "2 texts of train that also stand in test: removed in train" in data.summary.notes
    assert "2 repeated texts in train (1 with another label than the first): removed" in data.summary.notes
    assert "1 repeated text in test: kept" in data.summary.notes
    assert data.num_rows == {"train": 34, "validation": 4, "test": 4}
    kept = load_data("set", keep_duplicates=True)
    assert sum(kept.num_rows.values()) == 46
    assert "2 texts of train that also stand in test: kept in train" in kept.summary.notes


def test_allocation_is_exact() -> None:
    assert allocate([50, 30, 20], 10, [0, 0, 0]) == [5, 3, 2]
    assert allocate([98, 1, 1], 4, [1, 1, 1]) == [2, 1, 1]
    assert allocate([1, 1, 1], 2, [1, 1, 1]) == [1, 1, 1]
    assert allocate([2, 10], 6, [0, 1], [1, 9]) == [1, 5]
    assert sum(allocate([7, 11, 13, 17], 23, [1, 1, 1, 1])) == 23


def split_csv(*splits: str) -> str:
    """120 rows, whose column `part` names a split each, in turn."""
    rows = [f"text number {n},{'ab'[n // 7 % 2]},{splits[n % len(splits)]}" for n in range(120)]
    return write("parts.csv", "\n".join(["text,label,part", *rows]) + "\n")


@pytest.mark.parametrize("splits", [("train", "dev", "test"), ("TRAIN", "Valid", "testing")])
def test_a_column_that_names_splits_is_used_and_said(splits: tuple[str, str, str]) -> None:
    data = load_data(split_csv(*splits))
    for place, rows in enumerate(data.values()):
        assert {int(text.split()[-1]) % 3 for text in rows["text"]} == {place}
        assert len(rows) == 40
    assert f"splits by 'part': {splits[0]} 40, {splits[1]} 40, {splits[2]} 40 rows" in data.summary.notes
    assert not any("columns not used" in note for note in data.summary.notes)


def test_a_split_column_can_be_named_or_turned_off() -> None:
    name = split_csv("0", "1", "2")
    data = load_data(name, split_column="part", train_split="0", validation_split="1", test_split="2")
    assert [len(rows) for rows in data.values()] == [40, 40, 40]
    whole = load_data(split_csv("train", "dev", "test"), split_column=None)
    assert sum(map(len, whole.values())) == 120
    assert "columns not used: part" in whole.summary.notes
    assert "no column 'prat'" in refused(name, split_column="prat")
    assert "names no split" in refused(split_csv("train", ""), split_column="part")


def test_the_official_test_rows_are_what_a_model_is_evaluated_on() -> None:
    test = load_test(split_csv("train", "dev", "test"))
    assert {int(text.split()[-1]) % 3 for text in test["test"]["text"]} == {2}


def test_a_column_of_other_values_is_no_split_column() -> None:
    assert "columns not used: part" in load_data(split_csv("train", "other")).summary.notes
    assert "columns not used: part" in load_data(split_csv("train")).summary.notes


@pytest.mark.parametrize("form", ["alone", "metadata", "data", "columns", "numbers", "index"])
def test_splits_inside_a_json_file_are_splits(form: str) -> None:
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(60)]
    splits: dict[str, Any] = {"train": rows[:40], "dev": rows[40:50], "test": rows[50:]}
    columns = {key: {name: [row[name] for row in part] for name in rows[0]} for key, part in splits.items()}
    content = {
        "alone": splits,
        "metadata": {"version": "1.0", **splits, "labels": ["a", "b"]},
        "data": {"version": "1.0", "data": splits},
        "columns": columns,
        "numbers": {
            key: {name: dict(enumerate(column)) for name, column in part.items()} for key, part in columns.items()
        },
        "index": {key: dict(enumerate(part)) for key, part in splits.items()},
    }[form]
    data = load_data(write("in.json", json.dumps(content)))
    assert [len(part) for part in data.values()] == [40, 10, 10]
    said = {
        "metadata": "rows read under 'train', 'dev', 'test'; not read: version, labels",
        "data": "rows read under 'data'; not read: version",
    }
    assert [note for note in data.summary.notes if "not read" in note] == ([said[form]] if form in said else [])


def test_rows_of_a_group_stay_together_and_are_drawn_together(tmp_path: Path) -> None:
    lines = [f"text {row},{('neg', 'pos')[row // 3 % 2]},d{row // 3}" for row in range(120)]
    data = load_data(write("data.csv", "text,label,patient\n" + "\n".join(lines) + "\n"), group_column="patient")
    groups = [set(split["group"][:]) for split in data.values()]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert "by groups of equal patient" in " ".join(data.summary.notes)
    assert "patient" not in " ".join(note for note in data.summary.notes if "not used" in note)
    assert "There is no column 'pateint'" in refused("data.csv", group_column="pateint")
    write("holes.csv", "text,label,patient\n" + "\n".join([*lines, "more,neg,"]) + "\n")
    assert "1 row of 121 without 'patient'" in refused("holes.csv", group_column="patient")


def test_texts_that_are_judged_elsewhere_are_not_learnt() -> None:
    name = rows_csv(count=400, labels=("a", "b", "b", "b"))  # without labels they are split in another way
    judged, read = load_data(name, task="text-classification"), load_data(name, task="fill-mask")
    held = {text.casefold() for split in ("validation", "test") for text in judged[split]["text"]}
    shared = [text for text in read["train"]["text"] if text.casefold() in held]
    assert shared, "else the test shows nothing"
    apart = read.apart_from(judged)
    assert [text for text in read["train"]["text"] if text not in shared] == apart["train"]["text"][:]
    assert apart["test"]["text"][:] == read["test"]["text"][:]
    assert apart.summary.notes[-1] == f"{len(shared)} of 324 texts of train are judged elsewhere: removed"
    assert apart.summary.splits["train"]["rows"] == 324 - len(shared) != read.summary.splits["train"]["rows"] - 1
