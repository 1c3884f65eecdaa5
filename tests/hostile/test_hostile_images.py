"""Pictures and image models that are broken, lie or mean harm."""

import gzip
import io
import json
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from guard import Case, bounded, cases, refused, write
from PIL import Image

import hfkit
from hfkit.data.load import load_data

FOLDER = Path("set/red")


def picture(colour: int = 200, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), colour, dtype=np.uint8)).save(stream, kind, **options)
    return stream.getvalue()


def among(name: str, content: bytes | Callable[[Path], Any]) -> Callable[[], str]:
    """A folder of two classes with one file more."""

    def make() -> str:
        for number in range(12):
            write(f"set/{('red', 'blue')[number % 2]}/{number}.png", picture(10 * number + 5))
        if callable(content):
            content(FOLDER / name)
        else:
            write(f"set/red/{name}", content)
        return "./set"

    return make


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header says that it is larger."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in chunks
    )


def chatty() -> bytes:
    """A PNG with ten comments that unpack to 100 MB each."""
    text = b"zTXt" + b"key\0\0" + zlib.compress(b"\0" * 100_000_000)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    whole = picture()
    return whole[:33] + chunk * 10 + whole[33:]


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(picture())
        stream.truncate(8 << 30)


def idx(rows: int, pixels: bytes, labels: bytes) -> Callable[[], str]:
    def make() -> str:
        write("set/train-images-idx3-ubyte.gz", gzip.compress(struct.pack(">IIII", 0x803, rows, 5, 5) + pixels))
        write("set/train-labels-idx1-ubyte.gz", gzip.compress(struct.pack(">II", 0x801, rows) + labels))
        return "./set"

    return make


PICTURES = cases(
    ("a bomb", among("x.png", claims(60_000, 60_000)), ("red/x.png", "larger than")),
    ("a picture of no pixels", among("x.png", claims(0, 0)), ("red/x.png",)),
    ("a picture longer than its data", among("x.png", claims(1000, 1000)), ("red/x.png", "damaged")),
    ("a picture cut off", among("x.png", picture()[:50]), ("red/x.png", "damaged")),
    ("comments that swell", among("x.png", chatty()), ("red/x.png",)),
    ("a picture of eight gigabytes", among("x.png", huge), ("red/x.png", "bytes")),
    ("a page called png", among("x.png", b"<html><script>document.title = 1</script>"), ("red/x.png", "not an image")),
    ("a drawing that is a program", among("x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run\n"), ("red/x.png",)),
    ("a pickle called png", among("x.png", pickle.dumps([1])), ("red/x.png", "not an image")),
    ("a link out of the folder", among("x.png", lambda path: path.symlink_to("/etc/passwd")), ("red/x.png", "link")),
    ("a link to itself", among("x.png", lambda path: path.symlink_to(path.name)), ("red/x.png", "link")),
    ("an idx file that swells", idx(4, b"\0" * 100_000_000, b"\0" * 4), ("train-images", "bytes")),
    ("an idx file of more than there is", idx(2**32 - 1, b"\0" * 99, b"\0" * 4), ("train-images", "cut off")),
    ("an idx file of nothing", idx(0, b"", b""), ("train-images",)),
    ("an idx file that is no gzip", lambda: (idx(1, b"", b"")(), write("set/train-images-idx3-ubyte.gz", b"\x1f\x8bxx"),
     "./set")[-1], ("train-images", "cannot be read")),
)  # fmt: skip


@pytest.mark.parametrize("case", PICTURES)
def test_a_hostile_picture_is_not_loaded(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    refused(case, lambda path: load_data(path, task="image-classification"), capsys)


SKIPPED = {"bomb.png": claims(60_000, 60_000), "zero.png": b"", "text.png": b"only text", "cut.png": picture()[:50]}


def test_hostile_pictures_are_skipped_counted_and_named_where_that_is_asked_for() -> None:
    among("0.png", picture(3))()
    for name, content in SKIPPED.items():
        write(f"set/red/{name}", content)
    with bounded():
        data = load_data("./set", task="image-classification", skip_corrupt=True)
    assert sum(map(len, data.values())) == 12
    (note,) = (note for note in data.summary.notes if "skipped" in note)
    assert note.startswith(f"{len(SKIPPED)} images of train skipped")
    assert all(f"red/{name} " in note for name in SKIPPED)


TIMM = {
    "architectures": ["TimmWrapperForImageClassification"],
    "model_type": "timm_wrapper",
    "architecture": "test_vit",
    "num_classes": 2,
    "pretrained_cfg": {"input_size": [3, 160, 160], "mean": [0.5] * 3, "std": [0.5] * 3},
}


def timm(files: dict[str, bytes] | None = None, **entries: Any) -> Callable[[], str]:
    def make() -> str:
        write("evil.pth", pickle.dumps([1]))
        write("model/config.json", json.dumps(TIMM | entries))
        for name, content in ({"model.safetensors": b"\0" * 99} if files is None else files).items():
            write(f"model/{name}", content)
        return "model"

    return make


MODELS = cases(
    ("a checkpoint that timm unpickles", timm(model_args={"checkpoint_path": "evil.pth"}), ("checkpoint_path",)),
    ("an architecture from the Hub", timm(architecture="hf-hub:evil/model"), ("config.json", "architecture")),
    ("an architecture from a folder", timm(architecture="local-dir:/etc"), ("config.json", "architecture")),
    ("an unknown architecture", timm(architecture="evil"), ("model", "evil")),
    ("only a pickle", timm({"pytorch_model.bin": b"\x80\x04."}), ("pytorch_model.bin", "safetensors")),
    ("weights that are a pickle", timm({"model.safetensors": pickle.dumps([1])}), ("model", "weights")),
    ("a processor of nothing", timm(pretrained_cfg={}), ("model",)),
    ("a processor of words", timm(pretrained_cfg={"input_size": "large"}), ("model",)),
    ("a picture of a billion pixels", timm(pretrained_cfg={"input_size": [3, 10**9, 10**9]}), ("model",)),
)


@pytest.mark.parametrize("case", MODELS)
def test_a_hostile_image_model_answers_nothing(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    refused(case, lambda path: hfkit.pipeline(path, device="cpu"), capsys)


def test_a_pipe_is_never_opened_and_counted() -> None:
    with bounded():
        data = load_data(among("x.png", os.mkfifo)(), task="image-classification")
    assert any("no pictures: x.png" in note for note in data.summary.notes)
