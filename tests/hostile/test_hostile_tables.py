"""Tables that are broken, lie or mean harm, through both doors that read them: load_data and predict_file."""

import io
import json
import os
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from guard import Case, bounded, cases, refused, write

from hfkit.data.load import load_data
from hfkit.inference import pipeline, predict_file
from hfkit.tasks.text_classification.inference import TextClassificationPipeline

HEADER = "text,label\n"
ROWS = "".join(f"text number {row},{('neg', 'pos')[row % 2]}\n" for row in range(40))
LINES = "".join(json.dumps({"text": f"text {row}", "label": row % 2}) + "\n" for row in range(40))
DEEP = "[" * 100_000


def file(name: str, content: str | bytes) -> Callable[[], str]:
    return lambda: write(name, content)


def made(name: str, how: Callable[[Path], Any]) -> Callable[[], str]:
    def make() -> str:
        how(Path(name))
        return name

    return make


def zipped(name: str, **members: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in {name: b"", **members}.items():
            archive.writestr(member, content)
    return buffer.getvalue()


def bomb(path: Path) -> None:
    path.write_bytes(zipped("a.csv", **{f"{n}.csv": b"0" * 10_000_000 for n in range(10)}))


def climbing(path: Path) -> None:
    path.write_bytes(zipped("../../climbed.csv", **{"/tmp/hfkit-absolute.csv": HEADER + ROWS}))


def linked(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name, kind, target in (("out", tarfile.SYMTYPE, "/etc"), ("out/x.csv", tarfile.LNKTYPE, "/etc/passwd")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)


def table(columns: list[Any], names: list[str], **metadata: str) -> Callable[[Path], None]:
    def how(path: Path) -> None:
        found = pa.Table.from_arrays(columns, names)
        if metadata:
            found = found.replace_schema_metadata(metadata)
        parquet.write_table(found, path)

    return how


TEXTS, LABELS = pa.array([f"text {n}" for n in range(40)]), pa.array([n % 2 for n in range(40)])


def cut(path: Path) -> None:
    table([TEXTS, LABELS], ["text", "label"])(path)
    path.write_bytes(path.read_bytes()[:-50])


def page_broken(path: Path) -> None:
    table([TEXTS, LABELS], ["text", "label"])(path)
    data = bytearray(path.read_bytes())
    data[4:60] = os.urandom(56)
    path.write_bytes(data)


def swells(path: Path) -> None:
    """80 MB a row group, 40 million rows in all, in a few kilobytes."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * 1000]))
    with parquet.ParquetWriter(path, pa.schema({"text": column.type, "label": pa.int8()}), compression="zstd") as out:
        for _ in range(40):
            out.write_table(pa.table({"text": column, "label": pa.array([0] * 1_000_000, pa.int8())}))


def not_utf8(path: Path) -> None:
    data = pa.array([b"text \xff\xfe"] * 40, pa.binary())
    text = pa.StringArray.from_buffers(40, data.buffers()[1], data.buffers()[2])
    table([text, LABELS], ["text", "label"])(path)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def door_of_another(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


TABLES = cases(
    ("a zip bomb", made("data.zip", bomb), ("data.zip", "ending in .zip are not read")),
    ("a zip that climbs out", made("data.zip", climbing), ("data.zip", "not read")),
    ("a tar with links", made("data.tar", linked), ("data.tar", "not read")),
    ("a gzip", file("data.csv.gz", b"\x1f\x8b\x08\x00"), ("data.csv.gz", "not read")),
    ("a zip called csv", made("data.csv", bomb), ("data.csv", "zip archive")),
    ("a gzip called jsonl", file("data.jsonl", b"\x1f\x8b\x08\x00\x00\x00\x00"), ("data.jsonl", "gzip")),
    ("a parquet called csv", file("data.csv", b"PAR1\x15\x04\x15\x00\xff"), ("data.csv", "Parquet")),
    ("a NUL byte", file("data.csv", HEADER + ROWS + "a\0b,pos\n"), ("data.csv, line 42", "NUL")),
    ("UTF-16 without its mark", file("data.csv", (HEADER + ROWS).encode("utf-16-le")),
     ("data.csv", "line 1", "utf-16")),
    ("UTF-16 unasked", file("data.csv", (HEADER + ROWS).encode("utf-16")), ("data.csv", "utf-16")),
    ("bytes that are no text", file("data.csv", (HEADER + ROWS).encode() + b"\xc3\x28,pos\n"), ("data.csv, line 42",)),
    ("bytes that are no JSON text", file("data.jsonl", LINES.encode() + b'{"text": "\xff"}\n'),
     ("data.jsonl, line 41",)),
    ("a column twice", file("data.csv", "text,text,label\n" + "a,b,pos\n" * 9),
     ("data.csv, line 1", "'text'", "twice")),
    ("100,000 columns, two alike", file("data.csv", ",".join(f"c{n}" for n in range(100_000)) + ",c0\n"), ("'c0'",)),
    ("a column of a megabyte's name", file("data.csv", "x" * 1_000_000 + ",x\n" + "a,b\n" * 9), ("data.csv",)),
    ("a quote that never ends", file("data.csv", HEADER + ROWS + '"' + "a,b\n" * 100_000), ("data.csv, line 42",)),
    ("rows of other lengths", file("data.csv", HEADER + ROWS + "a,b,c\n"), ("data.csv, line 42", "3 fields")),
    ("lists for rows", file("data.jsonl", LINES + '["text", 1]\n'), ("data.jsonl", "line 41", "list")),
    ("a line cut short", file("data.jsonl", LINES + '{"text": "a", "lab'), ("data.jsonl, line 41", "not JSON")),
    ("nesting without end", file("data.jsonl", LINES + DEEP + "\n"), ("data.jsonl, line 41", "nested")),
    ("nesting that does end", file("data.jsonl", f'{{"text": {DEEP}{"]" * 100_000}}}\n'), ("line 1", "nested")),
    ("an integer of 5,000 digits", file("data.jsonl", f'{{"text": "a", "label": {"9" * 5000}}}\n'),
     ("line 1", "digits")),
    ("half a character", file("data.jsonl", LINES + '{"text": "\\ud83d", "label": 1}\n'), ("line 41", "half a char")),
    ("Parquet with another magic", file("data.parquet", b"PARX" + b"\0" * 100 + b"PARX"),
     ("data.parquet", "not Parquet")),
    ("Parquet cut short", made("data.parquet", cut), ("data.parquet", "Parquet")),
    ("Parquet with a broken page", made("data.parquet", page_broken), ("data.parquet", "Parquet")),
    ("Parquet text that is no text", made("data.parquet", not_utf8), ("data.parquet", "Parquet")),
    ("Parquet columns of one name", made("data.parquet", table([TEXTS, TEXTS, LABELS], ["text", "text", "label"])),
     ("data.parquet", "'text'", "twice")),
    ("Parquet text that is bytes", made("data.parquet", table([TEXTS.cast(pa.binary()), LABELS], ["text", "label"])),
     ("data.parquet",)),
    ("a pipe", made("data.csv", pipe), ("data.csv", "no regular file")),
    ("a socket", made("data.csv", door_of_another), ("data.csv", "no regular file")),
    ("an endless device", made("data.csv", lambda path: path.symlink_to("/dev/zero")), ("data.csv", "no regular file")),
    ("a link to itself", made("data.csv", lambda path: path.symlink_to(path.name)), ("data.csv", "no")),
    ("a link to nothing", made("data.csv", lambda path: path.symlink_to("gone.csv")), ("data.csv", "no")),
    ("a folder called csv", made("data.csv", Path.mkdir), ("data.csv",)),
    ("a name without end", lambda: "x" * 5000 + ".csv", ("xxx", "too long")),
    ("a name with a NUL", lambda: "a\0b.csv", ("csv", "no")),
    ("a home of nobody", lambda: "~nobody-here/data.csv", ("~nobody-here",)),
)  # fmt: skip

ONLY_LOADED = cases(
    ("a folder of archives", lambda: (write("set/train.zip", zipped("train.csv")), "./set")[1],
     ("set", "no file ending")),
    ("a folder of pipes", lambda: (Path("set").mkdir(), pipe(Path("set/train.csv")), "./set")[-1], ("set", "no file")),
    ("each row its own column", file("data.jsonl", "".join(f'{{"k{n}": 1}}\n' for n in range(30_000))),
     ("data.jsonl", "columns")),
    ("Parquet that swells", made("data.parquet", swells), ("data.parquet", "times")),
    ("Parquet whose features lie", made("data.parquet", table([TEXTS, LABELS], ["text", "label"], huggingface="[1")),
     ("data.parquet", "huggingface")),
    ("Parquet whose names are none", made("data.parquet", table(
        [TEXTS, LABELS], ["text", "label"],
        huggingface='{"info": {"features": {"label": {"_type": "ClassLabel", "names": 7}}}}')),
     ("data.parquet", "label")),
    ("a NaN for a text", file("data.jsonl", LINES + '{"text": NaN, "label": 1}\n'),
     ("data.jsonl", "line 41", "missing")),
    ("infinity among numbers",
     file("data.jsonl", LINES + '{"text": "a", "label": 0.5}\n{"text": "b", "label": Infinity}\n'),
     ("line 42", "inf")),
    ("a label list that nests", file("data.csv", HEADER + f'a,"{DEEP}]"\n' * 3), ("data.csv", "line 2", "nested")),
    ("a label list of half characters", file("data.csv", HEADER + 'a,"[""\\ud83d""]"\n' * 3),
     ("data.csv", "line 2", "half")),
    ("a label of ten megabytes", file("data.csv", HEADER + ROWS + f"a,{'z' * 10_000_000}\n"),
     ("one example only", "line 42")),
    ("a number beyond float32", file("data.csv", HEADER + "a,0.5\nb,1.5\nc,1e300\n" * 9), ("line 4", "1e300")),
    ("a number beyond float",
     file("data.jsonl", LINES + f'{{"text": "a", "label": 0.5}}\n{{"text": "b", "label": 1{"0" * 400}}}\n'),
     ("line 42", "finite")),
    ("labels that are objects", file("data.jsonl", '{"text": "a", "label": {"a": 1}}\n' * 9), ("line 1", "label")),
    ("labels in lists of lists", file("data.jsonl", '{"text": "a", "label": [["a"]]}\n' * 9), ("line 1", "label")),
)  # fmt: skip

ENCODINGS = {
    "half a character of UTF-16": ("utf-16", (HEADER + ROWS).encode("utf-16") + b"\x00"),
    "a codec that unpacks": ("zlib", b"x"),
    "a codec that refuses": ("undefined", b"x"),
    "a codec without a name": ("", b"x"),
    "a codec called NUL": ("utf-8\0", b"x"),
    "a codec for hosts": ("idna", b"\xff.\xff"),
}


@pytest.fixture(scope="module")
def classify(tiny_run: Path) -> TextClassificationPipeline:
    return pipeline(tiny_run, device="cpu")


@pytest.mark.parametrize("case", TABLES + ONLY_LOADED)
def test_a_hostile_table_is_not_loaded(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    refused(case, load_data, capsys)


@pytest.mark.parametrize("case", TABLES)
def test_a_hostile_table_is_not_predicted(case: Case, classify: Any, capsys: pytest.CaptureFixture[str]) -> None:
    refused(case, lambda path: predict_file(classify, path, "out.csv", text_column="text"), capsys)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("door", ["load", "predict"])
def test_an_encoding_that_cannot_be(name: str, door: str, classify: Any, capsys: pytest.CaptureFixture[str]) -> None:
    encoding, content = ENCODINGS[name]

    def call(path: str) -> Any:
        if door == "load":
            return load_data(path, encoding=encoding)
        return predict_file(classify, path, "out.csv", encoding=encoding)

    refused(Case(name, file("data.csv", content), ("encoding",)), call, capsys)


GOOD = {
    "old Macs' line ends": (HEADER + ROWS).replace("\n", "\r"),
    "Windows' line ends": (HEADER + ROWS).replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + HEADER + ROWS,
    "a cell of a megabyte": HEADER + ROWS.replace("text number 7,", "text " + "word " * 200_000 + "7,"),
    "labels that are programs' names": HEADER + ROWS.replace("neg", "__proto__").replace("pos", "../../x"),
    "labels that look like numbers": HEADER + ROWS.replace("neg", "1_0").replace("pos", "10"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_odd_and_harmless_is_read_whole(name: str, classify: Any) -> None:
    write("data.csv", GOOD[name].encode())
    with bounded():
        data = load_data("./data.csv")
        assert sum(data.num_rows.values()) == 40 and len(data.summary.label_names) == 2
        assert predict_file(classify, "data.csv", "out.csv", disable_tqdm=True) == 40
