"""Loading: what the columns and labels are read as, how splits are made, and one clear message for each bad file."""

import json
from collections import Counter
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from hfkit.config import DataArguments, TrainConfig
from hfkit.data import load_data, load_test
from hfkit.data.sources import _hub
from hfkit.data.splits import allocate
from hfkit.data.summary import DataSummary, summary_of
from hfkit.errors import HfkitError


def write(name: str, text: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def rows_csv(name: str = "data.csv", count: int = 60, labels: tuple[str, ...] = ("neg", "pos"), start: int = 0) -> str:
    lines = [f"text number {start + row},{labels[row % len(labels)]}" for row in range(count)]
    return write(name, "text,label\n" + "\n".join(lines) + "\n")


def refused(dataset: str, **options: object) -> str:
    with pytest.raises(HfkitError) as caught:
        load_data(dataset, **options)
    return str(caught.value)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_the_reading_says_columns_classes_and_sizes(reviews_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_data(str(reviews_csv))
    assert data.summary.reading == "text = review, label = sentiment: 2 classes neg, pos; 194 / 22 / 24 rows"
    assert data.summary.reading in capsys.readouterr().out
    text, label = datasets.Value("string"), datasets.ClassLabel(names=["neg", "pos"])
    assert data["train"].features == datasets.Features({"id": text, "text": text, "label": label})


def test_only_rank_0_prints(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RANK", "1")
    load_data(rows_csv())
    assert capsys.readouterr().out == ""


def test_a_configuration_is_a_source_and_options_replace_its_fields() -> None:
    write("data.csv", "a,b,kind\n" + "".join(f"one {n},other {n},{'xy'[n % 2]}\n" for n in range(30)))
    config = TrainConfig(dataset="data.csv", text_column="a", label_column="kind")
    assert load_data(config)["train"][0]["text"].startswith("one")
    assert load_data(config, text_column="b")["train"][0]["text"].startswith("other")
    with pytest.raises(HfkitError, match="did you mean text_column"):
        load_data(config, text_colum="b")


def test_columns_are_found_by_content_and_the_others_are_named() -> None:
    lines = [f"{n},{n * 3},this is what person {n} had to say of it,{('ja', 'nein')[n % 2]}" for n in range(40)]
    data = load_data(write("data.csv", "nr,price,aussage,urteil\n" + "\n".join(lines)))
    assert (data.summary.text_column, data.summary.label_column) == ("aussage", "urteil")
    assert "columns not used: nr, price" in data.summary.notes


def test_a_pair_is_read_where_both_names_are_known() -> None:
    lines = [{"premise": f"it rains {n}", "hypothesis": f"it is wet {n}", "label": n % 3} for n in range(60)]
    data = load_data(write("data.jsonl", "\n".join(map(json.dumps, lines))))
    assert (
        data["train"].column_names == ["id", "text", "label", "text_pair"] or "text_pair" in data["train"].column_names
    )
    assert data.summary.reading.startswith("text = premise, text_pair = hypothesis, label = label: 3 classes 0, 1, 2")
    assert data["test"][0]["text_pair"].startswith("it is wet")


def test_ids_are_the_source_s_own_or_split_and_row() -> None:
    write("data.csv", "id,text,label\n" + "".join(f"r{n},text {n},{'ab'[n % 2]}\n" for n in range(30)))
    assert set(load_data("data.csv")["train"]["id"]) <= {f"r{n}" for n in range(30)}
    assert set(load_data(rows_csv())["test"]["id"]) <= {f"train-{n}" for n in range(60)}


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet", "tsv", "semicolon"])
def test_the_same_rows_in_any_form_are_the_same_examples(form: str) -> None:
    records = [{"text": f'he said "no; never", {n}\nand left\u2028', "label": "ab"[n % 2]} for n in range(40)]
    expected = load_data(write("ref.jsonl", "\n".join(map(json.dumps, records)))).summary.splits
    options = {}
    if form == "jsonl":
        name = write("x.jsonl", "\n".join(json.dumps(record, ensure_ascii=False) for record in records))
    elif form == "json":
        name = write("x.json", json.dumps(records, indent=1))
    elif form == "parquet":
        name = "x.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), name)
    else:
        separator = "\t" if form == "tsv" else ";"
        quoted = ['"' + record["text"].replace('"', '""') + f'"{separator}{record["label"]}' for record in records]
        name = write("x.tsv" if form == "tsv" else "x.csv", "\n".join([f"text{separator}label", *quoted]))
        options = {} if form == "tsv" else {"delimiter": ";"}
    assert load_data(name, **options).summary.splits == expected


def test_a_byte_order_mark_and_other_encodings() -> None:
    text = "text,label\n" + "".join(f"好电影 {n},{'好坏'[n % 2]}\n" for n in range(30))
    for encoding, option in (("utf-8-sig", "utf-8"), ("gb18030", "gb18030"), ("utf-16", "utf-16")):
        data = load_data(write("data.csv", text.encode(encoding)), encoding=option)
        assert data.summary.label_names == ["坏", "好"]


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["1", "0"], ["0", "1"]),
        (["1.0", "0.0"], ["0", "1"]),
        (["10", "9", "-1"], ["-1", "9", "10"]),
        (["True", "False"], ["False", "True"]),
        ([" spam", "ham "], ["ham", "spam"]),
        (["NA", "null"], ["NA", "null"]),
    ],
)
def test_classes_of_any_kind(values: list[str], names: list[str]) -> None:
    data = load_data(rows_csv(labels=tuple(values)))
    assert data.summary.label_names == names
    row = data["train"][0]
    original = values[int(row["id"].split("-")[1]) % len(values)].strip().removesuffix(".0")
    assert names[row["label"]] == original


def test_booleans_and_mixed_types_in_json() -> None:
    records = [{"text": f"t {n}", "label": n % 2 == 0} for n in range(20)]
    assert load_data(write("a.jsonl", "\n".join(map(json.dumps, records)))).summary.label_names == ["False", "True"]
    records = [{"text": f"t {n}", "label": n % 2 if n < 10 else str(n % 2)} for n in range(20)]
    assert load_data(write("b.jsonl", "\n".join(map(json.dumps, records)))).summary.label_names == ["0", "1"]


def test_numbers_with_a_fraction_are_regression() -> None:
    data = load_data(write("data.csv", "text,score\n" + "".join(f"text {n},{n / 4}\n" for n in range(40))))
    assert data.summary.problem_type == "regression"
    assert data["train"].features["label"] == datasets.Value("float32")
    assert "label = score: a number from 0 to 9.75" in data.summary.reading
    assert set(data.summary.splits["train"]["labels"]) == {"mean", "std", "min", "max"}


def test_problem_type_decides_over_the_look_of_the_labels() -> None:
    name = rows_csv(labels=("1", "2", "3"))
    assert load_data(name, problem_type="regression")["train"].features["label"] == datasets.Value("float32")
    name = rows_csv(labels=("0.5", "1.5"))
    assert load_data(name, problem_type="single_label_classification").summary.label_names == ["0.5", "1.5"]
    config = TrainConfig(dataset=rows_csv(labels=("1", "2")), problem_type="regression")
    assert load_data(config).summary.problem_type == "regression"
    assert "the label 'a' is none" in refused(rows_csv(labels=("1", "a")), problem_type="regression")


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_lists_are_multi_label(form: str) -> None:
    sets = [["sad"], ["happy", "proud"], [], ["proud"]]
    if form == "jsonl":
        lines = [json.dumps({"text": f"text {n}", "labels": sets[n % 4]}) for n in range(80)]
        name = write("data.jsonl", "\n".join(lines))
    else:
        cells = [json.dumps(sets[n % 4]).replace('"', '""') for n in range(80)]
        name = write("data.csv", "text,labels\n" + "".join(f'text {n},"{cells[n]}"\n' for n in range(80)))
    data = load_data(name)
    assert data.summary.problem_type == "multi_label_classification"
    assert data["train"].features["label"] == datasets.List(datasets.ClassLabel(names=["happy", "proud", "sad"]))
    row = data["train"][0]
    assert [data.summary.label_names[n] for n in row["label"]] == sets[int(row["id"].split("-")[1]) % 4]
    assert "0 or 1 for each class" in refused(
        write("hot.jsonl", "\n".join(json.dumps({"text": f"t {n}", "label": [0, 1, 0]}) for n in range(9)))
    )


@pytest.mark.pain("dirty-labels")
def test_variants_of_a_label_are_refused_and_can_be_merged() -> None:
    name = rows_csv(labels=("pos", "Pos", "pos ", "neg"))
    message = refused(name)
    assert "'pos' (30), 'Pos' (15)" in message and "--merge_labels" in message
    data = load_data(name, merge_labels=True)
    assert data.summary.label_names == ["neg", "pos"]
    assert "labels merged: 'Pos' (15) into 'pos'" in data.summary.notes
    assert "15 labels trimmed of outer space" in data.summary.notes


# --- splits ----------------------------------------------------------------------------------------------------------


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
    assert "--test_size 1.5" in refused("data.csv", test_size=1.5)
    assert "--max_train_samples 0" in refused("data.csv", max_train_samples=0)


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


# --- cards, the Hub's arrow tables, evaluation -----------------------------------------------------------------------


CARD = """---
license: mit
language: en
task_categories: [text-classification]
size_categories: n<1K
hfkit:
  source: ./films.csv
  columns: {text: remark, label: verdict}
  labels: [bad, good]
  group: film
---
Films.
"""


def test_a_card_with_groups_is_one_markdown_file_and_no_code() -> None:
    write("data_cards/films.md", CARD)
    write("data_cards/films.csv", "remark,verdict,film\n" + "".join(f"t {n},{n % 2},f{n // 5}\n" for n in range(100)))
    data = load_data("films")
    assert (data.summary.label_names, data.summary.license, data.summary.card) == (["bad", "good"], "mit", "films.md")
    films = [{int(row.split("-")[1]) // 5 for row in split["id"]} for split in data.values()]
    assert sum(map(len, films)) == len(set.union(*films)) == 20
    write("data_cards/films.csv", "remark,verdict,film\n" + "".join(f"t {n},{n % 3},f{n // 5}\n" for n in range(100)))
    message = refused("films")
    assert "The label '2' is out of range: the names are bad, good (0 to 1) (33 of 100 rows)" in message
    assert "films.csv line 4" in message


def test_declared_class_names_travel_in_parquet_and_minus_one_is_no_label() -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = {"text": [f"text {n}" for n in range(40)], "label": [n % 2 for n in range(40)]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet("data.parquet")
    assert load_data("data.parquet").summary.label_names == ["no", "yes"]
    rows["label"][3] = -1
    datasets.Dataset.from_dict(rows, features=features).to_parquet("data.parquet")
    assert "data.parquet row 3" in refused("data.parquet")
    assert sum(load_data("data.parquet", drop_bad_rows=True).num_rows.values()) == 39


def test_what_load_dataset_returns_is_read_with_its_class_names() -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=features)
    Path("repo").mkdir()
    rows.to_parquet("repo/train.parquet")
    source = _hub("./repo", DataArguments())
    assert source.tables["train"].label_names == {"label": ["no", "yes"]}
    assert source.tables["train"].column("text") == ["a", "b"]


def test_evaluation_takes_a_whole_file_and_maps_labels_by_name() -> None:
    write("new.csv", "text,label\nfine,Positive\nbad,negative\nso so,negative\n")
    data = load_test("new.csv", label_names=["positive", "negative"])
    assert list(data) == ["test"] and data["test"]["label"][:] == [0, 1, 1]
    assert data["test"].features["label"].names == ["positive", "negative"]
    with pytest.raises(HfkitError, match="does not know: negative"):
        load_test("new.csv", label_names=["positive", "neutral"])
    assert load_test(rows_csv(count=40)).num_rows == {"test": 40}


def test_the_summary_goes_through_json() -> None:
    summary = load_data(rows_csv()).summary
    assert DataSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary
    plain = datasets.DatasetDict(load_data("data.csv"))
    assert summary_of(plain).splits == summary.splits


# --- bad input: one message, with the place ---------------------------------------------------------------------------


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
        ("text,label\n" + GOOD + "x,\ny,nan\n", {}, ["2 of 22 labels in 'label' are missing", "line 22, 23"]),
        ("text,label\n" + GOOD + "NaN,a\n ,b\n", {}, ["2 of 22 texts in 'text' are missing", "--drop_bad_rows"]),
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
    write("bad.csv", "text,label\n" + GOOD + "x,\n,a\nnan,b\n")
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
