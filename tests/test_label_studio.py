"""What was painted and outlined in Label Studio: the masks are those that its own converter makes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_files import scene
from PIL import Image
from test_mask_data import ids, loaded

from hfkit.data.vision.masks.brush import painted

# mask2rle and decode_rle of label-studio-sdk 2.1.2 (converter/brush.py) for two rectangles that overlap; and for a
# stream of all its parts: values of their own, runs of 3, 4 and 8 bits.
STROKES = [0, 0, 3, 32, 57, 27, 254, 171, 0, 194, 255, 248, 220, 3, 11, 255, 227, 112, 12, 47, 255, 141, 192, 49, 127,
           254, 31, 0, 197, 255, 248, 188, 3, 15, 255, 226, 240, 12, 63, 255, 152, 192, 0]  # fmt: skip
MIXED = [0, 0, 0, 40, 57, 27, 249, 112, 144, 144, 159, 240, 16, 32, 48, 8, 192, 48, 220, 16]


def rectangles() -> np.ndarray:
    inside = np.zeros((10, 20), dtype=bool)
    inside[2:7, 3:9] = inside[5:9, 7:15] = True
    return inside


def result(kind: str = "brushlabels", label: str = "cell", size: tuple[int, int] = (20, 10), **value: Any) -> dict:
    return {
        "id": "r1",
        "type": kind,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": value | {kind: [label]},
    }


def export(folder: Path, results: dict[int, list[list[dict]]], **more: Any) -> Path:
    """An export of 8 pictures of 20 x 10; `results` are those of their annotations, one without any by default."""
    folder.mkdir(parents=True)
    tasks = []
    for number in range(8):
        Image.fromarray(scene(number, (48, 40))[0][:10, :20]).save(folder / f"{number}.png")
        done = [{"result": one, "was_cancelled": False} for one in results.get(number, [[]])]
        data = {"image": f"/data/upload/3/0a1b2c3d-{number}.png"}
        tasks.append({"id": number, "data": data, "annotations": done} | more)
    (folder / "project-3.json").write_text(json.dumps(tasks))
    return folder


def test_strokes_are_unpacked_as_label_studio_does() -> None:
    assert (painted(STROKES, 10, 20) == rectangles()).all()
    there = np.ones(10, dtype=bool)
    there[1:3] = False
    assert (painted(MIXED, 2, 5) == there.reshape(2, 5)).all()


def test_brush_and_polygons_become_masks(tmp_path: Path) -> None:
    stroke = result(format="rle", rle=STROKES)
    corners = result("polygonlabels", "axon", points=[[10, 0], [45, 0], [45, 90], [10, 90]], closed=True)
    other = result("keypointlabels", x=1)
    folder = export(tmp_path / "set", {1: [[corners], [stroke, other]], 2: [[corners]], 3: []})
    data = loaded(folder)
    assert data["train"].features["label"].feature.names == ["background", "axon", "cell"]
    found = {row["id"]: ids(split, at) for split in data.values() for at, row in enumerate(split)}
    assert set(found) == {f"{number}.png" for number in (0, 1, 2, 4, 5, 6, 7)}
    assert ((found["1.png"] == 2) == rectangles()).all() and set(np.unique(found["1.png"])) == {0, 2}
    assert (found["2.png"][:, 2:9] == 1).all() and (found["2.png"] == 1).sum() >= 70
    assert not found["0.png"].any()
    notes = " ".join(data.summary.notes)
    for told in ("1 picture without an annotation, left out", "1 further annotation of a picture, not used",
                 "1 result of type keypointlabels, left out"):  # fmt: skip
        assert told in notes


@pytest.mark.parametrize(
    "by", ["/data/local-files/?d=some%2Fwhere/1.png", "s3://bucket/1.png", "https://a.b/1.png?t=9"]
)
def test_a_picture_is_found_by_its_name_wherever_label_studio_read_it(by: str, tmp_path: Path) -> None:
    folder = export(tmp_path / "set", {at: [[result(format="rle", rle=STROKES)]] for at in range(8)})
    (folder / "images").mkdir()
    (folder / "1.png").rename(folder / "images" / "1.png")
    tasks = json.loads((folder / "project-3.json").read_text())
    tasks[1]["data"]["image"] = by
    (folder / "project-3.json").write_text(json.dumps(tasks))
    data = loaded(folder / "project-3.json")
    assert "images/1.png" in {row["id"] for split in data.values() for row in split}
