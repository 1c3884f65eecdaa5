"""A data set with its card becomes a data set on the Hub, in one commit that loads as it was."""

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
import yaml
from test_datacards import filled

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.draft import draft_card
from hfkit.data.load import load_data
from hfkit.hub.upload.data import push_data


@pytest.fixture
def films(reviews_csv: Path) -> Path:
    return filled(draft_card("films", DataArguments(dataset=str(reviews_csv))))


def test_the_splits_are_one_commit_and_their_rows_are_the_same(hub: Any, films: Path) -> None:
    made = push_data("films", "tester/films", private=True)
    repository = hub.store.repositories["dataset", "tester/films"]
    assert repository.branches["main"] == made
    assert repository.private
    assert len(repository.history("main")) == 2
    files = hub.store.files("tester/films", kind="dataset")
    assert {name for name in files if not name.startswith(".")} == {
        "README.md",
        *(f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")),
    }
    for split, rows in load_data("films").items():
        table = parquet.read_table(io.BytesIO(files[f"data/{split}-00000-of-00001.parquet"]))
        assert table.to_pylist() == rows.to_list()
        assert b'"names": ["neg", "pos"]' in table.schema.metadata[b"huggingface"]
    front = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert front["hfkit"]["source"] == "tester/films"
    assert front["configs"][0]["data_files"][0] == {"split": "train", "path": "data/train-*.parquet"}
    assert push_data("films", "tester/films") == made  # nothing new is no commit


def test_what_was_published_is_read_by_its_own_card(hub: Any, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push_data("films", "tester/films")
    before = load_data("films").summary.splits
    files = hub.store.files("tester/films", kind="dataset")
    folder = Path("fetched")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    films.write_bytes(files["README.md"].replace(b"source: tester/films", b"source: ../fetched"))
    after = load_data("films").summary.splits
    assert {split: found["rows"] for split, found in after.items()} == {
        split: found["rows"] for split, found in before.items()
    }
    assert [found["fingerprint"] for found in after.values()] == [found["fingerprint"] for found in before.values()]


def test_a_card_that_waits_for_a_person_is_refused(hub: Any, reviews_csv: Path) -> None:
    draft_card("films", DataArguments(dataset=str(reviews_csv)))
    with pytest.raises(HfkitError, match="places wait for a person"):
        push_data("films", "tester/films")
    assert hub.store.repositories == {}


def test_a_text_with_a_token_is_refused(hub: Any, films: Path, reviews_csv: Path) -> None:
    token = "hf_" + "a1B2" * 8
    with reviews_csv.open("a") as file:
        file.write(f'"my key is {token} and works",pos\n')
    with pytest.raises(HfkitError, match=r"text of \w+ holds what is private: a Hugging Face token"):
        push_data("films", "tester/films")
    assert hub.store.repositories == {}


def test_a_dry_run_shows_the_card_and_sends_nothing(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_data("films", "tester/films", dry_run=True) is None
    said = capsys.readouterr().out
    assert "data/train-00000-of-00001.parquet" in said
    assert "source: tester/films" in said
