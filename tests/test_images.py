"""Images as data: every form that is read, every fault that is told."""

import gzip
import io
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from image_files import disc, image_folder
from PIL import Image

from hfkit import HfkitError, load_data
from hfkit.data.vision.decode import FORMATS, BadImage, decode, examine, is_picture


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def refused(*parts: str, source: str | Path = "data", **options: object) -> None:
    with pytest.raises(HfkitError) as told:
        load_data(str(source), task="image-classification", **options)
    for part in parts:
        assert part in str(told.value), told.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_folder(tmp_path / "data", {"train": 6, "val": 3, "test": 3})


def test_modes_become_rgb_or_grey_of_eight_bits() -> None:
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    assert decode(stored(grey)).mode == "L"
    assert np.array_equal(decode(stored(grey.convert("P"))).convert("L"), grey)
    red = Image.new("RGB", (4, 4), (200, 10, 20))
    assert decode(stored(red.convert("P", palette=Image.Palette.ADAPTIVE))).getpixel((0, 0)) == (200, 10, 20)
    cmyk = decode(stored(red.convert("CMYK"), "TIFF")).getpixel((0, 0))
    assert cmyk == (200, 10, 20)
    half = Image.new("RGBA", (4, 4), (200, 10, 20, 0))
    assert decode(stored(half)).getpixel((0, 0)) == (255, 255, 255), "what is transparent shows white"
    assert decode(stored(Image.new("RGBA", (4, 4), (200, 10, 20, 255)))).getpixel((0, 0)) == (200, 10, 20)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257 * 100, 100), (65535, 255)])
def test_sixteen_bits_are_scaled_and_not_cut(value: int, expected: int) -> None:
    image = Image.fromarray(np.full((4, 4), value, dtype=np.uint16))
    image.putpixel((0, 0), 65535)
    for kind in ("PNG", "TIFF"):
        assert decode(stored(image, kind)).getpixel((3, 3)) == expected


@pytest.mark.pain("sideways-pictures")
def test_exif_turns_the_picture_upright() -> None:
    image = Image.new("RGB", (8, 4), "blue")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    assert decode(stored(image, "JPEG", exif=exif)).size == (4, 8)


def test_a_large_jpeg_is_decoded_only_as_large_as_is_enough() -> None:
    y, x = np.mgrid[:256, :352]
    image = Image.fromarray(((np.sin(x / 20) + np.cos(y / 15) + 2) * 63).astype(np.uint8)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    data = stored(image, "JPEG", quality=95, exif=exif)
    whole = decode(data)
    asked: list[tuple[int, int]] = []

    def enough(least: int, width: int, height: int) -> tuple[int, int]:
        asked.append((width, height))
        return least, least

    for least, size in ((129, (256, 352)), (128, (128, 176)), (64, (64, 88)), (1, (32, 44))):
        found = decode(data, partial(enough, least))
        assert (found.size, asked.pop()) == (size, (256, 352)), "asked with the size of the upright picture"
        off = np.asarray(found, dtype=int) - np.asarray(whole.resize(size, Image.Resampling.BOX), dtype=int)
        assert np.abs(off).mean() < 3
    assert whole.size == (256, 352)
    assert decode(data, lambda *_: (256, 1)).size == (256, 352), "both sides have to be enough"
    assert decode(stored(image), lambda *_: (1, 1)).size == image.size, "other formats have no smaller self"


def test_equal_pixels_have_one_digest_whatever_the_file() -> None:
    image = disc("red", 1)
    assert examine(stored(image)).digest == examine(stored(image, "BMP")).digest
    assert examine(stored(image)).digest != examine(stored(disc("red", 2))).digest


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"only text", "is not an image"),
        (stored(disc("red", 1))[:200], "is damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
    ],
)
def test_what_is_no_picture_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(data)


@pytest.mark.pain("picture-bomb")
def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    image = bytearray(stored(Image.new("L", (4, 4))))
    image[16:24] = struct.pack(">II", 60000, 60000)
    import zlib

    image[29:33] = struct.pack(">I", zlib.crc32(image[12:29]))
    with pytest.raises(BadImage, match="larger than"):
        decode(bytes(image))


def test_a_folder_of_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "train" / "red" / "deep").mkdir()
    disc("red", 99).save(folder / "train" / "red" / "deep" / "x.JPG", "JPEG")
    (folder / "train" / "red" / "notes.txt").write_text("not a picture")
    (folder / "train" / "red" / ".DS_Store").write_text("hidden")
    data = load_data("data")
    assert {split: len(rows) for split, rows in data.items()} == {"train": 13, "validation": 6, "test": 6}
    assert data["train"].column_names == ["id", "image", "label"]
    assert data["train"].features["label"].names == ["blue", "red"]
    row = data["test"][0]
    assert row["id"].startswith("test/blue/")
    assert row["image"].size == (16, 16)
    told = capsys.readouterr().out
    assert "1 file of train that are no pictures: notes.txt" in told
    assert "hidden files and folders of train not read: 1" in told
    assert "images of test: 16 x 16, colour" in told


def test_a_folder_without_splits_is_carved_and_one_folder_alone_is_gone_through(tmp_path: Path) -> None:
    image_folder(tmp_path / "outer" / "inner", {"": 10})
    data = load_data("outer")
    assert [len(rows) for rows in data.values()] == [16, 2, 2]


def test_pictures_that_stand_in_two_splits_leave_training(folder: Path) -> None:
    (folder / "train" / "red" / "again.png").write_bytes((folder / "test" / "red" / "9.png").read_bytes())
    Image.open(folder / "val" / "blue" / "6.png").save(folder / "train" / "blue" / "again.bmp")
    data = load_data("data")
    assert len(data["train"]) == 12
    notes = " ".join(data.summary.notes)
    assert "1 image of train that also stand in test" in notes
    assert "1 image of train that also stand in validation" in notes


@pytest.mark.pain("corrupt-pictures")
def test_damaged_files_are_listed_or_skipped_and_counted(folder: Path) -> None:
    whole = (folder / "train" / "red" / "0.png").read_bytes()
    for name, data in {"cut.png": whole[:150], "zero.png": b"", "text.png": b"hello"}.items():
        (folder / "train" / "red" / name).write_bytes(data)
    refused("3 images of train cannot be used", "train/red/cut.png", "train/red/zero.png", "--skip_corrupt")
    data = load_data("data", skip_corrupt=True)
    assert len(data["train"]) == 12
    assert any("3 images of train skipped" in note and "zero.png is empty" in note for note in data.summary.notes)


def test_an_animation_gives_its_first_frame_and_is_counted(folder: Path) -> None:
    frames = [disc("red", number) for number in (50, 51)]
    frames[0].save(folder / "train" / "red" / "moving.gif", save_all=True, append_images=frames[1:])
    data = load_data("data")
    assert len(data["train"]) == 13
    assert "1 animation in train: the first frame is used" in data.summary.notes


def test_an_empty_class_folder_and_unknown_classes(folder: Path) -> None:
    (folder / "train" / "green").mkdir()
    refused("1 class folder without a picture: green", "--skip_corrupt")
    assert len(load_data("data", skip_corrupt=True)["train"]) == 12
    (folder / "train" / "green").rmdir()
    (folder / "val" / "green").mkdir()
    disc("red", 70).save(folder / "val" / "green" / "1.png")
    refused("validation has labels that training lacks: green")


def test_links_loose_pictures_and_one_class_are_refused(folder: Path, tmp_path: Path) -> None:
    link = folder / "train" / "red" / "link.png"
    link.symlink_to("0.png")
    refused("symbolic link", "link.png")
    link.unlink()
    disc("red", 1).save(folder / "train" / "loose.png")
    refused("1 picture in no class folder: loose.png")
    image_folder(tmp_path / "one", {"train": 4})
    for file in (tmp_path / "one" / "train" / "blue").iterdir():
        file.unlink()
    (tmp_path / "one" / "train" / "blue").rmdir()
    refused("one class only", "4 different images", source="one")


def csv(folder: Path, *extra: str) -> Path:
    files = sorted((folder / "train").rglob("*.png"))
    rows = [f"{file.relative_to(folder).as_posix()},{file.parent.name}" for file in files]
    path = folder / "list.csv"
    path.write_text("\n".join(["file_name,kind", *rows, *extra]) + "\n")
    return path


def test_a_csv_of_paths_and_labels(folder: Path) -> None:
    data = load_data(csv(folder).as_posix(), task="image-classification")
    assert (data.summary.image_column, data.summary.label_column) == ("file_name", "kind")
    assert sum(map(len, data.values())) == 12
    assert data["train"][0]["image"].size == (16, 16)


@pytest.mark.parametrize(
    "path", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "train\\red\\0.png", "a:b.png", "a.png::$DATA"]
)
def test_paths_that_lead_out_of_the_folder_are_refused(folder: Path, path: str) -> None:
    refused("may not be followed", "list.csv line 14", source=csv(folder, f"{path},red"))


@pytest.mark.parametrize(
    ("path", "told"),
    [("gone.png", "No such file"), ("", "is missing"), ("COM1", "No such file"), ("~/x.png", "No such")],
)
def test_a_missing_file_is_told_by_its_line_or_skipped(folder: Path, path: str, told: str) -> None:
    refused(told, "list.csv line 14", "--skip_corrupt", source=csv(folder, f"{path},red"))
    data = load_data(str(folder / "list.csv"), task="image-classification", skip_corrupt=True)
    assert sum(map(len, data.values())) == 12
    assert any("skipped" in note and "list.csv line 14" in note for note in data.summary.notes)


def test_numbers_as_labels_are_a_regression_and_lists_are_multi_label(folder: Path) -> None:
    files = sorted((folder / "train").rglob("*.png"))
    names = [file.relative_to(folder).as_posix() for file in files]
    (folder / "n.csv").write_text("image,y\n" + "".join(f"{name},{at + 0.5}\n" for at, name in enumerate(names)))
    assert load_data(f"{folder}/n.csv", task="image-classification").summary.problem_type == "regression"
    lists = ['"[""a""]"', '"[""a"", ""b""]"']
    (folder / "m.csv").write_text(
        "image,tags\n" + "".join(f"{name},{lists[at % 2]}\n" for at, name in enumerate(names))
    )
    multi = load_data(f"{folder}/m.csv", task="image-classification", label_column="tags")
    assert multi.summary.problem_type == "multi_label_classification"


def test_idx_files_of_the_mnist_family(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split, rows in (("train", 40), ("t10k", 10)):
        pixels = rng.integers(0, 256, (rows, 5, 7), dtype=np.uint8)
        labels = (np.arange(rows) % 2).astype(np.uint8)
        images = struct.pack(">IIII", 0x0803, rows, 5, 7) + pixels.tobytes()
        (tmp_path / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x0801, rows) + labels.tobytes())
    data = load_data(str(tmp_path))
    assert [len(rows) for rows in data.values()] == [36, 4, 10]
    assert data["test"][9]["label"] == 1
    assert np.array_equal(np.asarray(data["test"][9]["image"]), pixels[9])
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x0801, rows))
    refused("cut off", source=tmp_path)


def test_images_of_a_parquet_file_and_relabelling_to_a_models_order(folder: Path) -> None:
    from hfkit.data.load import load_test

    load_data("data")["train"].to_parquet("images.parquet")
    data = load_data("images.parquet")
    assert data.summary.image_column == "image"
    assert data.summary.label_names == ["blue", "red"]
    turned = load_test("images.parquet", label_names=["RED", "blue"])["test"]
    assert turned.features["label"].names == ["RED", "blue"]
    assert {row["id"].split("/")[1]: row["label"] for row in turned} == {"blue": 1, "red": 0}


def test_the_task_and_the_data_must_be_of_one_kind(folder: Path, reviews_csv: Path) -> None:
    with pytest.raises(HfkitError, match="--task image-classification"):
        load_data("data", task="text-classification")
    refused("No column holds images", source=reviews_csv)


def test_the_embedded_digits_are_scikit_learns(capsys: pytest.CaptureFixture[str]) -> None:
    from sklearn.datasets import load_digits

    data = load_data("demo:digits")
    assert [len(rows) for rows in data.values()] == [1294, 144, 359]
    assert "8 x 8, grey" in capsys.readouterr().out
    row = int(data["test"][0]["id"].split("-")[1]) if "-" in data["test"][0]["id"] else 0
    digits = load_digits()
    pixels = np.asarray(data["test"][0]["image"])
    assert np.array_equal(pixels, np.round(digits.images[row] * 255 / 16).astype(np.uint8))
    assert data["test"][0]["label"] == digits.target[row]


@pytest.mark.parametrize(
    ("name", "kind", "is_one"),
    [
        ("a.jfif", "JPEG", True),
        ("a", "JPEG", True),
        ("a", "TIFF", True),
        ("a.jpg_large", "JPEG", True),
        ("a.avif", "AVIF", True),
        ("a.heic", "PNG", True),
        ("a.txt", "PNG", False),
        ("a.nef", "TIFF", False),
    ],
)
def test_a_picture_is_what_its_bytes_say(tmp_path: Path, name: str, kind: str, is_one: bool) -> None:
    if kind not in FORMATS:
        pytest.skip(f"this Pillow reads no {kind}")
    (tmp_path / name).write_bytes(stored(disc("red", 1), kind))
    assert is_picture(tmp_path / name) == is_one
    assert decode(tmp_path / name).size == (16, 16)


@pytest.mark.parametrize("content", [b"", b"BMW cars and more of them", b"\xd0\xcf\x11\xe0" * 9, b"P1 5 6 7 8"])
def test_what_neither_name_nor_bytes_call_a_picture_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Thumbs.db").write_bytes(content)
    assert not is_picture(tmp_path / "Thumbs.db")
    (tmp_path / "empty.png").write_bytes(content)
    assert is_picture(tmp_path / "empty.png"), "its name claims so: it is told as damaged"


def test_heic_without_its_reader_is_one_sentence(folder: Path) -> None:
    (folder / "train" / "red" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    if "HEIF" in FORMATS:
        pytest.skip("pillow-heif is installed")
    refused("phone.heic", "is HEIC or AVIF, which pillow-heif reads: pip install pillow-heif")


def test_every_picture_of_a_folder_is_read_whatever_its_ending(folder: Path) -> None:
    for number, file in enumerate(sorted((folder / "train").rglob("*.png"))):
        file.rename(file.with_suffix(("", ".jfif", ".heic")[number % 3]))
    (folder / "train" / "red" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    data = load_data("data")
    assert {split: len(rows) for split, rows in data.items()} == {"train": 12, "validation": 6, "test": 6}
    assert "1 file of train that are no pictures: Thumbs.db" in data.summary.notes


def test_a_folder_without_pictures_is_told_by_the_reader_of_pictures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "scans" / name).mkdir(parents=True)
        (tmp_path / "scans" / name / "1.dcm").write_bytes(bytes(128) + b"DICM")
    refused("2 class folders without a picture: a, b", source=tmp_path / "scans")
