"""Boxes in every form that they come in: read as what they mean, or refused with what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_files import NAMES, coco_folder, scene, voc, voc_folder, write, yolo_folder
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets import Image as ImageFeature
from PIL import Image

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data, load_test


def loaded(path: Path, **options: Any) -> Any:
    return load_data(str(path), task="object-detection", **options)


def by_number(data: Any) -> dict[int, list[tuple[str, list[float]]]]:
    """The objects of each scene, by its number."""
    found = {}
    for rows in data.values():
        names = rows.features["label"].feature.names
        for row in rows.remove_columns("image"):
            held = zip(row["label"], row["boxes"], strict=True)
            found[int(Path(row["id"]).stem.split(":")[-1])] = [(names[one], box) for one, box in held]
    return found


def expected(number: int) -> list[tuple[str, list[float]]]:
    return [(NAMES[kind], list(map(float, box))) for kind, box in scene(number)[1]]


def picture(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene(number)[0]).save(path)
    return path


def rows_of(root: Path, rows: int = 12, **form: Any) -> Path:
    """root/metadata.jsonl with the pictures beside it."""
    lines = []
    for number in range(rows):
        picture(root / f"{number}.png", number)
        found = scene(number)[1]
        boxes = [form.get("as_", lambda box: box)(box) for _, box in found]
        objects = {"bbox": boxes, "category": [NAMES[kind] for kind, _ in found]}
        lines.append(json.dumps({"file_name": f"{number}.png", "objects": objects, "id": f"{number}.x"}))
    (root / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return root


def test_every_form_is_the_same_boxes(tmp_path: Path) -> None:
    forms: dict[str, Callable[[Any], Any]] = {
        "xyxy": lambda box: box,
        "xywh": lambda box: [box[0], box[1], box[2] - box[0], box[3] - box[1]],
        "cxcywh": lambda box: [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]],
        "shares": lambda box: [box[0] / 64, box[1] / 48, box[2] / 64, box[3] / 48],
    }
    places = {
        "coco": coco_folder(tmp_path / "coco", {"train": 9, "test": 3}),
        "voc": voc_folder(tmp_path / "voc", 12),
        "yolo": yolo_folder(tmp_path / "yolo", 12),
        **{name: rows_of(tmp_path / name, as_=form) for name, form in forms.items()},
    }
    for name, place in places.items():
        data = loaded(place)
        assert data["train"].features["label"].feature.names == list(NAMES), name
        for number, objects in by_number(data).items():
            known = expected(number)
            assert [one for one, _ in objects] == [one for one, _ in known], name
            assert np.allclose([box for _, box in objects], [box for _, box in known]), (name, number)
        assert sum(map(len, data.values())) == 12, "pictures without a box are kept"
        told = "\n".join(data.summary.notes)
        if name in forms:
            assert f"read as {name if name != 'shares' else 'xyxy'}" in told
        assert "without a box, kept" in told or "without a text file" in told, name
        assert ("begin with 1" in told) == (name == "voc")


def test_a_box_a_row_and_a_hub_data_set_are_read(tmp_path: Path) -> None:
    lines = ["image,xmin,ymin,xmax,ymax,label,video"]
    columns: dict[str, list[Any]] = {"image": [], "objects": []}
    for number in range(12):
        path, found = picture(tmp_path / "set" / f"{number}.png", number), scene(number)[1]
        for kind, box in found or [(None, ["", "", "", ""])]:
            label = "" if kind is None else NAMES[kind]
            lines.append(f"{number}.png,{','.join(map(str, box))},{label},v{number // 3}")
        columns["image"].append(str(path))
        columns["objects"].append({"bbox": [[*box[:2], box[2] - box[0], box[3] - box[1]] for _, box in found],
                                   "category": [kind for kind, _ in found]})  # fmt: skip
    (tmp_path / "set" / "boxes.csv").write_text("\n".join(lines) + "\n")
    data = loaded(tmp_path / "set" / "boxes.csv", group_column="video")
    groups = [set(rows["group"]) for rows in data.values()]
    assert not groups[0] & groups[1] and sum(map(len, data.values())) == 12
    assert sum(len(one) for rows in data.values() for one in rows["label"]) == sum(len(scene(n)[1]) for n in range(12))
    kinds = {"bbox": List(List(Value("float32"))), "category": List(ClassLabel(names=list(NAMES)))}
    held = Dataset.from_dict(columns, features=Features(image=ImageFeature(), objects=kinds))
    held.map(lambda row: row, features=held.features).to_parquet(tmp_path / "rows.parquet")
    data = loaded(tmp_path / "rows.parquet")
    assert data["train"].features["label"].feature.names == list(NAMES)


def test_splits_of_voc_are_those_of_its_lists(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "set", 10)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for split, numbers in (("train", range(5)), ("val", [5, 6]), ("test", [7, 8]), ("trainval", range(7))):
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(map(str, numbers)) + "\n")
    data = loaded(root)
    assert [len(data[split]) for split in ("train", "validation", "test")] == [5, 2, 2]
    assert any("1 XML file in no list" in note for note in data.summary.notes)
    assert len(load_test(str(root), task="object-detection", label_names=list(NAMES))["test"]) == 2
    (root / "ImageSets" / "Main" / "test.txt").write_text("7\nnever\n")
    with pytest.raises(HfkitError, match="1 name of the split 'test' without an XML file"):
        loaded(root)


def test_what_is_wrong_with_boxes_is_counted_with_its_file(tmp_path: Path) -> None:
    odd = [[-5, 4, 20, 20], [70, 4, 90, 20], [4, 4, 4, 20], [8, 8, 20, 20], [8, 8, 20, 20]]
    root = voc_folder(tmp_path / "set", 8)
    (root / "Annotations" / "3.xml").write_text(voc([("dark", box) for box in odd]))
    data = loaded(root)
    told = "\n".join(data.summary.notes)
    for what in ("1 box cut off", "1 box outside", "1 box without an area", "1 box that stand there twice"):
        assert what in told and "Annotations/3.xml" in told, what
    assert [box for _, box in by_number(data)[3]] == [[0.0, 4.0, 20.0, 20.0], [8.0, 8.0, 20.0, 20.0]]


def test_crowds_and_hard_cases_are_void(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "voc", 6)
    (root / "Annotations" / "2.xml").write_text(voc([("dark", [2, 2, 20, 20])], more="<difficult>1</difficult>"))
    data = loaded(root)
    assert sum(sum(one) for rows in data.values() for one in rows["void"]) == 1
    assert any("neither learnt nor judged" in note for note in data.summary.notes)


def test_a_turned_picture_turns_its_boxes_where_they_are_of_the_file(tmp_path: Path) -> None:
    """Orientation 6: the file lies on its left side."""
    root, exif = voc_folder(tmp_path / "set", 6), Image.Exif()
    exif[0x0112] = 6
    upright = np.zeros((64, 48, 3), np.uint8)
    upright[10:30, 5:15] = 255
    stored = Image.fromarray(np.rot90(upright).copy())
    stored.save(root / "JPEGImages" / "2.png", exif=exif)
    y, x = np.nonzero(np.asarray(stored)[..., 0])
    box = [x.min() + 1, y.min() + 1, x.max() + 1, y.max() + 1]
    (root / "Annotations" / "2.xml").write_text(voc([("bright", box)], size=(64, 48)))
    assert by_number(loaded(root))[2] == [("bright", [5.0, 10.0, 15.0, 30.0])]
    (root / "Annotations" / "2.xml").write_text(voc([("bright", [6, 11, 15, 30])], size=(48, 64)))
    assert by_number(loaded(root))[2] == [("bright", [5.0, 10.0, 15.0, 30.0])]
    (root / "Annotations" / "2.xml").write_text(voc([("bright", [6, 11, 15, 30])], size=(480, 640)))
    with pytest.raises(HfkitError, match="of a picture of 480 x 640 pixels, and it has 48 x 64"):
        loaded(root)


def test_numbers_of_classes_may_begin_with_1_and_may_have_no_names(tmp_path: Path) -> None:
    root = yolo_folder(tmp_path / "set", 12, names=False)
    assert loaded(root)["train"].features["label"].feature.names == ["0", "1"]
    for file in (root / "labels").glob("*.txt"):
        lines = file.read_text().splitlines()
        file.write_text("".join(f"{int(line[0]) + 1}{line[1:]}\n" for line in lines))
    data = loaded(root, class_names=list(NAMES))
    assert by_number(data)[0] and [one for one, _ in by_number(data)[0]] == [one for one, _ in expected(0)]
    assert any("numbers of classes begin with 1" in note for note in data.summary.notes)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><annotation><filename>&i;</filename></annotation>"
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation><folder>&a;'
    "</folder></annotation>"
)
ROWS = [{"id": 0, "file_name": "0.png", "width": 64, "height": 48}]
OBJECT = {"id": 0, "image_id": 0, "category_id": 5, "bbox": [4, 4, 9, 9]}


def in_voc(text: str) -> Callable[[Path], Path]:
    def made(root: Path) -> Path:
        voc_folder(root, 6)
        (root / "Annotations" / "1.xml").write_text(text)
        return root

    return made


def in_coco(objects: list[dict[str, Any]], **more: Any) -> Callable[[Path], Path]:
    def made(root: Path) -> Path:
        picture(root / "0.png")
        return write(root / "some.json", ROWS, objects, **more)

    return made


def in_yolo(text: str) -> Callable[[Path], Path]:
    def made(root: Path) -> Path:
        yolo_folder(root, 6)
        (root / "labels" / "1.txt").write_text(text)
        return root

    return made


def in_rows(objects: Any) -> Callable[[Path], Path]:
    def made(root: Path) -> Path:
        rows_of(root, 6)
        line = json.dumps({"file_name": "9.png", "objects": objects, "id": "9"})
        picture(root / "9.png", 9)
        (root / "metadata.jsonl").write_text((root / "metadata.jsonl").read_text() + line + "\n")
        return root

    return made


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a bomb of entities": (in_voc(BOMB), "declares the entity 'a', which is not read"),
    "a file elsewhere": (in_voc(OUTSIDE), "declares the entity 'a', which is not read"),
    "cut off": (in_voc("<annotation><object>"), r"1\.xml line 1.*|The file is not XML"),
    "no box": (in_voc("<annotation><object><name>a</name></object></annotation>"), "A box is four numbers"),
    "no name": (in_voc(voc([("", [1, 1, 9, 9])])), "An object has no name"),
    "words": (in_voc(voc([("dark", ["a", 1, 9, 9])])), "A box is four numbers"),  # type: ignore[list-item]
    "deep": (in_voc("<a>" * 1_000_000), "nested more than 100 deep"),
    "an XML without a picture": (lambda root: [voc_folder(root, 4), (root / "JPEGImages" / "1.png").unlink()][0],
                                 r"1 XML file without one picture of its name: Annotations/1\.xml"),
    "many objects": (in_coco([OBJECT] * 40_000), "40,000 objects, and a picture may have 20,000"),
    "an unknown category": (in_coco([OBJECT | {"category_id": 99}]), "category 99, which the file does not have"),
    "an unknown picture": (in_coco([OBJECT | {"image_id": 7}]), "of picture 7"),
    "three numbers": (in_coco([OBJECT | {"bbox": [1, 2, 3]}]), "A box is four numbers"),
    "an outline of one point": (in_coco([OBJECT | {"bbox": None, "segmentation": [[1, 2]]}]), "of two points at least"),
    "an outline of words": (in_coco([OBJECT | {"bbox": None, "segmentation": [["a", "b"]]}]), "An outline is"),
    "no picture": (in_coco([OBJECT | {"bbox": None, "segmentation": {"counts": "x", "size": [1, 1]}}]),
                   "A box is four numbers"),
    "a number too large": (in_coco([OBJECT | {"bbox": [0, 0, 1e308, 1e308]}] * 2), "lie outside of their pictures"),
    "a class beyond": (in_yolo("7 0.5 0.5 0.1 0.1\n"), "There is no class 7"),
    "a score": (in_yolo("0 0.5 0.5 0.1 0.1 0.9\n"), "answers of a model, with a score"),
    "pixels for shares": (in_yolo("0 50 50 10 10\n"), "lie outside of their pictures|should be shares"),
    "no number": (in_yolo("cat 0.5 0.5 0.1 0.1\n"), "begins with the number of a class"),
    "infinite": (in_yolo("0 nan inf 0.1 0.1\n"), ""),
    "lists that differ": (in_rows({"bbox": [[1, 1, 5, 5]], "category": []}), "differ in length"),
    "a list of words": (in_rows(["dark"]), "A box is four numbers"),
    "a text": (in_rows("dark"), "A list of boxes is asked for"),
    "a label that is none": (in_rows({"bbox": [[1, 1, 5, 5]], "category": [1.5]}), "a name or a number"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_in_a_line(case: str, tmp_path: Path) -> None:
    make, what = HOSTILE[case]
    path = make(tmp_path / "set")
    if not what:  # counted, not refused
        assert any("1 box without an area, left out" in note for note in loaded(path).summary.notes)
        return
    with pytest.raises(HfkitError, match=what):
        loaded(path)


def test_what_can_be_read_in_two_ways_is_asked(tmp_path: Path) -> None:
    folder = rows_of(tmp_path / "set", 6, as_=lambda box: [10, 10, 20, 20])
    with pytest.raises(HfkitError, match="xywh and xyxy and cxcywh lie in their pictures alike"):
        loaded(folder)
    data = loaded(folder, box_format="xyxy")
    assert next(box for one in by_number(data).values() for _, box in one) == [10.0, 10.0, 20.0, 20.0]
