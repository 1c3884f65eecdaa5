"""Masks in every form that they come in: read as what they mean, or refused with what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Features
from datasets import Image as ImageFeature
from mask_files import coco, mask_folder, scene
from PIL import Image

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data, load_test
from hfkit.data.sources.packaged.slices import slices
from hfkit.data.vision.coco import filled, inside_of
from hfkit.data.vision.masks.values import VOID, class_table, read_mask
from hfkit.tasks.image_segmentation.task import ids_of

Pixels = Callable[[np.ndarray], Image.Image]


def loaded(path: Path, **options: Any) -> Any:
    return load_data(str(path), task="image-segmentation", **options)


def ids(rows: Any, row: int = 0) -> np.ndarray:
    return ids_of(rows.cast_column("mask", ImageFeature(decode=False))[row]["mask"])


def written(root: Path, mask: Pixels, ending: str = "png", rows: int = 6, **options: Any) -> Path:
    """A folder of pictures with masks that `mask` makes of where the disc is."""
    mask_folder(root, {"": rows})
    for number in range(rows):
        (root / "mask" / f"{number}.png").unlink()
        mask(scene(number)[1]).save(root / "mask" / f"{number}.{ending}", **options)
    return root


def palette(inside: np.ndarray) -> Image.Image:
    image = Image.fromarray(inside.astype(np.uint8) * 2 + 1).convert("L")
    image.putpalette([0, 0, 0, 9, 9, 9, 128, 0, 0, 0, 128, 0])
    return image


def voided(inside: np.ndarray) -> Image.Image:
    numbers = inside.astype(np.uint8)
    numbers[:2] = 255
    return Image.fromarray(numbers)


def coloured(inside: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(inside[..., None], (128, 64, 128), (0, 0, 0)).astype(np.uint8))


FORMS: list[tuple[str, Pixels, list[str], str]] = [
    ("0 and 255", lambda inside: Image.fromarray(inside.astype(np.uint8) * 255), ["background", "foreground"], ""),
    ("0 and 1", lambda inside: Image.fromarray(inside.astype(np.uint8)), ["background", "foreground"], ""),
    ("bits", lambda inside: Image.fromarray(inside), ["background", "foreground"], ""),
    ("a palette", palette, ["1", "3"], ""),
    ("numbers", lambda inside: Image.fromarray(inside.astype(np.uint8) * 4), ["0", "4"], ""),
    ("16 bits", lambda inside: Image.fromarray(inside.astype(np.uint16) * 300), ["0", "300"], ""),
    ("void", voided, ["background", "foreground"], "value 255 of the masks is void"),
    ("colours", coloured, ["#000000", "#804080"], ""),
    ("grey in colour", lambda inside: Image.fromarray(inside.astype(np.uint8) * 255).convert("RGB"),
     ["background", "foreground"], ""),
]  # fmt: skip


@pytest.mark.parametrize(("form", "names", "note"), [one[1:] for one in FORMS], ids=[one[0] for one in FORMS])
def test_a_mask_is_read_as_what_it_means(form: Pixels, names: list[str], note: str, tmp_path: Path) -> None:
    data = loaded(written(tmp_path / "set", form))
    assert data["train"].features["label"].feature.names == names
    for row in range(len(data["train"])):
        number = int(Path(data["train"][row]["id"]).stem)
        there, known = ids(data["train"], row), ids(data["train"], row) != VOID
        assert ((there == 1) == scene(number)[1])[known].all() and known.mean() > 0.9
    assert any(note in one for one in data.summary.notes)


def test_what_jpeg_smears_is_mended_and_counted_where_there_are_two_ends(tmp_path: Path) -> None:
    form: Pixels = lambda inside: Image.fromarray(inside.astype(np.uint8) * 255)  # noqa: E731
    data = loaded(written(tmp_path / "set", form, "jpg", quality=90))
    assert data["train"].features["label"].feature.names == ["background", "foreground"]
    assert any("neither 0 nor 255, as JPEG leaves them" in note for note in data.summary.notes)
    number = int(Path(data["train"][0]["id"]).stem)
    assert (ids(data["train"]) == scene(number)[1]).mean() > 0.99
    with pytest.raises(HfkitError, match="JPEG changes them"):
        loaded(written(tmp_path / "other", lambda inside: Image.fromarray(inside.astype(np.uint8) * 90), "jpg"))


def test_a_table_names_colours_and_card_or_flag_names_numbers(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", coloured)
    (folder / "class_dict.csv").write_text("name,r,g,b\nother,0,0,0\nroad,128,64,128\nsky,1,2,3\n")
    data = loaded(folder)
    assert data["train"].features["label"].feature.names == ["other", "road", "sky"]
    assert any("no pixel of sky" in note for note in data.summary.notes)
    (folder / "class_dict.csv").write_text("other,0,0,0\nsky,1,2,3\n")
    with pytest.raises(HfkitError, match="#804080"):
        loaded(folder)
    assert class_table("road:128,64,128::\n", "labelmap.txt") == {0x804080: "road"}
    numbers = written(tmp_path / "numbers", voided)
    data = loaded(numbers, class_names=["other", "disc", "never"])
    assert data["train"].features["label"].feature.names == ["other", "disc", "never"]
    assert any("classes that no mask holds: never" in note for note in data.summary.notes)
    data = loaded(numbers, ignore_index=1)
    assert set(np.unique(ids(data["train"]))) <= {0, 1, VOID} and (ids(data["train"]) == VOID).any()


def test_splits_come_from_folders_or_are_made(tmp_path: Path) -> None:
    data = loaded(mask_folder(tmp_path / "a", {"train": 6, "val": 2, "test": 3}))
    assert {split: len(rows) for split, rows in data.items()} == {"train": 6, "validation": 2, "test": 3}
    other = mask_folder(tmp_path / "b", {"": 10})
    (other / "image").rename(other / "imgs")
    for number in range(10):
        (other / "mask" / f"{number}.png").rename(other / "mask" / f"{number}_mask.png")
    assert sorted(map(len, loaded(other).values())) == [1, 1, 8]
    inner = tmp_path / "c"
    for split, count in (("train", 5), ("test", 2)):
        for kind in ("image", "mask"):
            (inner / f"{kind}s" / split).mkdir(parents=True)
            for number in range(count):
                pixels, inside = scene(number + 9 * (split == "test"))
                made = pixels if kind == "image" else inside.astype(np.uint8) * 255
                Image.fromarray(made).save(inner / f"{kind}s" / split / f"{number}.png")
    assert len(loaded(inner)["test"]) == 2
    assert len(load_test(str(other), task="image-segmentation", label_names=["background", "foreground"])["test"]) == 10


def test_vocs_lists_say_what_is_learnt_and_what_judges(tmp_path: Path) -> None:
    """Of its pictures the fewest have a mask, its Annotations are boxes, and train.txt and val.txt leave some out."""
    root = mask_folder(tmp_path / "devkit" / "VOC2012", {"": 10})
    (root / "image").rename(root / "JPEGImages")
    (root / "mask").rename(root / "SegmentationClass")
    (root / "SegmentationClass" / "9.png").unlink()
    (root / "Annotations").mkdir()
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    for split, numbers in (("train", range(5)), ("val", [5, 6]), ("trainval", range(7))):
        lines = "".join(f"{number}\n" for number in numbers)
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(lines)
    data = loaded(tmp_path / "devkit")
    ids = {split: {Path(row["id"]).stem for row in rows} for split, rows in data.items()}
    assert ids["train"] | ids["test"] == set("01234") and ids["validation"] == set("56")
    listed = root / "ImageSets" / "Segmentation" / "val.txt"
    for names, problem in (
        ("5\ngone\n", "1 name without a picture: gone"),
        ("5\n9\n", "1 picture without a mask: .*9.png"),
        ("5\n4\n", "4 stands in several splits"),
    ):
        listed.write_text(names)
        with pytest.raises(HfkitError, match=problem):
            loaded(tmp_path / "devkit")


def test_tables_of_paths_and_of_pictures_are_read(tmp_path: Path) -> None:
    folder = mask_folder(tmp_path / "set", {"": 9})
    lines = [f"image/{number}.png,mask/{number}.png,p{number // 3}" for number in range(9)]
    (folder / "rows.csv").write_text("image,mask,patient\n" + "\n".join(lines) + "\n")
    data = loaded(folder / "rows.csv", group_column="patient")
    groups = [set(rows["group"]) for rows in data.values()]
    assert not groups[0] & groups[2] and sum(map(len, data.values())) == 9
    columns = {"pixels": [str(folder / "image" / f"{n}.png") for n in range(9)]}
    columns["annotation"] = [str(folder / "mask" / f"{n}.png") for n in range(9)]
    kinds = Features(pixels=ImageFeature(), annotation=ImageFeature())
    held = Dataset.from_dict(columns, features=kinds)
    held.map(lambda row: row, features=kinds).to_parquet(tmp_path / "rows.parquet")
    data = loaded(tmp_path / "rows.parquet")
    assert data.summary.label_column == "annotation" and ids(data["train"]).max() == 1


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    folder = mask_folder(tmp_path / "set", {"": 8})
    Image.fromarray(scene(3, (40, 48))[1].astype(np.uint8) * 255).save(folder / "mask" / "3.png")
    with pytest.raises(HfkitError, match="48 x 40, and its mask 40 x 48, turned: the picture's EXIF"):
        loaded(folder)
    assert any(
        "1 image of train whose masks cannot be used" in note
        for note in loaded(folder, skip_corrupt=True).summary.notes
    )
    (folder / "mask" / "3.png").unlink()
    with pytest.raises(HfkitError, match=r"1 picture without a mask: image/3\.png"):
        loaded(folder)
    (folder / "image" / "3.png").unlink()
    Image.fromarray(scene(9)[0]).save(folder / "mask" / "99.png")
    with pytest.raises(HfkitError, match=r"1 mask without a picture: mask/99\.png"):
        loaded(folder)


def test_a_folder_of_pairs_trains_no_classifier(tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match="image and mask hold pictures and a mask for each"):
        load_data(str(mask_folder(tmp_path / "set", {"": 4})), task="image-classification")
    with pytest.raises(HfkitError, match="No column holds masks"):
        folder = tmp_path / "classes"
        for name in ("cat", "dog"):
            (folder / name).mkdir(parents=True)
            Image.fromarray(scene(3)[0]).save(folder / name / "1.png")
        loaded(folder)


def test_an_exif_turn_is_undone_in_both(tmp_path: Path) -> None:
    folder, exif = mask_folder(tmp_path / "set", {"": 5}), Image.Exif()
    exif[0x0112] = 6
    for kind in ("image", "mask"):
        path = folder / kind / "2.png"
        Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    data = loaded(folder)
    rows = [(split, row) for split in data for row, one in enumerate(data[split]["id"]) if one == "image/2.png"]
    assert (ids(data[rows[0][0]], rows[0][1]) == scene(2)[1]).all()


RING = [[2, 2, 8, 2, 8, 6, 2, 6]]


def test_coco_is_drawn(tmp_path: Path) -> None:
    for number in range(6):
        Image.fromarray(scene(number, (20, 20))[0][:10]).save(tmp_path / f"{number}.png")
    runs = {"size": [10, 20], "counts": [0, 3, 197]}
    objects = [{"segmentation": RING}, {"segmentation": [[4, 3, 6, 3, 6, 4, 4, 4]], "category_id": 4}]
    objects += [{"segmentation": runs, "image_id": 1}, {"segmentation": [[1, 1, 2, 2]], "image_id": 1}]
    files = [{"file_name": f"{number}.png"} for number in range(6)]
    path = coco(tmp_path / "some.json", files, objects, ("cell", "core"))
    data = loaded(path, keep_duplicates=True)
    found = {one["id"]: one for split in data.values() for one in split.cast_column("mask", ImageFeature(decode=False))}
    assert data["train"].features["label"].feature.names == ["background", "cell", "core"]
    first = ids_of(found["0.png"]["mask"])
    assert first[4, 3] == 1 and first[3, 5] == 2, "a small object lies over a large one"
    second = ids_of(found["1.png"]["mask"])
    assert second[:3, 0].tolist() == [1, 1, 1] and second.sum() == 3, "runs go down the columns"
    assert not ids_of(found["2.png"]["mask"]).any()
    assert any("1 object of some.json that cover no pixel, left out" in note for note in data.summary.notes)


def test_runs_as_a_string_are_cocos() -> None:
    """What pycocotools.mask.encode makes of a 4 x 5 mask with the pixels 5, 6, 7, 13 and 14, counted down columns."""
    inside = np.zeros(20, dtype=bool)
    inside[[5, 6, 7, 13, 14]] = True
    expected = inside.reshape(5, 4).T
    assert (filled([5, 3, 5, 2, 5], 4, 5) == expected).all()
    assert (filled("535O0", 4, 5) == expected).all()
    assert (inside_of({"size": [4, 5], "counts": "535O0"}, 5, 4) == expected).all()


def test_the_same_picture_in_two_splits_is_kept_out_of_training(tmp_path: Path) -> None:
    folder = mask_folder(tmp_path / "set", {"train": 5, "val": 2, "test": 2})
    for kind in ("image", "mask"):
        (folder / "train" / kind / "99.png").write_bytes((folder / "test" / kind / "7.png").read_bytes())
    data = loaded(folder)
    assert len(data["train"]) == 5 and any("also stand in test" in note for note in data.summary.notes)
    assert json.dumps(data.summary.splits)


def test_slices_of_a_volume_are_held_out_in_blocks(tmp_path: Path) -> None:
    numbers = [np.full((4, 5), number, np.int32) for number in range(60)]
    for name, kind in (("cells.tif", np.uint16), ("cells_label.tif", np.int32)):
        first, *others = [Image.fromarray(one.astype(kind)) for one in numbers]
        first.save(tmp_path / name, save_all=True, append_images=others)
    table = slices(tmp_path / "cells.tif")
    split = table.columns["split"]
    assert [split.count(name) for name in ("train", "validation", "test", "gap")] == [32, 4, 20, 4]
    assert table.columns["image"][7]["bytes"].endswith(b"65535\n" + b"\x00\x07" * 20)
    held = [set(read_mask(one).pixels.ravel().tolist()) for one in table.columns["mask"]]
    assert held == [{0}, *[{1}] * 59]
    parts = [{at for at, name in enumerate(split) if name == role} for role in ("train", "test")]
    assert min(parts[1]) - max(parts[0]) > 2, "neighbours are nearly equal"


def test_what_a_slice_cuts_of_an_object_is_one_box(tmp_path: Path) -> None:
    numbers = [np.zeros((20, 30), np.int32) for _ in range(60)]
    numbers[1][2:8, 3:9], numbers[1][2:8, 12:15] = 5, 5  # two parts of one
    numbers[1][4:19, 10:12], numbers[1][0:3, 20:25] = 2, 9  # the last has 15 pixels
    for name, kind in (("cells.tif", np.uint16), ("cells_label.tif", np.int32)):
        first, *others = [Image.fromarray(one.astype(kind)) for one in numbers]
        first.save(tmp_path / name, save_all=True, append_images=others)
    objects = slices(tmp_path / "cells.tif").columns["objects"]
    assert objects[1] == [
        {"box": [10, 4, 12, 19], "category": "nucleus"},
        {"box": [3, 2, 15, 8], "category": "nucleus"},
    ]
    assert objects[0] == []
