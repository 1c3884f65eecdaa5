"""Masks and outlines that are broken, lie or mean harm."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from guard import Case, cases, refused, write
from PIL import Image

from hfkit.data.load import load_data


def png(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header says that it is larger."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 100))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in [*parts, (b"IEND", b"")]
    )


def pair(number: int) -> tuple[bytes, bytes]:
    rng = np.random.default_rng(number)
    return png(rng.integers(0, 255, (10, 20), dtype=np.uint8)), png(rng.integers(0, 2, (10, 20), dtype=np.uint8))


def folder(name: str = "3.png", mask: bytes | None = None, image: bytes | None = None) -> Callable[[], str]:
    """Pairs, of which the fourth has another mask or picture."""

    def make() -> str:
        for number in range(6):
            picture, own = pair(number)
            write(f"set/image/{number}.png", image if image is not None and number == 3 else picture)
            if number != 3 or mask is None:
                write(f"set/mask/{number}.png", own)
        if mask is not None:
            write(f"set/mask/{name}", mask)
        return "./set"

    return make


def linked() -> str:
    folder()()
    Path("set/mask/3.png").unlink()
    Path("set/mask/3.png").symlink_to("/etc/passwd")
    return "./set"


def objects(outline: Any = None, **more: Any) -> Callable[[], str]:
    """A COCO file of two pictures with an object, of which `more` changes entries."""

    def make() -> str:
        for number in range(2):
            write(f"set/{number}.png", pair(number)[0])
        one = {"id": 7, "image_id": 0, "category_id": 1, "segmentation": outline}
        images = [{"id": number, "file_name": f"{number}.png", "width": 20, "height": 10} for number in range(2)]
        found = {"images": images, "annotations": [one], "categories": [{"id": 1, "name": "cell"}]}
        write("set/all.json", json.dumps(found | more))
        return "./set/all.json"

    return make


def runs(counts: Any, size: Any = (10, 20)) -> Callable[[], str]:
    return objects({"size": size, "counts": counts})


def outside() -> str:
    objects([[1, 1, 5, 1, 5, 5]])()
    found = json.loads(Path("set/all.json").read_text())
    found["images"][1]["file_name"] = "../../etc/passwd"
    write("set/all.json", json.dumps(found))
    return "./set/all.json"


def strokes(rle: Any = None, **more: Any) -> Callable[[], str]:
    """An export of Label Studio of two pictures, a stroke in each, of which `more` changes entries."""

    def make() -> str:
        one = {"type": "brushlabels", "original_width": 20, "original_height": 10, "id": "r", "image_rotation": 0,
               "value": {"format": "rle", "rle": rle, "brushlabels": ["cell"]}} | more  # fmt: skip
        for number in range(2):
            write(f"set/{number}.png", pair(number)[0])
        tasks = [{"id": at, "data": {"image": f"{at}.png"}, "annotations": [{"result": [one]}]} for at in range(2)]
        write("set/all.json", json.dumps(tasks))
        return "./set/all.json"

    return make


def stretched(values: int, length: int) -> list[int]:
    """Strokes that claim so many values, in one run of so many."""
    bits = f"{values:032b}{7:05b}" + f"{15:04b}" * 4 + f"100{length - 1:016b}" + f"{255:08b}"
    return [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8)]


HUGE = [{"id": number, "file_name": f"{number}.png", "width": 300_000, "height": 300_000} for number in range(2)]
TWICE = [{"id": 0, "file_name": "0.png", "width": 20, "height": 10}] * 2
SIXTEEN = np.arange(200, dtype=np.uint16).reshape(10, 20) * 300

MASKS = cases(
    ("a mask of 30,000 x 30,000", folder(mask=claims(30_000, 30_000)), ("mask that is larger than", "image/3.png")),
    ("a mask cut off", folder(mask=pair(3)[1][:60]), ("mask that is damaged", "image/3.png")),
    ("a mask that is a page", folder(mask=b"<html><script></script>"), ("mask that is not an image",)),
    ("a mask of nothing", folder(mask=b""), ("mask that is empty",)),
    ("a mask that is a strip", folder(mask=claims(60_000, 2)), ("strip",)),
    ("a mask that is a photograph", folder(mask=png(np.random.default_rng(0).integers(0, 255, (10, 20, 3), np.uint8))),
     ("different colours",)),
    ("a mask of as many classes as pixels", folder(mask=png(SIXTEEN)), ("201 different values",)),
    ("a mask with fractions", folder("3.tif", png(np.full((10, 20), 0.5, np.float32), "TIFF")), ("with a fraction",)),
    ("a mask of infinity", folder("3.tif", png(np.full((10, 20), np.inf, np.float32), "TIFF")), ("with a fraction",)),
    ("a mask of another size", folder(mask=png(np.zeros((11, 20), np.uint8))), ("20 x 10, and its mask 20 x 11",)),
    ("a mask that leads out of the folder", linked, ("without a mask",)),
    ("a polygon of infinity", objects([[1, 1, 5, float("inf"), 5, 5]]), ("annotation 7", "polygon")),
    ("a polygon of half a point", objects([[1, 1, 5, 1, 5, 5, 9]]), ("annotation 7", "polygon")),
    ("a polygon of words", objects([["a", "b", "c", "d", "e", "f"]]), ("annotation 7",)),
    ("a polygon of two points", objects([[1, 1, 5, 5]] * 2), ("cover no pixel", "annotation 7")),
    ("strokes that overflow", strokes(stretched(800, 60_000)), ("annotation r", "more than 800 values")),
    ("strokes of four billion values", strokes(stretched((1 << 32) - 1, 9)), ("annotation r", "4,294,967,295 values")),
    ("strokes cut off", strokes(stretched(800, 700)), ("annotation r", "cut off")),
    ("strokes of numbers that are no bytes", strokes([0, 0, 3, 3200]), ("annotation r",)),
    ("strokes of a number", strokes(10**12), ("annotation r", "a list of bytes")),
    ("strokes of a picture of ninety billion pixels",
     strokes([], original_width=300_000, original_height=300_000), ("task 0", "300000 x 300000")),
    ("a polygon of words", strokes(type="polygonlabels", value={"points": [["a", "b"]], "polygonlabels": ["cell"]}),
     ("task 0",)),
    ("a stroke without a value", strokes(value=None), ("task 0",)),
    ("an outline of nothing", objects(None), ("annotation 7", "neither polygons nor runs")),
    ("runs beyond the picture", runs([0, 10**12]), ("annotation 7", "1,000,000,000,000 pixels")),
    ("negative runs", runs([300, -100]), ("annotation 7",)),
    ("a string of runs that never ends", runs("o" * 500), ("annotation 7", "part of a run")),
    ("runs of another picture", runs([200], (20, 20)), ("annotation 7", "20, 20")),
    ("a picture of ninety billion pixels", objects([[1, 1, 5, 1, 5, 5]], images=HUGE), ("300000 x 300000",)),
    ("two pictures of one id", objects([[1, 1, 5, 1, 5, 5]], images=TWICE), ("one id",)),
    ("an object of no category", objects([[1, 1, 5, 1, 5, 5]], categories=[]), ("category 1",)),
    ("a file that lies elsewhere", outside, ("may not be followed",)),
)  # fmt: skip


@pytest.mark.parametrize("case", MASKS)
def test_a_hostile_mask_is_not_loaded(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    refused(case, lambda path: load_data(path, task="image-segmentation"), capsys)
