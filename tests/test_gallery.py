"""The pictures of a run: which are kept, that they are bounded, and that a page shows them without data or model."""

import io
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from image_files import image_folder
from PIL import Image
from run_fixture import write_run
from sklearn.metrics import average_precision_score
from test_report import Page
from torch import nn

import hfkit
from hfkit import HfkitError, TrainConfig
from hfkit.baselines.vision.auto import BaselineViTForImageClassification, MlpForImageClassification
from hfkit.baselines.vision.configs import BaselineViTConfig, MlpConfig
from hfkit.report.analysis import Predictions, curves, is_class, per_class
from hfkit.runs.run import Run
from hfkit.tasks.image_classification import gallery
from hfkit.tasks.image_classification.gallery import choice, tiles
from hfkit.tasks.image_classification.gallery.saliency import layers, maps

HOSTILE = 'red"><script>alert(1)<'


def config(data: Path, **changes: Any) -> TrainConfig:
    basics = {
        "task": "image-classification",
        "dataset": str(data),
        "model": "baseline:cnn",
        "augment": ["crop", "flip"],
        "mixup": 0.4,
        "num_train_epochs": 2.0,
        "learning_rate": 1e-5,  # too little to get everything right
        "per_device_train_batch_size": 8,
        "mixed_precision": "no",
        "disable_tqdm": True,
        "output_dir": str(data.parent / "run"),
    }
    return TrainConfig(**(basics | changes))


def job(settings: TrainConfig) -> Run:
    data = hfkit.load_data(settings)
    task = hfkit.build_task(settings, data)
    model, processor = hfkit.build_model(settings, task, data)
    return hfkit.fit(settings, task, model, processor, data)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of red and blue discs, whose classes have a hostile name; to be read, or copied."""
    root = tmp_path_factory.mktemp("gallery")
    image_folder(root / "data", {"train": 16, "val": 5, "test": 8})
    for split in ("train", "val", "test"):
        (root / "data" / split / "red").rename(root / "data" / split / HOSTILE)
    job(config(root / "data"))
    return root / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def page(run: Path) -> str:
    hfkit.write_report(run)
    return (run / "report.html").read_text()


def opened(image: bytes) -> Image.Image:
    return Image.open(io.BytesIO(image))


def test_a_tile_is_small_and_holds_nothing_but_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 600, 3), dtype=np.uint8)
    photo = Image.fromarray(noise)
    exif = photo.getexif()
    exif[0x010E] = "where it was taken"
    written = io.BytesIO()
    photo.save(written, "JPEG", exif=exif)
    large = tiles.tile(opened(written.getvalue()))
    assert (opened(large).format, opened(large).size) == ("JPEG", (144, 72))
    assert b"where it was" not in large
    grey = Image.fromarray(noise[:8, :8, 0])
    small = tiles.tile(grey)
    assert opened(small).format == "PNG"
    assert (np.asarray(opened(small)) == noise[:8, :8, 0]).all()
    assert opened(tiles.tile(photo.resize((1000, 2)))).size == (144, 1)


def test_numbers_become_the_picture_that_they_were() -> None:
    pixels = torch.linspace(0, 1, 12).reshape(3, 2, 2)
    normal = (pixels - 0.5) / 0.25
    shown = np.asarray(tiles.picture(normal, [0.5] * 3, [0.25] * 3))
    assert (shown == (pixels * 255).round().numpy().transpose(1, 2, 0)).all()
    assert tiles.picture(normal[:1], [0.5], [0.25]).mode == "L"


class Colours(nn.Module):
    """Answers with how much red and how much blue there is, by a convolution or by patches."""

    def __init__(self, patches: bool) -> None:
        super().__init__()
        size = 2 if patches else 1
        self.look = nn.Conv2d(3, 2, size, stride=size, bias=False)
        with torch.no_grad():
            self.look.weight.zero_()
            self.look.weight[0, 0], self.look.weight[1, 2] = 1.0, 1.0
        self.norm = nn.LayerNorm(2) if patches else nn.Identity()

    def forward(self, pixel_values: torch.Tensor) -> Any:
        seen = self.look(pixel_values)
        if isinstance(self.norm, nn.LayerNorm):
            return SimpleNamespace(logits=self.norm(seen.flatten(2).transpose(1, 2)).mean(dim=1))
        return SimpleNamespace(logits=seen.mean(dim=(2, 3)))


@pytest.mark.parametrize("patches", [False, True], ids=["convolution", "patches"])
def test_a_map_is_hot_where_the_answer_comes_from(patches: bool) -> None:
    picture = torch.zeros(1, 3, 16, 16)
    picture[0, 0, :4, :4] = 1.0  # red above on the left
    picture[0, 2, 12:, 8:] = 1.0  # blue below on the right
    model = Colours(patches).eval()
    found = maps(model, picture.repeat(2, 1, 1, 1), [0, 1])
    assert found is not None
    red, blue = found.heat
    cells = len(red)
    assert cells == (8 if patches else 16)
    assert bool((red[: cells // 4, : cells // 4] > 0).all())
    assert bool((blue[3 * cells // 4 :, cells // 2 :] > 0).all())
    assert float(red[3 * cells // 4 :, cells // 2 :].sum()) == 0
    assert float(blue[: cells // 4, : cells // 4].sum()) == 0
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_layer_of_a_map_is_the_last_one_that_matters() -> None:
    vit = BaselineViTForImageClassification(BaselineViTConfig(num_hidden_layers=3)).eval()
    found = maps(vit, torch.randn(2, 3, 32, 32), [0, 1])
    assert found is not None
    # Behind the last attention only the class token counts: the patches' vectors after it have no gradient.
    assert found.layer.name == "backbone.encoder.layers.2.after_attention.norm"
    assert (found.layer.method, tuple(found.heat.shape)) == ("HiResCAM", (2, 8, 8))
    assert maps(MlpForImageClassification(MlpConfig()).eval(), torch.randn(1, 3, 32, 32), [0]) is None
    frozen = vit.requires_grad_(False)
    assert maps(frozen, torch.randn(1, 3, 32, 32), [0]) is not None, "a frozen or adapted model has maps too"


def test_windows_and_heads_of_attention_are_no_pictures() -> None:
    from transformers import SwinConfig, SwinForImageClassification

    small = SwinConfig(image_size=64, patch_size=4, embed_dim=12, depths=[1, 1], num_heads=[2, 2], window_size=4)
    model = SwinForImageClassification(small).eval()
    names = [layer.name for layer in layers(model, torch.randn(1, 3, 64, 64))]
    assert names[0] == "swin.layernorm"
    assert not any("attention." in name for name in names)


@pytest.mark.parametrize("problem", ["single_label_classification", "multi_label_classification", "regression"])
def test_which_rows_are_shown(problem: str, tmp_path: Path) -> None:
    seen = Predictions.of(Run(write_run(tmp_path / "one", problem, skill=1.2)))
    right = seen.right()
    explained = choice.explained(seen)
    assert len({one.row for one in explained}) == 8
    if seen.regression:
        assert choice.by_class(seen) == []
        assert {one.label for one in explained} == {0}
        return
    wrong = [one for one in explained if not right[one.row]]
    assert {one.row for one in wrong} == set(choice.mistakes(seen)[:4])
    lines = choice.by_class(seen)
    assert {one.label for one in lines} == set(range(len(seen.names)))
    assert seen.shares is not None
    for label in range(len(seen.names)):
        truth, answer = is_class(seen, label)
        rows = {why: [one.row for one in lines if (one.label, one.why) == (label, why)] for why in
                ("surest", "least sure", "missed")}  # fmt: skip
        assert all(len(some) == 2 for some in rows.values())
        assert all(truth[row] and answer[row] for row in rows["surest"] + rows["least sure"])
        assert all(truth[row] and not answer[row] for row in rows["missed"])
        score = seen.shares[:, label]
        assert max(score[rows["least sure"]]) < min(score[rows["surest"]])
        assert score[rows["missed"][0]] == score[truth & ~answer].min()
    if problem == "single_label_classification":
        assert [one.why for one in wrong] == ["answer", "truth"] * 4
        assert [one.label for one in wrong[:2]] == [seen.answer[wrong[0].row], seen.truth[wrong[0].row]]


def test_precision_and_recall_of_each_class(tmp_path: Path) -> None:
    seen = Predictions.of(Run(write_run(tmp_path / "one", names=list("abcdefgh"))))
    assert seen.shares is not None
    areas = [average_precision_score(seen.truth == label, seen.shares[:, label]) for label in range(8)]
    assert [row["average_precision"] for row in per_class(seen)] == pytest.approx(areas)
    _, recalls = curves(seen)
    assert [curve["area"] for curve in recalls] == pytest.approx(sorted(areas)[:6])
    for curve in recalls:
        assert curve["points"][0][0] == 0
        assert curve["points"][-1] == pytest.approx((1, curve["base"]))
        assert curve["base"] == pytest.approx((seen.truth == seen.names.index(curve["name"])).mean())


def test_a_run_keeps_its_pictures_and_the_page_needs_nothing_else(run: Path) -> None:
    table = Run(run).table("pictures.parquet")
    assert table is not None
    rows = table.to_pylist()
    assert {row["part"] for row in rows} == {"filters", "map", "augmented", "class", "mistake"}
    info = json.loads((run / "run.json").read_text())
    assert {"pictures.parquet", "layers.json"} <= set(info["files"])
    assert info["pictures"]["map"]["method"] == "Grad-CAM"
    assert info["pictures"]["notes"] == []
    sizes = [len(row["image"]) for row in rows]
    assert (info["pictures"]["kept"], info["pictures"]["bytes"]) == (len(rows), sum(sizes))

    shutil.rmtree(run / "model")
    (run / "report.html").unlink(missing_ok=True)
    html = page(run)
    parsed = Page(html)
    images = [attributes for tag, attributes in parsed.tags if tag == "img"]
    assert len(images) == len(rows)
    assert all(re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+%=]+$", image["src"]) for image in images)
    assert all(image["alt"] for image in images)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    assert "img-src data:" in html
    assert HOSTILE in parsed.text
    for said in ("Class by class, in pictures", "Where it looks", "changes them from epoch to epoch", "images a second",
                 "Precision and recall", "FLOPs a picture of 16 × 16", "(crop, flip, mixup)",
                 f"This page holds {len(rows)} small pictures"):  # fmt: skip
        assert said in parsed.text, said


def test_whoever_publishes_a_page_is_told_of_its_pictures(run: Path) -> None:
    from hfkit.hub.editions import Edition
    from hfkit.hub.upload.bundle import bundle
    from hfkit.hub.upload.secrets import Secrets

    (run / "report.html").write_text(page(run))
    kept = Run(run).info["pictures"]["kept"]
    sent = bundle(Edition(Run(run), run / "model"), "user/discs", Secrets())
    assert f"report.html: shows {kept} small pictures of the data" in sent.said
    bare = bundle(Edition(Run(run), run / "model", pictures=False), "user/discs", Secrets())
    assert f"report.html: was made again without {kept} small pictures of the data" in bare.said
    assert b"data:image" in sent.read("report.html") and b"data:image" not in bare.read("report.html")
    row = Image.open(io.BytesIO(sent.read("pictures.jpg")))
    mistakes = sum(tile["part"] == "mistake" for tile in Run(run).table("pictures.parquet").to_pylist())
    assert row.height == 144 and row.width == min(mistakes, 6) * 148 - 4
    assert b"![The test pictures that went worst.](pictures.jpg)" in sent.read("README.md")
    assert "pictures.jpg" in json.loads(sent.read("run.json"))["files"]
    assert "pictures.jpg" not in bare.files and b"pictures.jpg" not in bare.read("README.md")


def test_a_regression_and_several_labels_have_their_own_words(finished: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(finished.parent / "data", tmp_path / "data"))
    files = sorted((data / "train" / "blue").glob("*.png"))
    names = [file.relative_to(data).as_posix() for file in files]
    numbers = [{"image": name, "label": at / 7} for at, name in enumerate(names)]
    several = [{"image": name, "label": ["round", "odd"] if at % 2 else ["round"]} for at, name in enumerate(names)]
    for name, rows in (("numbers", numbers), ("several", several)):
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = config(data, dataset=str(data / f"{name}.jsonl"), output_dir=name, num_train_epochs=1.0)
        text = Page(page(job(settings).path)).text
        assert ("what\nmakes the number larger" in text) == (name == "numbers")
        assert ("Label by label, in pictures" in text) == (name == "several")
        assert "Where it looks" in text and "Not made" not in text


def test_layers_say_what_learns(run: Path) -> None:
    found = Run(run).read("layers.json")
    assert found is not None
    info = Run(run).info
    assert (found["parameters"], found["learning"]) == (
        info["model"]["parameters"],
        info["model"]["trainable_parameters"],
    )
    assert found["input"] == [3, 16, 16]
    convolution = next(layer for layer in found["layers"] if layer["kind"] == "Conv2d")
    assert (
        convolution["flops"] == 2 * 9 * 3 * convolution["shape"][0] * convolution["shape"][1] * convolution["shape"][2]
    )
    text = Page(page(run)).text
    assert f"{found['parameters']:,}" in text
    assert convolution["name"] in text


def test_augmented_pictures_are_what_training_read(finished: Path, run: Path) -> None:
    settings = config(finished.parent / "data")
    data = hfkit.load_data(settings)
    task: Any = hfkit.build_task(settings, data)
    model, processor = hfkit.build_model(settings, task, data)
    task = task.for_model(model.config, processor)
    encoded = task.encode(data["train"], processor)
    table = Run(run).table("pictures.parquet")
    assert table is not None
    shown = [row for row in table.to_pylist() if row["part"] == "augmented"]
    assert [row["label"] for row in shown[::4]] == [-1, *range(gallery.LOOKS)]
    for row in shown:
        (read,) = task.read(encoded, [row["row"]], None if row["label"] < 0 else row["label"])
        pixels = np.asarray(tiles.picture(read["pixel_values"], task.seen.mean, task.seen.std))
        assert (np.asarray(opened(row["image"])) == pixels).all()
        assert ("%" in row["why"]) == (row["label"] >= 0), "a mixed picture says what it is made of"


def test_what_does_not_fit_is_counted_and_told(
    finished: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = gallery.Gallery()
    monkeypatch.setattr(gallery, "KEPT", 100)
    kept.take("class", lambda: iter([{"image": bytes(60)}, {"image": bytes(60)}, {"image": bytes(40)}]))
    assert (len(kept.rows), kept.left_out) == (2, 1)

    def fails() -> Any:
        raise RuntimeError("no memory\nfor this")

    kept.take("map", fails)
    assert kept.notes == ["map: RuntimeError: no memory for this"]
    info = json.loads((run / "run.json").read_text())
    info["pictures"] |= {"left_out": 7, "notes": [f"map: {HOSTILE}"]}
    (run / "run.json").write_text(json.dumps(info))
    html = page(run)
    assert "7 pictures are left out" in html
    assert f"Not made: map: {HOSTILE}" in Page(html).text
    assert "<script" not in html


def test_a_model_that_cannot_be_explained_still_ends_with_a_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("hooks are not allowed")

    monkeypatch.setattr("hfkit.tasks.image_classification.gallery.saliency.maps", fails)
    monkeypatch.setattr("hfkit.tasks.image_classification.gallery.layers.summarise", fails)
    made = job(config(finished.parent / "data", output_dir=str(tmp_path / "other"), num_train_epochs=1.0))
    assert made.state == "finished"
    assert "no layers.json: RuntimeError: hooks are not allowed" in capsys.readouterr().out
    text = Page(page(made.path)).text
    assert "Not made: map: RuntimeError: hooks are not allowed" in text
    assert "The run has no layers.json" in text
    assert "Class by class, in pictures" in text


def test_a_run_of_before_says_that_it_keeps_no_pictures(run: Path) -> None:
    (run / "pictures.parquet").unlink()
    (run / "layers.json").unlink()
    html = page(run)
    assert "This run keeps no pictures" in html
    assert "<img" not in html
    assert "img-src" not in html


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


@pytest.mark.parametrize(
    "change",
    [
        {"image": SVG},
        {"image": b"GIF89a"},
        {"row": 10_000},
        {"label": 2},
        {"image": tiles.png(Image.new("L", (3000, 1)))},
        {"image": tiles.png(Image.new("L", (8, 8))) + bytes(5 << 20)},
    ],
    ids=["svg", "gif", "no such row", "no such class", "too wide", "too large"],
)
def test_a_strangers_pictures_are_what_hfkit_writes_or_refused(run: Path, change: dict[str, Any]) -> None:
    table = parquet.read_table(run / "pictures.parquet")
    rows = table.to_pylist()
    at = next(place for place, row in enumerate(rows) if row["part"] == "class")
    rows[at] |= change
    parquet.write_table(pa.Table.from_pylist(rows, schema=table.schema), run / "pictures.parquet")
    with pytest.raises(HfkitError, match="holds what hfkit does not write"):
        hfkit.write_report(run)
