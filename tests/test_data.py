"""Loading: what columns and labels are read as, from files, cards and the Hub's tables; the summary."""

import json
from dataclasses import asdict
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from data_files import refused, rows_csv, write

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments, TrainConfig
from hfkit.data.load import load_data, load_test
from hfkit.data.sources.source import _hub
from hfkit.data.summary import DataSummary, summary_of


def test_the_reading_says_columns_classes_and_sizes(reviews_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_data(str(reviews_csv))
    assert data.summary.reading == "text = review, label = sentiment: 2 classes neg, pos; 194 / 22 / 24 rows"
    assert data.summary.reading in capsys.readouterr().out
    text, label = datasets.Value("string"), datasets.ClassLabel(names=["neg", "pos"])
    assert data["train"].features == datasets.Features({"id": text, "text": text, "label": label})


def test_only_rank_0_prints(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
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


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["1", "0"], ["0", "1"]),
        (["1.0", "0.0"], ["0", "1"]),
        (["10", "9", "-1"], ["-1", "9", "10"]),
        (["True", "False"], ["False", "True"]),
        ([" spam", "ham "], ["ham", "spam"]),
        (["01", "7", "007"], ["01", "007", "7"]),
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


@pytest.mark.pain("dirty-labels")
def test_variants_of_a_label_are_refused_and_can_be_merged() -> None:
    name = rows_csv(labels=("pos", "Pos", "pos ", "neg"))
    message = refused(name)
    assert "'pos' (30), 'Pos' (15)" in message and "--merge_labels" in message
    data = load_data(name, merge_labels=True)
    assert data.summary.label_names == ["neg", "pos"]
    assert "labels merged: 'Pos' (15) into 'pos'" in data.summary.notes
    assert "15 labels trimmed of outer space" in data.summary.notes


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
    assert DataSummary(**json.loads(json.dumps(asdict(summary)))) == summary
    plain = datasets.DatasetDict(load_data("data.csv"))
    assert summary_of(plain).splits == summary.splits
