"""Object detection: its figures, the network and its loss, views, augmentation and rivals, held against others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from box_files import NAMES, coco_folder, scene, tiny_yolos
from PIL import Image
from timm_weights import tiny_classifier
from torchvision.ops import generalized_box_iou
from transformers import (
    AutoImageProcessor,
    AutoModelForObjectDetection,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessor,
)
from transformers import pipeline as plain_pipeline

import hfkit
from hfkit import HfkitError
from hfkit.baselines.vision.configs import DetectorConfig
from hfkit.baselines.vision.detector import DetectorForObjectDetection, gaussians, places
from hfkit.config import TrainConfig
from hfkit.data.vision.augment import seeded
from hfkit.data.vision.boxes.augment import STEPS, changed, cut
from hfkit.data.vision.boxes.merging import merged, views
from hfkit.evaluation.metric import Columns, figures
from hfkit.inference import predict_file
from hfkit.models.adapting.freezing import in_head
from hfkit.runs.run import Run
from hfkit.tasks.object_detection.baselines import fit
from hfkit.tasks.object_detection.metrics import METRICS, metrics_of
from hfkit.tasks.object_detection.scores.errors import best_threshold, mistakes

RECORDED = json.loads((Path(__file__).parent / "recorded_map.json").read_text())
"""What pycocotools 2.0 says of `answers(seed)`: COCOeval's stats, and the mean precision of each class."""


def answers(seed: int, images: int = 24, classes: int = 3) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Boxes of all sizes, crowds among them, and answers that are near, far, double and of other classes."""
    rng = np.random.default_rng(seed)
    truth, said = [], []
    for _ in range(images):
        n = int(rng.integers(0, 9))
        wh = rng.integers(8, 140, (n, 2))
        xy = rng.integers(0, 200, (n, 2))
        right = np.concatenate([xy, xy + wh, rng.integers(0, classes, (n, 1)), (rng.random((n, 1)) < 0.1)], 1)
        right, found = right.astype(float), []
        for row in right:
            for _ in range(int(rng.integers(0, 3))):
                box = row[:4] + rng.integers(-12, 13, 4)
                if box[2] > box[0] and box[3] > box[1]:
                    kind = row[4] if rng.random() < 0.8 else rng.integers(0, classes)
                    found.append([*box, round(float(rng.random()), 2), kind])
        for _ in range(int(rng.integers(0, 5))):
            a = rng.integers(0, 200, 2)
            b = a + rng.integers(5, 120, 2)
            found.append([*a, *b, round(float(rng.random()), 2), int(rng.integers(0, classes))])
        said.append(np.array(found, dtype=float).reshape(-1, 6))
        truth.append(right)
    return truth, said


def columns(truth: list[np.ndarray], said: list[np.ndarray]) -> dict[str, Any]:
    return {"truth": [one.ravel() for one in truth], "prediction": [one.ravel() for one in said]}


@pytest.mark.parametrize("seed", RECORDED)
def test_figures_are_pycocotools(seed: str) -> None:
    found = figures(metrics_of({"labels": list("abc")}), columns(*answers(int(seed))))
    for name, value in RECORDED[seed].items():
        own = [found[f"ap_{one}"] for one in "abc"] if name == "by_class" else found[name]
        assert own == pytest.approx(value, abs=1e-4), name


def test_weights_are_pictures_drawn_again() -> None:
    truth, said = answers(9, 20)
    weights = np.random.default_rng(0).multinomial(20, [1 / 20] * 20, 5).astype(float)
    values = {metric.name: metric.values(Columns(columns(truth, said)), weights) for metric in METRICS}
    for draw, counts in enumerate(weights):
        rows = [row for row, count in enumerate(counts.astype(int)) for _ in range(count)]
        again = figures(METRICS, columns([truth[row] for row in rows], [said[row] for row in rows]))
        assert {name: values[name][draw] for name in again} == pytest.approx(again)


def test_no_answer_and_no_box_have_a_figure_or_none() -> None:
    truth, _ = answers(1, 6)
    nothing = [np.zeros((0, 6))] * 6
    assert figures(METRICS, columns(truth, nothing))["map"] == 0
    assert "map" not in figures(METRICS, columns(nothing, truth)), "where nothing is to find there is no figure"
    perfect = [np.concatenate([one[:, :4], np.ones((len(one), 1)), one[:, 4:5]], 1) for one in truth]
    assert figures(METRICS, columns(truth, perfect))["map"] == pytest.approx(1)


def test_mistakes_are_told_apart() -> None:
    right = np.array([[0, 0, 10, 10, 0, 0], [20, 0, 30, 10, 1, 0], [40, 0, 50, 10, 0, 0], [60, 0, 70, 10, 1, 0]], float)
    said = np.array([
        [0, 0, 10, 10, 0.9, 0], [0, 0, 10, 9, 0.8, 0],  # right, duplicate
        [20, 0, 30, 10, 0.7, 0],  # the class
        [43, 0, 55, 10, 0.6, 0],  # the place
        [80, 80, 90, 90, 0.5, 0], [90, 0, 99, 9, 0.05, 1],  # background, and one that nobody says
    ], float)  # fmt: skip
    found = {one["kind"]: one for one in mistakes([right.ravel()], [said.ravel()], 0.4, 2)}
    counts = {kind: one["count"] for kind, one in found.items()}
    assert counts == {"localisation": 1, "class": 1, "both": 0, "duplicate": 1, "background": 1, "missed": 1}
    assert found["localisation"]["gain"] == pytest.approx(0.5 * 50 / 101 / 2), "right at the fourth place"
    assert found["class"]["gain"] > 0.2 and found["both"]["gain"] == 0
    cutoff = best_threshold([right.ravel()], [said.ravel()], 2)
    assert 0.8 < cutoff < 0.9, "what comes after the first answer is wrong"


def test_every_place_of_a_box_learns_it_and_its_middle_is_one() -> None:
    middles = places(8, 8, 4, torch.device("cpu"))
    boxes = torch.tensor([[2.0, 2, 26, 26], [10, 10, 18, 18], [28, 28, 30, 30]])
    heat, weights = gaussians(boxes, middles)
    assert (heat.flatten(1).amax(1) == 1).all() and heat[0].argmax() == heat[1].argmax()
    assert heat[2].count_nonzero() == 1, "a box smaller than a place has the one that it lies in"
    assert torch.allclose(weights[1:].sum((1, 2)), torch.ones(2)) and not (weights[0] * weights[1]).any()
    assert gaussians(torch.zeros(0, 4), middles)[0].shape == (0, 8, 8)


def test_the_detectors_loss_is_the_papers_and_it_learns_a_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = DetectorForObjectDetection(DetectorConfig(num_labels=2, widths=[4, 8, 8], hidden_size=8))
    pixels = torch.randn(2, 3, 32, 48)
    labels = [{"class_labels": torch.tensor([1]), "boxes": torch.tensor([[0.5, 0.5, 0.5, 0.5]])},
              {"class_labels": torch.zeros(0, dtype=torch.long), "boxes": torch.zeros(0, 4)}]  # fmt: skip
    out = model(pixels, labels=labels)
    said = out.logits.sigmoid().detach().view(2, 8, 12, 2)
    middles = places(8, 12, 4, torch.device("cpu"))
    heat, weights = gaussians(torch.tensor([[12.0, 8, 36, 24]]), middles)
    wanted = torch.zeros(2, 8, 12, 2)
    wanted[0, ..., 1] = heat[0]
    right = wanted == 1
    focal = -((1 - said) ** 2 * said.log())[right].sum()
    focal -= ((1 - wanted) ** 4 * said**2 * (1 - said).log())[~right].sum()
    boxes = out.pred_boxes.detach()[0] * torch.tensor([48, 32, 48, 32])
    corners = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
    apart = 1 - generalized_box_iou(corners, torch.tensor([[12.0, 8, 36, 24]]))[:, 0]
    assert out.loss.item() == pytest.approx(float(focal + 5 * (apart * weights[0].flatten()).sum()), rel=1e-4)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-2)
    for _ in range(40):
        optimizer.zero_grad()
        model(pixels, labels=labels).loss.backward()
        optimizer.step()
    model.eval().save_pretrained(tmp_path)
    again = AutoModelForObjectDetection.from_pretrained(tmp_path)
    with torch.no_grad():
        found = again(pixels)
        assert torch.equal(found.logits, model(pixels).logits)
    best = found.logits[0, :, 1].argmax()
    assert found.logits[0, best, 1].sigmoid() > 0.5 > found.logits[1].sigmoid().max()
    assert torch.allclose(found.pred_boxes[0, best], torch.tensor([0.5, 0.5, 0.5, 0.5]), atol=0.1)


def test_views_cover_a_picture_and_their_answers_become_one() -> None:
    assert views(100, 80, None) == views(100, 80, 128) == [(0, 0, 100, 80)]
    parts = views(200, 100, 100)
    assert parts[0] == (0, 0, 200, 100) and {part[2:] for part in parts[1:]} == {(100, 100)} and len(parts) == 4
    whole, left, middle, right = parts
    found = [
        (whole, torch.tensor([[60.0, 10, 120, 40, 0.6, 0]])),
        (left, torch.tensor([[60.0, 10, 100, 40, 0.9, 0], [10, 10, 20, 20, 0.8, 1]])),  # cut off; whole
        (middle, torch.tensor([[10.0, 10, 70, 40, 0.7, 0]])),
        (right, torch.tensor([[0.0, 10, 20, 40, 0.5, 0]])),
    ]
    boxes = merged(found, (200, 100), 10)
    assert boxes[:, 5].tolist() == [1, 0] and boxes[1, :5].tolist() == pytest.approx([60, 10, 120, 40, 0.7])
    twins = torch.tensor([[0.0, 0, 10, 10, 0.9, 0], [0, 0, 10, 9, 0.8, 0]])
    assert len(merged([(whole, twins)], (200, 100), 10)) == 2, "a model's own answer is left as it is"
    assert len(merged([(whole, twins)], (200, 100), 1)) == 1


@pytest.mark.parametrize("name", [*STEPS, "none"])
def test_a_picture_and_its_boxes_are_changed_together(name: str) -> None:
    """The squares are where the boxes say, wherever they go."""
    change = changed([] if name == "none" else [name])
    for number in range(6):
        pixels, found = scene(number, (80, 72))
        boxes = torch.tensor([box for _, box in found], dtype=torch.float32).view(-1, 4)
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
        with seeded(5, number):
            made, moved, left = change(image, boxes)
        with seeded(5, number):
            again = change(image, boxes)
        assert torch.equal(made, again[0]) and torch.equal(moved, again[1])
        for (x, y, far, below), row in zip(moved.round().int().tolist(), left.tolist(), strict=True):
            inside = made[:, y + 2 : below - 2, x + 2 : far - 2].float().mean()
            assert (inside - (230, 40)[found[row][0]]).abs() < 60, (name, number)


def test_a_tile_keeps_what_can_be_told() -> None:
    pixels = torch.zeros(3, 40, 60, dtype=torch.uint8)
    boxes = torch.tensor([[0.0, 0, 20, 20], [50, 30, 60, 40]])
    seen: set[tuple[int, ...]] = set()
    for number in range(30):
        with seeded(number):
            image, moved, left = cut(pixels, boxes, 24)
        assert image.shape == (3, 24, 24) and (moved >= 0).all() and (moved <= 24).all()
        assert all((moved[at, 2:] - moved[at, :2]).prod() >= 0.3 * (boxes[row, 2:] - boxes[row, :2]).prod()
                   for at, row in enumerate(left.tolist()))  # fmt: skip
        seen.add(tuple(left.tolist()))
    assert {(), (0,)} <= seen


def config(data: Path, folder: Path, **more: Any) -> Any:
    usual = {
        "dataset": str(data), "model": "baseline:detector", "augment": ["flip"], "image_size": 64,
        "model_args": '{"widths": [8, 16, 16, 16], "hidden_size": 16}', "output_dir": str(folder), "seed": 3,
        "learning_rate": 1e-2, "mixed_precision": "no", "use_cpu": True, "per_device_train_batch_size": 8,
        "disable_tqdm": True, "num_train_epochs": 12, "eval_strategy": "no", "save_strategy": "no",
        "load_best_model_at_end": False,
    }  # fmt: skip
    return TrainConfig.for_task("object-detection")(**usual | more)


def trained(made: Any) -> Run:
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    return hfkit.fit(made, task, *hfkit.build_model(made, task, data), data)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coco_folder(tmp_path_factory.mktemp("squares") / "set", {"train": 40, "valid": 8, "test": 12})


@pytest.fixture(scope="module")
def run(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    found = trained(config(squares, tmp_path_factory.mktemp("run") / "run"))
    hfkit.write_report(found)
    return found


def test_a_small_detector_finds_the_squares(run: Run) -> None:
    assert run.metrics["map_50"]["value"] > 0.6
    assert run.metrics["ap_dark"]["low"] <= run.metrics["ap_dark"]["value"] <= run.metrics["ap_dark"]["high"]
    assert 0.01 < run.info["task_settings"]["threshold"] < 1
    page = (run.path / "report.html").read_text()
    assert "Kinds of mistakes" in page and page.count("data:image/jpeg") >= 16 and "Precision-recall curve" in page
    assert "—" not in page


def test_rules_of_colour_find_squares_too(squares: Path) -> None:
    data = hfkit.load_data(str(squares), task="object-detection")
    found = fit(data["train"], data["test"], {"labels": list(NAMES[::-1])}, 0)["color_blobs"]
    held = data["test"].select_columns(["boxes", "label", "void"])
    truth = [[v for box, one, void in zip(row["boxes"], row["label"], row["void"], strict=True)
              for v in (*box, 1 - one, void)] for row in held]  # fmt: skip
    values = figures(METRICS, {"truth": truth, "prediction": found["prediction"]})
    assert values["map_50"] > 0.6, "and its classes are in the model's order"


def test_plain_transformers_finds_the_same_boxes(run: Run, tmp_path: Path) -> None:
    Image.fromarray(scene(77)[0]).save(tmp_path / "one.png")
    ours, plain = hfkit.pipeline(run.path), plain_pipeline("object-detection", str(run.model_path))
    mine, theirs = (pipe(str(tmp_path / "one.png"), threshold=0.2) for pipe in (ours, plain))
    assert mine == [one | {"score": pytest.approx(one["score"], abs=1e-5)} for one in theirs]


def test_predict_writes_what_is_read_again(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    for number, place in ((0, "a.png"), (1, "more/b.png"), (5, "none.png")):
        Image.fromarray(scene(number)[0]).save(tmp_path / "in" / place)
    (tmp_path / "in" / "c.png").write_bytes(b"no picture")
    assert predict_file(str(run.path), tmp_path / "in", tmp_path / "boxes.parquet", disable_tqdm=True) == 4
    rows = parquet.read_table(tmp_path / "boxes.parquet").to_pylist()
    assert list(dict.fromkeys(row["file"] for row in rows)) == ["a.png", "c.png", "more/b.png", "none.png"]
    assert next("not an image" in row["problem"] for row in rows if row["file"] == "c.png")
    own = [row for row in rows if row["label"] is not None]
    assert own and all(0 <= row["xmin"] < row["xmax"] <= 64 for row in own)
    for form, name in (("coco", "in/found.json"), ("yolo", "labels")):
        predict_file(str(run.path), tmp_path / "in", tmp_path / name, output_format=form, disable_tqdm=True)
    found = json.loads((tmp_path / "in" / "found.json").read_text())
    assert len(found["images"]) == 3 and len(found["annotations"]) == len(own)
    (tmp_path / "in" / "c.png").unlink()
    for number in range(8):
        Image.fromarray(scene(5 + 7 * (number + 1))[0]).save(tmp_path / "in" / f"e{number}.png")
    (tmp_path / "both").mkdir()
    (tmp_path / "in" / "found.json").rename(tmp_path / "found.json")
    (tmp_path / "in").rename(tmp_path / "both" / "images")
    (tmp_path / "labels").rename(tmp_path / "both" / "labels")
    again = hfkit.load_data(str(tmp_path / "both"), task="object-detection", keep_duplicates=True)
    assert sum(len(one) for part in again.values() for one in part["label"]) == len(own)
    with pytest.raises(HfkitError, match="There is no --output_format pascal"):
        predict_file(str(run.path), tmp_path / "both", output_format="pascal")


def test_transformers_loss_is_what_an_update_makes_small(squares: Path, tmp_path: Path) -> None:
    yolos = str(tiny_yolos(tmp_path / "yolos"))
    made = config(squares, tmp_path / "run", model=yolos, image_size=None, model_args=None)
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    model, processor = hfkit.build_model(made, task, data)
    fitted = task.for_model(model.config, processor)
    encoded = fitted.to_train(fitted.encode(data["train"], processor))
    batch = fitted.collate(fitted.read(encoded, [0, 1, 2], 0))
    torch.manual_seed(1)
    loss, _ = fitted.loss_and_predictions(model.eval(), batch)
    boxes = sum(len(one["boxes"]) for one in batch["labels"])
    out = model(pixel_values=batch["pixel_values"], labels=batch["labels"])
    assert fitted.weight(batch) == boxes and float(loss) == pytest.approx(boxes * float(out.loss), rel=1e-5)
    read = AutoImageProcessor.from_pretrained(made.model)
    picture = Image.fromarray(scene(3)[0])
    pixels = read(images=[picture], return_tensors="pt")["pixel_values"]
    assert torch.equal(pixels, fitted.seen([torch.from_numpy(np.array(picture)).permute(2, 0, 1)]))


def tiny_rt_detr(folder: Path) -> Path:
    torch.manual_seed(0)
    sizes = {"encoder_hidden_dim": 16, "encoder_ffn_dim": 16, "encoder_attention_heads": 2, "d_model": 16}
    sizes |= {"decoder_in_channels": [16, 16, 16], "decoder_attention_heads": 2, "decoder_ffn_dim": 16}
    backbone = {"model_type": "rt_detr_resnet", "hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1]}
    backbone |= {"embedding_size": 8, "layer_type": "basic", "out_features": ["stage2", "stage3", "stage4"]}
    settings = RTDetrConfig(
        **sizes, num_queries=10, decoder_layers=1, encoder_in_channels=[8, 8, 8], backbone_config=backbone, num_labels=3
    )
    RTDetrForObjectDetection(settings).save_pretrained(folder)
    RTDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def test_rt_detr_gets_new_classes_and_keeps_the_rest(squares: Path, tmp_path: Path) -> None:
    """What says its classes stands inside of its own model, and has another size for other classes."""
    folder = tiny_rt_detr(tmp_path / "rtdetr")
    made = config(squares, tmp_path / "run", model=str(folder), image_size=None, model_args=None)
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    model, processor = hfkit.build_model(made, task, data)
    known, kept = RTDetrForObjectDetection.from_pretrained(folder).state_dict(), 0
    for name, value in model.state_dict().items():
        if value.shape == known[name].shape and not in_head(model, name):
            kept += 1
            assert torch.equal(value, known[name]), name
    assert kept > 100 and model.config.num_labels == 2
    assert all(len(layer.weight) == 2 for layer in model.model.decoder.class_embed)
    fitted = task.for_model(model.config, processor)
    batch = fitted.collate(fitted.read(fitted.encode(data["train"], processor), [0, 5], 0))
    loss, _ = fitted.loss_and_predictions(model.train(), batch)
    loss.backward()
    assert loss.item() > 0
    with torch.inference_mode():
        boxes, alone = fitted.boxes(model.eval(), torch.zeros(3, 40, 60, dtype=torch.uint8), torch.zeros(0, 6))
    assert boxes.shape[1] == 6 and alone >= 0, "a picture without a box has a loss too"


def test_a_detector_stands_on_a_classifier_of_timms(squares: Path, tmp_path: Path) -> None:
    """Its features keep what they have learnt; what is new is free where the backbone is frozen."""
    folder = tmp_path / "timm"
    known = tiny_classifier(folder)
    made = config(squares, tmp_path / "run", model=str(folder), model_args=None, freeze=["backbone"], max_steps=2)
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    model, processor = hfkit.build_model(made, task, data)
    kept = {name: value for name, value in model.backbone.body.state_dict().items() if name in known}
    assert len(kept) > 20 and all(torch.equal(value, known[name]) for name, value in kept.items())
    assert list(processor.image_mean) == [0.5, 0.4, 0.3]
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert not any("body" in name for name in learning) and any("narrow" in name for name in learning)
    run = hfkit.fit(made, task, model, processor, data)
    again = AutoModelForObjectDetection.from_pretrained(run.model_path)
    assert torch.equal(again.backbone.body.conv1[0].weight, known["conv1.0.weight"])


def test_an_epoch_of_tiles_is_a_function_of_the_seed(tmp_path: Path) -> None:
    large = coco_folder(tmp_path / "set", {"train": 6, "valid": 2, "test": 2}, (160, 96))
    made = config(large, tmp_path / "run", tile_size=64, max_steps=2)
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    model, processor = hfkit.build_model(made, task, data)
    fitted = task.for_model(model.config, processor)
    encoded = fitted.to_train(fitted.encode(data["train"], processor))
    assert len(encoded) == 6 * (1 + 4), "four tiles, and the whole"
    one, other = (fitted.read(encoded, [4], 1)[0] for _ in range(2))
    assert torch.equal(one["view"], other["view"]) and torch.equal(one["boxes"], other["boxes"])
    assert one["view"].shape == (3, 64, 64) and not torch.equal(fitted.read(encoded, [4], 2)[0]["view"], one["view"])
    run = trained(made)
    rows = hfkit.load_data(made)["test"]
    answer = hfkit.pipeline(run.path)(list(rows["image"]), threshold=0.0)
    assert [len(one) for one in answer] == [len(row) // 6 for row in run.predictions()["prediction"].to_pylist()]
