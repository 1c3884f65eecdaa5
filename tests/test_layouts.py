"""Folders of pictures with tables beside them: by split, names without an ending or in a folder below, and strays."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from image_files import disc

from hfkit import HfkitError, load_data


def pictures(folder: Path, count: int = 10, suffix: str = ".png") -> list[tuple[str, str]]:
    """So many of each colour in one folder, as (name without ending, colour)."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for colour in ("red", "blue"):
        for number in range(count):
            disc(colour, number).save(folder / f"{colour}{number:04}{suffix}", "PNG")
            rows.append((f"{colour}{number:04}", colour))
    return rows


def csv(path: Path, header: str, rows: list[tuple[str, str]], ending: str = "") -> None:
    path.write_text(f"{header}\n" + "".join(f"{name}{ending},{label}\n" for name, label in rows))


def rows_of(source: Path) -> tuple[dict[str, int], str]:
    data = load_data(str(source), task="image-classification")
    return {name: len(split) for name, split in data.items()}, "\n".join(data.summary.notes)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_metadata_of_each_split(tmp_path: Path, kind: str) -> None:
    for split, count in (("train", 10), ("val", 3), ("test", 2)):
        named = [(f"{name}.png", label) for name, label in pictures(tmp_path / split, count)]
        if kind == "csv":
            csv(tmp_path / split / "metadata.csv", "file_name,label", named)
        else:
            lines = [json.dumps({"file_name": name, "label": label}) for name, label in named]
            (tmp_path / split / "metadata.jsonl").write_text("\n".join(lines))
    found, _ = rows_of(tmp_path)
    # Equal pictures stand in all three splits: what validation and test have leaves training.
    assert (found["test"], found["validation"]) == (4, 2)
    assert found["train"] == 14


def test_ids_without_an_ending_in_a_folder_below(tmp_path: Path) -> None:
    csv(tmp_path / "train.csv", "id_code,diagnosis", pictures(tmp_path / "train_images"))
    (tmp_path / "sample_submission.csv").write_text("id_code,diagnosis\nother,0\n")
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 20
    assert f"20 images of train found by name, as {tmp_path}/train_images/red0000.png" in notes
    assert rows_of(tmp_path / "train.csv")[0] == found


def test_ids_that_a_spreadsheet_took_the_zeros_of(tmp_path: Path) -> None:
    named = pictures(tmp_path / "train")
    for number, (name, _) in enumerate(named):
        (tmp_path / "train" / f"{name}.png").rename(tmp_path / "train" / f"{number:05d}.png")
    csv(tmp_path / "train.csv", "id,label", [(str(number), label) for number, (_, label) in enumerate(named)])
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 20
    assert f"20 images of train found by name, as {tmp_path}/train/00000.png" in notes


def test_names_whose_files_lie_in_several_folders_below(tmp_path: Path) -> None:
    rows = pictures(tmp_path / "images_1")
    for file in (tmp_path / "images_1").glob("blue*"):
        (tmp_path / "images_2" / "deep").mkdir(parents=True, exist_ok=True)
        file.rename(tmp_path / "images_2" / "deep" / file.name)
    csv(tmp_path / "labels.csv", "image,finding", rows, ".png")
    assert sum(rows_of(tmp_path)[0].values()) == 20


def test_paths_and_ids_of_a_parquet_file(tmp_path: Path) -> None:
    rows = pictures(tmp_path / "images")
    table = {"path": [f"images/{name}.png" for name, _ in rows], "label": [label for _, label in rows]}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    assert sum(rows_of(tmp_path / "rows.parquet")[0].values()) == 20
    numbered = {"id": range(20), "label": table["label"]}
    for number, (name, _) in enumerate(rows):
        (tmp_path / "images" / f"{name}.png").rename(tmp_path / "images" / f"{number}.png")
    pq.write_table(pa.table(numbered), tmp_path / "rows.parquet")
    assert sum(rows_of(tmp_path / "rows.parquet")[0].values()) == 20


def test_a_name_of_two_pictures_is_not_guessed(tmp_path: Path) -> None:
    rows = pictures(tmp_path / "a")
    disc("red", 99).save(tmp_path / "b.png")
    (tmp_path / "c").mkdir()
    (tmp_path / "b.png").rename(tmp_path / "c" / "red0003.png")
    csv(tmp_path / "list.csv", "image,label", rows, ".png")
    with pytest.raises(HfkitError, match=r"'red0003.png' names 2 pictures: a/red0003.png, c/red0003.png") as told:
        rows_of(tmp_path / "list.csv")
    assert "line 5" in str(told.value)


def test_a_missing_picture_is_told_with_the_path_that_was_looked_for(tmp_path: Path) -> None:
    rows = pictures(tmp_path / "images")
    csv(tmp_path / "list.csv", "image,label", [*rows, ("gone", "red")], ".png")
    with pytest.raises(HfkitError) as told:
        rows_of(tmp_path / "list.csv")
    assert f"No such file or directory: {tmp_path}/gone.png, or one of its name in a folder below" in str(told.value)


def test_a_stray_table_beside_class_folders_is_noted(tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        (tmp_path / colour).mkdir()
        for number in range(10):
            disc(colour, number).save(tmp_path / colour / f"{number}.png")
    (tmp_path / "sample_submission.csv").write_text("id,label\n" + "".join(f"{row},red\n" for row in range(5)))
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 20
    assert "tables that name no picture, not read: sample_submission.csv" in notes


def test_a_table_that_names_no_picture_says_what_it_could_have_held(tmp_path: Path) -> None:
    pictures(tmp_path / "train_images")
    csv(tmp_path / "train.csv", "id,label", [("x1", "red"), ("x2", "blue")])
    with pytest.raises(HfkitError, match="No column holds images, paths, or names of pictures that lie"):
        rows_of(tmp_path)


def test_texts_by_split_in_folders_are_read_too(tmp_path: Path) -> None:
    for split, count in (("train", 30), ("test", 4)):
        (tmp_path / split).mkdir()
        rows = [(f"a {split} text of number {row}", "good" if row % 2 else "bad") for row in range(count)]
        csv(tmp_path / split / "rows.csv", "text,label", rows)
    assert len(load_data(str(tmp_path))["test"]) == 4


def classes(folder: Path) -> None:
    for colour in ("red", "blue"):
        (folder / colour).mkdir(parents=True)
        for number in range(10):
            disc(colour, number).save(folder / colour / f"{number}.png")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2,3\n", b"\xff\xfe\x00bad"])
def test_a_stray_table_that_cannot_be_read_is_noted(tmp_path: Path, content: bytes) -> None:
    classes(tmp_path)
    (tmp_path / "list.csv").write_bytes(content)
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 20
    assert "tables that name no picture, not read: list.csv" in notes
    assert "list.csv cannot be read: " in notes


@pytest.mark.parametrize("splits", [[""], ["train", "test"]])
def test_metadata_is_the_one_of_several_tables_that_tells(tmp_path: Path, splits: list[str]) -> None:
    for split in splits:
        rows = pictures(tmp_path / split, 2 if split == "test" else 10)
        csv(tmp_path / split / "metadata.csv", "file_name,label", rows, ".png")
        (tmp_path / split / "colours.csv").write_text("name,red,green\nred,220,50\n")
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 20 and (found["train"] == 16 or "test" in splits)
    assert f"files not read: {', '.join(['colours.csv'] * len(splits))}" in notes


def test_a_test_table_without_labels_is_used_for_nothing(tmp_path: Path) -> None:
    rows = pictures(tmp_path / "train_images")
    csv(tmp_path / "train.csv", "id_code,diagnosis", rows)
    disc("red", 99).save(tmp_path / "train_images" / "x.png")
    (tmp_path / "train_images" / "x.png").rename(tmp_path / "x.png")
    (tmp_path / "test.csv").write_text("id_code\nx\n")
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 20
    assert "test has no diagnosis: 1 row not used" in notes
    with pytest.raises(HfkitError, match="There is no column 'diagnosis'"):
        load_data(str(tmp_path), task="image-classification", test_split="test")
    (tmp_path / "test.csv").write_text("id_code,Diagnosis\nx,red\n")  # which may be the label's column
    with pytest.raises(HfkitError, match="There is no column 'diagnosis'"):
        rows_of(tmp_path)


def test_texts_of_a_test_table_without_labels_are_used_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(f"text {row},{row % 2}\n" for row in range(30)))
    (tmp_path / "test.csv").write_text("text\nanother\nmore\n")
    data = load_data(str(tmp_path))
    assert sum(map(len, data.values())) == 30
    assert "test has no label: 2 rows not used" in data.summary.notes


def test_pictures_that_no_row_names_are_counted(tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    csv(tmp_path / "metadata.csv", "file_name,label", rows[:-3], ".png")
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 17
    assert "3 pictures that no row names, not used, such as blue0007.png" in notes
    csv(tmp_path / "metadata.csv", "file_name,label", rows, ".png")
    assert "no row names" not in rows_of(tmp_path)[1]


def test_of_two_pictures_of_a_name_the_splits_own_is_meant(tmp_path: Path) -> None:
    csv(tmp_path / "train.csv", "id,label", pictures(tmp_path / "train_images"))
    pictures(tmp_path / "test_images")
    found, notes = rows_of(tmp_path)
    assert sum(found.values()) == 20
    assert f"20 images of train found by name, as {tmp_path}/train_images/red0000.png" in notes
    assert "20 pictures that no row names, not used, such as test_images/blue0000.png" in notes


def test_a_picture_in_several_class_folders_has_several_labels(tmp_path: Path) -> None:
    for split, count in (("train", 12), ("test", 4)):
        for number in range(count):
            for name in (("red",), ("blue",), ("red", "blue"))[number % 3]:
                (tmp_path / split / name).mkdir(parents=True, exist_ok=True)
                disc("red", number + 50 * (split == "test")).save(tmp_path / split / name / f"{number}-of-{name}.png")
    options = {"task": "image-classification", "problem_type": "multi_label_classification", "validation_size": 0.25}
    data = load_data(str(tmp_path), **options)
    assert data.summary.label_names == ["blue", "red"]
    assert sorted(data["test"]["label"]) == [[0], [0, 1], [1], [1]]
    assert "16 files of train in class folders: 12 pictures" in data.summary.notes
    alone = load_data(str(tmp_path), task="image-classification")
    assert "4 repeated images in train (4 with another label than the first): removed" in alone.summary.notes
