"""What must hold for any input: cards, command lines, CSV files, JSON lines, class folders.

`make test` tries a hundred inputs of each, always the same. `make fuzz` tries many more, others each time.
"""

import contextlib
import csv
import io
import json
import os
import shutil
import string
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.config.parsing import parse
from hfkit.data.cards.card import DataCard
from hfkit.data.readers import read_table
from hfkit.data.sources.image_folders import SPLITS, image_tables

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
settings.register_profile(
    "hfkit",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 100,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
settings.load_profile("hfkit")

SLOW = settings(max_examples=EXAMPLES // 4)  # a command line takes 30 ms
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=12,
)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """An empty one for one example: a test's own is shared by all of them."""
    path = Path(tempfile.mkdtemp(prefix="hfkit-fuzz-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def refused_or_read() -> Iterator[None]:
    """Any input is read, or ends in the one exception that a user meets."""
    with contextlib.suppress(HfkitError):
        yield


# Cards

CARD = {
    "license": "mit",
    "language": "en",
    "task_categories": ["text-classification"],
    "size_categories": "n<1K",
}
KEYS = ["source", "config", "revision", "splits", "columns", "replace", "labels", "blocks", "group", "test_size"]
KEYS += ["embedded", "validation_size", "nothing"]


@given(st.binary(max_size=300))
def test_a_card_of_any_bytes_is_read_or_refused(content: bytes) -> None:
    with folder() as place:
        for data in (content, b"---\n" + content + b"\n---\n"):
            (place / "card.md").write_bytes(data)
            with refused_or_read():
                DataCard.read(place / "card.md")


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5))
def test_a_card_with_any_block_is_read_as_written_or_refused(block: dict[str, Any]) -> None:
    with folder() as place:
        path = place / "card.md"
        front = yaml.safe_dump(CARD | {"hfkit": {"source": "a/b"} | block}, allow_unicode=True)
        path.write_text(f"---\n{front}---\n\nProse.\n", encoding="utf-8")
        with refused_or_read():
            card = DataCard.read(path)
            assert card.source == block.get("source", "a/b")
            assert card.blocks == block.get("blocks") and card.columns == block.get("columns", {})


# Command lines


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field that a flag can hold."""
    choices = [choice for choice in get_args(kind) if choice is not type(None)]
    if choices and all(isinstance(choice, str) for choice in choices):  # a Literal
        return st.sampled_from(choices)
    plain = choices[0] if choices and type(None) in get_args(kind) else kind
    if plain is int:
        return st.integers(0, 1000)
    if plain is float:
        return st.floats(0, 1, allow_subnormal=False)
    return st.nothing()


HINTS = get_type_hints(TrainConfig.for_task())
FLAGS = {name: found for name, kind in HINTS.items() if not (found := values(kind)).is_empty}


def parsed(arguments: list[str]) -> TrainConfig | None:
    """None where the command line is refused, in whatever way it may be."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            return parse(TrainConfig, None, arguments, prog="hfkit")
    except HfkitError:
        return None
    except SystemExit as ended:
        assert ended.code in (0, 2)
        assert "Traceback" not in said.getvalue()
        return None


def test_many_flags_are_tried() -> None:
    assert len(FLAGS) > 40 and set(FLAGS) <= {field.name for field in fields(TrainConfig.for_task())}


@SLOW
@given(st.data())
def test_a_configuration_comes_back_from_its_flags(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(FLAGS)), max_size=2, unique=True))
    chosen = {name: data.draw(FLAGS[name]) for name in names}
    config = parsed([part for name, value in chosen.items() for part in (f"--{name}", str(value))])
    for name, value in chosen.items() if config else ():
        assert getattr(config, name) == value


@SLOW
@given(st.lists(st.sampled_from([f"--{name}" for name in FLAGS]) | st.text(max_size=8), max_size=4))
def test_any_command_line_is_a_configuration_or_refused(arguments: list[str]) -> None:
    parsed(arguments)


# Tables


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".jsonl", ".json", ".parquet"]))
def test_a_file_of_any_bytes_is_a_table_or_refused(content: bytes, ending: str) -> None:
    with folder() as place:
        path = place / f"rows{ending}"
        path.write_bytes(content)
        with refused_or_read():
            table = read_table(path)
            assert all(len(column) == len(table) for column in table.columns.values())


@given(st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1)))
def test_csv_cells_come_back_as_they_were_written(rows: list[list[str]]) -> None:
    header = list(string.ascii_lowercase[: len(rows[0])])
    with folder() as place:
        path = place / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows])
        table = read_table(path)
        assert [list(row) for row in zip(*(table.column(name) for name in header), strict=True)] == rows


@given(st.lists(st.fixed_dictionaries({"text": CELLS, "label": CELLS | st.integers(-99, 99)}), min_size=1))
def test_json_lines_come_back_as_they_were_written(rows: list[dict[str, Any]]) -> None:
    with folder() as place:
        path = place / "rows.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        table = read_table(path)
        assert table.column("text") == [row["text"] for row in rows]
        assert table.column("label") == [row["label"] for row in rows]


# Class folders


@given(st.dictionaries(NAMES, st.integers(0, 3), min_size=2, max_size=4))
def test_each_picture_of_a_class_folder_is_found_once_with_its_class(classes: dict[str, int]) -> None:
    assume(all(name not in (".", "..") and len(name.encode()) < 200 for name in classes))
    with folder() as place:
        for name, pictures in classes.items():
            (place / name).mkdir()
            for number in range(pictures):
                (place / name / f"{number}.png").write_bytes(b"not looked at here")
        read = {name: count for name, count in classes.items() if not name.startswith((".", "__MACOSX"))}
        with refused_or_read():
            tables = image_tables(place, skip=True)
            if not any(name.lower() in SPLITS for name in classes) and len(read) > 1:
                labels = tables["train"].column("label")
                assert {name: labels.count(name) for name in read} == read
                assert len(set(tables["train"].column("image"))) == len(labels) == sum(read.values())
