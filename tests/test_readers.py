"""One reader for every door: a file gives the same rows, or the same refusal, to training, streams and predictions."""

import decimal
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from data_files import refused, rows_csv, write

from hfkit.base.errors import HfkitError
from hfkit.config import FileArguments, TrainConfig
from hfkit.config.parsing import parse
from hfkit.data.load import load_data
from hfkit.data.readers import read_table
from hfkit.data.readers.streams import FileRows
from hfkit.inference.readers import open_rows

ROWS = [{"text": f"film {n}", "label": "ab"[n % 2]} for n in range(40)]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("text", "label")}
BY_NUMBER = {name: {str(n): value for n, value in enumerate(values)} for name, values in COLUMNS.items()}
SPLITS = {"train": ROWS[:20], "dev": ROWS[20:30], "test": ROWS[30:]}
FORMS = {
    "list.json": json.dumps(ROWS, indent=1),
    "list.jsonl": json.dumps(ROWS),
    "lists.json": json.dumps(COLUMNS),
    "columns.json": json.dumps(BY_NUMBER),
    "wrapped.json": json.dumps({"version": "1.0", "data": ROWS}),
    "index.json": json.dumps({str(n): row for n, row in enumerate(ROWS)}),
    "split.json": json.dumps({"columns": [*COLUMNS], "index": [*range(40)], "data": [[*row.values()] for row in ROWS]}),
    "inside.json": json.dumps({"name": "films", "data": {"rows": BY_NUMBER}}),
    "pretty.jsonl": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "concat.jsonl": "".join(map(json.dumps, ROWS)),
    "lines.json": "\n".join(map(json.dumps, ROWS)),
    "sep.csv": "sep=;\r\n" + "".join(f"{a};{b}\r\n" for a, b in [("text", "label"), *map(dict.values, ROWS)]),
    "dos.csv": "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in ROWS) + "\x1a",
    "again.csv": "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in ROWS) + "text,label\n",
}


def rows_of(name: str, **how: Any) -> list[dict[str, Any]]:
    with open_rows(name, FileArguments(**how)) as source:
        return [row for _, row in source.rows]


@pytest.mark.parametrize("name", FORMS)
def test_training_and_prediction_read_the_same_rows(name: str) -> None:
    table = read_table(Path(write(name, FORMS[name])))
    assert {column: table.column(column) for column in table.columns} == COLUMNS
    assert rows_of(name) == ROWS
    with open_rows(name) as source:
        assert source.columns == ["text", "label"]
    assert load_data(f"./{name}").summary.label_names == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": ["a", "b"], "label": [1]}', "differ in length: text 2, label 1"),
        ("[]", "holds no rows"),
        ('{"columns": ["text", "label"], "data": [["a", "b"], ["c"], []]}', "differ in length"),
        ('{"columns": ["text", "text"], "data": [["a", "b"]]}', "'text' stands twice"),
        ("[[1], [2]]", "The item holds list"),
        ('[{"text": "a"}] [', "not JSON"),
        ('{"text": "a"\n{"text": "b"}\n', "The line is not JSON"),
    ],
)
def test_json_that_holds_no_rows_is_refused_alike(content: str, said: str) -> None:
    write("a.json", content)
    with pytest.raises(HfkitError, match=said):
        read_table(Path("a.json"))
    with pytest.raises(HfkitError, match=said):
        rows_of("a.json")


def test_a_chat_of_one_row_is_no_table_of_messages() -> None:
    chat = {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]}
    write("one.jsonl", json.dumps(chat) + "\n")
    assert rows_of("one.jsonl") == [chat]
    assert [row for _, row, _ in FileRows("one.jsonl", [Path("one.jsonl")]).open(0)] == [chat]


def test_what_stands_beside_the_rows_is_named() -> None:
    write("wrapped.json", FORMS["wrapped.json"])
    assert "rows read under 'data'; not read: version" in load_data("./wrapped.json").summary.notes
    table = {"schema": {"fields": []}, "data": [{"index": n, **row} for n, row in enumerate(ROWS)]}
    notes = load_data(write("table.json", json.dumps(table))).summary.notes
    assert "rows read under 'data'; not read: schema" in notes and "columns not used: index" in notes
    other = {"columns": [*COLUMNS], "index": ["x", "y"], "data": [["a", "b"], ["c", "d"]]}
    write("split.json", json.dumps(other))
    assert read_table(Path("split.json")).notes == ["rows read under 'data'; not read: index"]


def test_rows_under_their_names_keep_them() -> None:
    write("named.json", json.dumps({f"r{n}": row for n, row in enumerate(ROWS)}))
    assert rows_of("named.json") == [{"id": f"r{n}", **row} for n, row in enumerate(ROWS)]
    chat = {who: {"role": who, "content": who} for who in ("system", "prompt", "completion")}
    write("one.json", json.dumps(chat))
    assert rows_of("one.json") == [chat]


def test_rows_are_not_looked_for_below_the_ground() -> None:
    write("deep.json", '{"data": ' * 500 + '"x"' + "}" * 500)
    with pytest.raises(HfkitError, match="nested too deeply"):
        rows_of("deep.json")


def test_columns_that_the_first_line_lacks_are_known() -> None:
    write("late.jsonl", '{"id": 0}\n' + "".join(json.dumps({"id": n, "text": f"film {n}"}) + "\n" for n in range(1, 9)))
    with open_rows("late.jsonl") as source:
        assert source.columns == ["id", "text"]
        assert next(source.rows) == ("late.jsonl, line 1", {"id": 0})


def test_a_csv_streams_and_skips() -> None:
    stream = FileRows("data.csv", [Path(rows_csv(count=60))])
    assert [row["text"] for _, row, _ in stream.open(57)] == ["text number 57", "text number 58", "text number 59"]


# Quotes


GLUE = 'id\tlabel\ttext\n1\t0\t"a fine film\n2\t1\tnothing\n3\t0\twithout end"\n' + "".join(
    f"{n}\t{n % 2}\tfilm {n}\n" for n in range(4, 30)
)


@pytest.mark.parametrize("content", [GLUE, GLUE.replace("\t", ",")], ids=["tabs", "commas"])
def test_a_quote_that_swallowed_rows_is_noticed_everywhere(content: str) -> None:
    name = write("glue.tsv" if "\t" in content else "glue.csv", content)
    for read in (
        lambda: read_table(Path(name)),
        lambda: rows_of(name),
        lambda: list(FileRows("", [Path(name)]).open(0)),
    ):
        with pytest.raises(HfkitError, match="3 lines that look like rows") as told:
            read()
        assert told.value.where == f"{name}, line 2"
        assert "--quoting none" in str(told.value.fix)
    table = read_table(Path(name), FileArguments(quoting="none"))
    assert len(table) == 29
    assert table.column("text")[:3] == ['"a fine film', "nothing", 'without end"']
    assert len(rows_of(name, quoting="none")) == 29


@pytest.mark.parametrize(
    "text", ["Dear all, hello\nand goodbye", "one,two\nthree,four,five", "a\tb\nc", "1,000 saw\nit"]
)
def test_a_text_of_several_lines_is_one_text(text: str) -> None:
    rows = "".join(f"film {n},{'no' if n % 2 else 'yes'}\n" for n in range(20))
    name = write("data.csv", f'text,label\n"{text}",yes\n{rows}')
    assert read_table(Path(name)).column("text")[0] == text
    assert rows_of(name)[0]["text"] == text


def test_a_broken_quote_names_the_flag() -> None:
    write("broken.tsv", 'label\ttext\n0\t"The film" is bad\n')
    assert "--quoting none" in refused("broken.tsv")
    assert rows_of("broken.tsv", quoting="none")[0]["text"] == '"The film" is bad'


# No header


def test_a_table_without_a_header_is_told_and_read() -> None:
    rows = "".join(f"film {n}\t{n % 2}\n" for n in range(30))
    name = write("sst.tsv", rows)
    said = refused(name)
    assert "first line looks like a row" in said and "--column_names text label" in said
    with pytest.raises(HfkitError, match="--column_names"):
        rows_of(name)
    data = load_data(name, column_names=["text", "label"])
    assert sum(map(len, data.values())) == 30
    assert len(rows_of(name, column_names=["text", "label"])) == 30
    write("sst.tsv", f"text\tlabel\n{rows}")
    assert len(rows_of(name, column_names=["text", "label"])) == 30, "the header, named again, is none of the rows"


@pytest.mark.parametrize("header", ["text,toxic", "0,1"])
def test_a_header_that_a_row_repeats_in_part_is_a_header(header: str) -> None:
    values = header.split(",")[1], "other"
    name = write("data.csv", f"{header}\n" + "".join(f"film {n},{values[n % 2]}\n" for n in range(30)))
    assert list(read_table(Path(name)).columns) == header.split(",")


def test_names_that_do_not_fit_the_rows_are_refused() -> None:
    with pytest.raises(HfkitError, match="2 fields and the header 3"):
        rows_of(rows_csv(), column_names=["a", "b", "c"])
    with pytest.raises(HfkitError, match="'a' stands twice"):
        rows_of(rows_csv(), column_names=["a", "a"])


# Arrow


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([decimal.Decimal("0"), decimal.Decimal("1")], pa.decimal128(3, 0)), [0, 1]),
        (pa.array([decimal.Decimal("0.10"), None], pa.decimal128(5, 2)), [0.1, None]),
        (pa.array([decimal.Decimal("1234567890123456.78")], pa.decimal128(20, 2)), ["1234567890123456.78"]),
        (pa.array([0.1, 2.5], pa.float32()), [0.1, 2.5]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    ],
)
def test_arrow_types_become_plain_values(column: pa.Array, values: list[Any]) -> None:
    parquet.write_table(pa.table({"label": column}), "x.parquet")
    assert read_table(Path("x.parquet")).column("label") == values


# Flags


def test_the_flags_are_the_same_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    from hfkit.cli import main

    for command in ("train", "evaluate", "predict", "generate"):
        with pytest.raises(SystemExit):
            main([command, "--help_all" if command == "train" else "--help"])
        shown = capsys.readouterr().out
        for flag in ("--encoding", "--delimiter", "--quoting", "--column_names", "--missing_values"):
            assert flag in shown, f"{command} {flag}"


def test_a_tab_can_be_written_out_as_the_message_says() -> None:
    name = write("tabs.csv", "text\tlabel\n" + "".join(f"film {n}\t{n % 2}\n" for n in range(30)))
    assert "--delimiter tab" in refused(name)
    config = parse(TrainConfig, {}, ["--dataset", name, "--delimiter", "tab"])
    assert len(load_data(config)["train"]) == 24


def test_columns_by_row_number_are_joined_by_it(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text('{"text": {"0": "first", "1": "second"}, "label": {"1": "b", "0": "a"}}')
    table = read_table(file)
    assert list(zip(table.column("text"), table.column("label"), strict=True)) == [("first", "a"), ("second", "b")]
    file.write_text('{"text": {"0": "first"}, "label": {"1": "b"}}')
    with pytest.raises(HfkitError, match="do not number the same rows"):
        read_table(file)


def test_values_of_another_kind_are_refused_in_python_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,A\ny,B\n")
    for options in ({"missing_values": "NA"}, {"quoting": "bogus"}, {"pixel_range": "1"}):
        with pytest.raises(HfkitError, match=f"--{next(iter(options))} is"):
            load_data(str(tmp_path / "a.csv"), **options)


def test_a_column_called_split_may_name_others(tmp_path: Path) -> None:
    rows = [(f"text {n}", "ab"[n % 2], ("train", "train", "test", "unsup")[n // 2 % 4]) for n in range(160)]
    (tmp_path / "s.csv").write_text("text,label,split\n" + "".join(f"{','.join(row)}\n" for row in rows))
    assert load_data(str(tmp_path / "s.csv")).num_rows["test"] == 40


@pytest.mark.parametrize("flag", [{"column_names": ["text", "label"]}, {"quoting": "none"}, {"delimiter": ";"}])
@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.txt", "pictures", "demo:imdb", "someone/data"])
def test_flags_of_csv_files_are_refused_for_others(
    flag: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write("a.jsonl", FORMS["lines.json"])
    write("a.txt", "Once upon a time.\n")
    write("pictures/cat/1.png", b"")
    parquet.write_table(pa.Table.from_pylist(ROWS), "a.parquet")
    task = {"a.txt": "text-generation", "pictures": "image-classification"}.get(name)
    message = refused(name if "." not in name else f"./{name}", task=task, **flag)
    assert f"--{next(iter(flag))} is for CSV files" in message and name in message
    if name in ("a.jsonl", "a.parquet"):
        with pytest.raises(HfkitError, match="is for CSV files"):
            rows_of(name, **flag)


def test_an_encoding_is_refused_for_parquet(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert "--encoding is for text files" in refused(str(tmp_path / "a.parquet"), encoding="latin-1")
