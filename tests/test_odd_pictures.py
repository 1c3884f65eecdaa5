"""Pictures that readers disagree on: the road by bytes, the one by Pillow and the pipeline see the same, or refuse."""

import base64
import io
import os
import shutil
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from image_files import image_folder
from PIL import Image
from processes import free_port

import hfkit
from hfkit import HfkitError, TrainConfig
from hfkit.data.vision import given
from hfkit.data.vision.decode import BadImage, decode, decode_pixels, examine
from hfkit.data.vision.given import picture_of
from hfkit.inference import predict_file


def whole(width: int, height: int) -> tuple[int, int]:
    return width, height


def stored(picture: Image.Image, form: str, turned: int | None = None) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    if turned is not None:
        exif[0x0112] = turned
    picture.save(buffer, form, exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def picture_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of red and blue discs."""
    folder = tmp_path_factory.mktemp("pictures")
    settings = TrainConfig(
        task="image-classification",
        dataset=str(image_folder(folder / "discs", {"train": 12, "test": 4})),
        model="baseline:cnn",
        image_size=16,
        num_train_epochs=1.0,
        mixed_precision="no",
        disable_tqdm=True,
        output_dir=str(folder / "run"),
    )
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    return hfkit.fit(settings, task, *hfkit.build_model(settings, task, data), data).path


@pytest.fixture
def picture() -> Image.Image:
    numbers = np.random.default_rng(0).integers(0, 255, (10, 14, 3))
    return Image.fromarray(np.kron(numbers, np.ones((8, 8, 1))).astype(np.uint8))


def test_a_jpeg_whose_end_mark_is_overwritten_is_read_alike_by_every_road(picture: Image.Image) -> None:
    jpeg = stored(picture, "JPEG")[:-2] + b"some bytes of a camera"
    assert examine(jpeg).width == picture.width
    pixels = decode_pixels(jpeg, whole)
    assert torch.equal(pixels, torch.from_numpy(np.array(decode(jpeg))))
    with pytest.raises(BadImage):
        decode_pixels(stored(picture, "JPEG")[:300], whole)


@pytest.mark.parametrize("form", ["TIFF", "PNG", "JPEG", "WEBP"])
def test_what_a_picture_is_said_to_be_before_decoding_is_what_it_is(picture: Image.Image, form: str) -> None:
    told: list[tuple[int, int]] = []

    def enough(width: int, height: int) -> tuple[int, int]:
        told.append((width, height))
        return width, height

    assert decode(stored(picture, form, turned=6), enough).size == picture.size[::-1]
    assert told == [picture.size[::-1]]


def test_a_strip_is_refused_before_a_processor_makes_a_wall_of_it() -> None:
    with pytest.raises(BadImage, match="is a strip of 1 x 3,000 pixels"):
        examine(stored(Image.new("RGB", (1, 3000)), "PNG"))
    assert examine(stored(Image.new("RGB", (2, 900)), "PNG")).height == 900


def test_an_opened_picture_is_answered_as_its_file(picture_run: Path, picture: Image.Image, tmp_path: Path) -> None:
    ask = hfkit.pipeline(picture_run, mixed_precision="no")
    (tmp_path / "turned.jpg").write_bytes(stored(picture, "JPEG", turned=6))
    Image.fromarray(np.array(picture.convert("L"), dtype=np.uint16) * 200 + 3000).save(tmp_path / "deep.png")
    for file in (tmp_path / "turned.jpg", tmp_path / "deep.png"):
        with Image.open(file) as opened:
            assert ask(opened, top_k=None) == ask(str(file), top_k=None), file.name


def test_parquet_takes_a_first_batch_without_an_answer(picture_run: Path, picture: Image.Image, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}.png").write_bytes(b"no picture")
    picture.save(folder / "last.png")
    assert predict_file(picture_run, folder, tmp_path / "out.parquet", disable_tqdm=True) == 41
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["label"] is None for row in rows] == [True] * 40 + [False]


def test_a_name_that_is_no_utf8(picture_run: Path, picture: Image.Image, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "data", {"train": 4, "test": 2})
    odd = os.fsencode(folder / "train" / "red") + b"/caf\xe9.png"
    try:
        shutil.copy(next((folder / "train" / "red").iterdir()), odd)
    except OSError:
        return  # macOS stores no such name
    predict_file(picture_run, folder / "train" / "red", tmp_path / "out.csv", disable_tqdm=True)
    assert r"caf\xe9.png" in (tmp_path / "out.csv").read_text(encoding="utf-8")
    with pytest.raises(HfkitError, match="name is not UTF-8"):
        hfkit.load_data(str(folder), task="image-classification")


def test_prediction_reads_what_training_reads_and_counts_the_rest(
    picture_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = image_folder(tmp_path / "data", {"": 3}) / "red"
    for file, name in zip(sorted(folder.iterdir()), ("0.jfif", "1", "2.png"), strict=True):
        file.rename(folder / name)
    with pytest.raises(HfkitError, match=r"no such folder\n.*gone"):
        predict_file(picture_run, tmp_path / "gone", tmp_path / "out.csv", disable_tqdm=True)
    for name in ("Thumbs.db", "list.csv", ".DS_Store"):
        (folder / name).write_text("no picture")
    assert predict_file(picture_run, folder, tmp_path / "out.csv", disable_tqdm=True) == 3
    assert (tmp_path / "out.csv").read_text().count(",red,") + (tmp_path / "out.csv").read_text().count(",blue,") == 3
    told = capsys.readouterr().err
    assert "3 files left out: hidden, a link or no picture:\n  .DS_Store\n  Thumbs.db\n  list.csv" in told


def test_twelve_bits_before_a_model_of_eight_are_told(
    picture_run: Path, picture: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They come to 16 grey levels. A picture that uses all 16 bits, and one in colour, go without a word."""
    folder, grey = tmp_path / "scans", np.array(picture.convert("L"), dtype=np.uint16)
    folder.mkdir()
    Image.fromarray(grey * 16).save(folder / "twelve.png")
    Image.fromarray(grey * 257).save(folder / "sixteen.png")
    picture.save(folder / "colour.png")
    predict_file(picture_run, folder, tmp_path / "out.csv", disable_tqdm=True)
    told = capsys.readouterr().err
    assert "1 image with 16 bits a pixel, of which 99 % come to fewer than 64 grey levels" in told
    assert told.endswith("Scale such pictures to 8 bits first:\n  twelve.png\n")
    ask = hfkit.pipeline(picture_run, mixed_precision="no")
    with pytest.warns(UserWarning, match="fewer than 64 grey levels"):
        ask(str(folder / "twelve.png"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask([str(folder / "sixteen.png"), str(folder / "colour.png")])


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A folder served over HTTP on this machine alone."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *told: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_picture_by_its_address_is_read_as_a_file_is(address: str, tmp_path: Path) -> None:
    pixels = np.arange(0, 40_000, 40, dtype=np.uint16).reshape(25, 40)  # transformers' own reader would cut it off
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    here = picture_of(tmp_path / "deep.png", [0, 40_000])
    letters = base64.b64encode((tmp_path / "deep.png").read_bytes()).decode()
    for named in (f"{address}/deep.png", f"data:image/png;base64,{letters}"):
        assert picture_of(named, [0, 40_000]).tobytes() == here.tobytes()


def test_an_address_that_gives_no_picture_says_why(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.png").write_text("<html>log in first</html>")
    (tmp_path / "long.png").write_bytes(bytes(2000))
    monkeypatch.setattr(given, "LARGEST", 1000)
    for wrong, why in {
        f"{address}/none.png": "was answered with 404",
        f"{address}/page.png": "is not an image",
        f"{address}/long.png": "gives more than 1,000 bytes",
        f"http://127.0.0.1:{free_port()}/a.png": "cannot be fetched: .*refused",
        "http://127.0.0.1:port/a.png": "cannot be fetched",
        "http://": "cannot be fetched",
        "data:image/png;base64,AAA": "cannot be fetched|is not an image",
    }.items():
        with pytest.raises(HfkitError, match=why):
            picture_of(wrong, None)
