"""Image segmentation: the network, its losses, tiles, figures and rivals, held against others' words for them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
import torch.nn.functional as F
from mask_files import mask_folder, scene
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score
from timm_weights import tiny_classifier
from transformers import pipeline as plain_pipeline

import hfkit
from hfkit import HfkitError
from hfkit.baselines.vision.configs import UNetConfig
from hfkit.baselines.vision.unet import UNetForSemanticSegmentation
from hfkit.config import TrainConfig
from hfkit.data.vision.augment import seeded
from hfkit.data.vision.masks.values import VOID
from hfkit.data.vision.tiles import blended, starts, turned
from hfkit.data.vision.together import STEPS, tile_of
from hfkit.evaluation.metric import figures
from hfkit.inference import predict_file
from hfkit.report.card import card
from hfkit.report.pictures import strip
from hfkit.runs.run import Run
from hfkit.tasks.discover import find
from hfkit.tasks.image_segmentation.baselines import fit
from hfkit.tasks.image_segmentation.inference import ImageSegmentationPipeline
from hfkit.tasks.image_segmentation.losses import by_tile
from hfkit.tasks.image_segmentation.metrics import METRICS, boundaries, calibration, confusion


def by_the_paper(weights: dict[str, torch.Tensor], pixels: torch.Tensor, scales: int, norm: str) -> torch.Tensor:
    """A U-Net written from its figure, on the same weights: (batch, channels, height, width) to logits."""

    def double(place: str, pixels: torch.Tensor) -> torch.Tensor:
        for at in (0, 3) if norm != "none" else (0, 2):
            bias = weights.get(f"{place}.{at}.bias")
            pixels = F.conv2d(pixels, weights[f"{place}.{at}.weight"], bias, padding=1)
            if norm == "batch":
                own = [
                    weights[f"{place}.{at + 1}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
                ]
                pixels = F.batch_norm(pixels, *own)
            pixels = pixels.relu()
        return pixels

    seen = [double("backbone.down.0", pixels)]
    for scale in range(1, scales):
        seen.append(double(f"backbone.down.{scale}", F.max_pool2d(seen[-1], 2)))
    found = seen.pop()
    for step in range(scales - 1):
        place = f"backbone.grow.{step}"
        found = F.conv_transpose2d(found, weights[f"{place}.weight"], weights[f"{place}.bias"], stride=2)
        found = double(f"backbone.up.{step}", torch.cat([seen.pop(), found], 1))
    return F.conv2d(found, weights["classifier.weight"], weights["classifier.bias"])


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_unet_is_the_papers(norm: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = UNetForSemanticSegmentation(UNetConfig(num_channels=3, widths=[4, 8, 16], norm=norm, num_labels=3))
    pixels = torch.randn(2, 3, 24, 16)
    model(pixels)  # batch norms count
    model.eval().save_pretrained(tmp_path)
    with torch.no_grad():
        found = model(pixels).logits
        assert torch.allclose(found, by_the_paper(model.state_dict(), pixels, 3, norm), atol=1e-5)
        again = UNetForSemanticSegmentation.from_pretrained(tmp_path)
        assert torch.equal(again(pixels).logits, found)
        assert model(pixels[..., :21, :13]).logits.shape == (2, 3, 21, 13), "any size"


def test_a_unet_of_group_norms_sees_one_picture_at_a_time_and_reads_colour_as_grey() -> None:
    model = UNetForSemanticSegmentation(UNetConfig(num_channels=1, widths=[4, 8], norm="group", num_labels=2))
    pixels = torch.randn(3, 1, 16, 16)
    with torch.no_grad():
        assert torch.allclose(model(pixels).logits[1:2], model(pixels[1:2]).logits, atol=1e-5)
        assert torch.allclose(model(pixels.expand(-1, 3, -1, -1)).logits, model(pixels).logits, atol=1e-3)
        labels = torch.randint(0, 2, (3, 16, 16))
        assert torch.allclose(model(pixels, labels=labels).loss, F.cross_entropy(model(pixels).logits, labels))


@pytest.fixture
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    labels = torch.randint(0, 3, (2, 6, 5))
    labels[0, 0] = VOID
    return torch.randn(2, 3, 6, 5), labels


def test_dice_is_monais(answers: tuple[torch.Tensor, torch.Tensor]) -> None:
    """monai.losses.DiceLoss(softmax=True, to_onehot_y=True, reduction="none"), written out, averaged over classes."""
    logits, labels = answers
    labels = labels.where(labels != VOID, 0)
    shares, there = logits.softmax(1).numpy(), np.eye(3)[labels.numpy()].transpose(0, 3, 1, 2)
    axes = (2, 3)
    dice = 1 - (2 * (shares * there).sum(axes) + 1e-5) / (there.sum(axes) + shares.sum(axes) + 1e-5)
    assert by_tile(logits, labels, "dice").numpy() == pytest.approx(dice.mean(1), abs=1e-6)
    entropy = by_tile(logits, labels, "cross_entropy")
    assert torch.allclose(by_tile(logits, labels, "both"), entropy + torch.tensor(dice.mean(1)).float())


def test_void_neither_costs_nor_teaches(answers: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = answers
    mean = F.cross_entropy(logits[:1], labels[:1], ignore_index=VOID)
    assert torch.allclose(by_tile(logits, labels, "cross_entropy")[0], mean)
    for kind in ("both", "focal"):
        learnt = logits.clone().requires_grad_()
        by_tile(learnt, labels, kind).sum().backward()
        assert not learnt.grad[0, :, 0].any() and learnt.grad[0, :, 1].any()
        changed = logits.clone()
        changed[0, :, 0] += 5
        assert torch.equal(by_tile(changed, labels, kind), by_tile(logits, labels, kind))
    assert by_tile(logits, torch.full_like(labels, VOID), "both")[0] < 1e-4


def test_focal_is_cross_entropy_by_how_unsure_it_is_and_classes_weigh(
    answers: tuple[torch.Tensor, torch.Tensor],
) -> None:
    logits, labels = answers
    logits, labels = logits[1:], labels[1:]
    pixels = F.cross_entropy(logits, labels, reduction="none")
    sure = logits.softmax(1).gather(1, labels[:, None])[:, 0]
    assert torch.allclose(by_tile(logits, labels, "focal"), ((1 - sure) ** 2 * pixels).mean((1, 2)), atol=1e-6)
    weights = [0.5, 1.0, 3.0]
    weighed = (torch.tensor(weights)[labels] * pixels).mean((1, 2))
    assert torch.allclose(by_tile(logits, labels, "cross_entropy", weights), weighed)


def test_tiles_cover_a_picture_and_are_blended_to_what_they_were() -> None:
    assert starts(512, 256) == [0, 128, 256] and starts(256, 256) == [0] and starts(100, 256) == [0]
    assert starts(257, 256) == [0, 1]
    for height, width in ((70, 33), (10, 90), (32, 32)):
        picture = torch.randn(3, height, width)
        made: list[int] = []

        def run(tiles: torch.Tensor, made: list[int] = made) -> torch.Tensor:
            assert tiles.shape[1:] == (3, 32, 32)
            made.append(len(tiles))
            return tiles

        assert torch.allclose(blended(run, picture, 32, at_once=2), picture, atol=1e-5)
        assert max(made) <= 2
    ways = list(turned("turn"))
    assert len(ways) == 8 and len(list(turned("flip"))) == 2 and len(list(turned("none"))) == 1
    picture = torch.arange(6.0).view(1, 2, 3)
    assert len({str(there(picture)) for there, _ in ways}) == 8
    assert all(torch.equal(back(there(picture)), picture) for there, back in ways)


@pytest.mark.parametrize("name", [*STEPS, "none"])
def test_a_picture_and_its_mask_are_changed_together(name: str) -> None:
    """The picture is its mask: wherever one goes, the other has to."""
    inside = torch.tensor(scene(3, (90, 80))[1])
    cut = tile_of([] if name == "none" else [name], 32)
    moved = False
    for sample in range(4):
        with seeded(5, sample):
            pixels, mask = cut(inside[None].to(torch.uint8) * 255, inside.to(torch.uint8))
        with seeded(5, sample):
            again = cut(inside[None].to(torch.uint8) * 255, inside.to(torch.uint8))
        assert torch.equal(pixels, again[0]) and torch.equal(mask, again[1])
        assert pixels.shape == (1, 32, 32) and mask.shape == (32, 32) and set(mask.unique().tolist()) <= {0, 1, VOID}
        known = mask != VOID
        agree = ((pixels[0] > 127) == (mask == 1))[known].float().mean()
        assert agree > 0.97
        moved |= bool(mask.any())
    assert moved


def test_a_picture_that_is_smaller_than_a_tile_is_filled_up_with_what_is_void() -> None:
    pixels, mask = tile_of([], 16)(torch.full((3, 10, 6), 9, dtype=torch.uint8), torch.ones(10, 6, dtype=torch.uint8))
    assert (pixels == 9).all() and (mask == 1).sum() == 60 and (mask == VOID).sum() == 256 - 60


def test_figures_are_scikit_learns_over_all_pixels() -> None:
    rng = np.random.default_rng(0)
    truth, said = (torch.tensor(rng.integers(0, 3, (4, 9, 9))) for _ in range(2))
    truth[0, :2] = VOID
    rows = {"confusion": np.stack([confusion(t, s, 4).numpy() for t, s in zip(truth, said, strict=True)])}
    known = (truth != VOID).numpy()
    found = figures(METRICS, rows)
    one, other = truth.numpy()[known], said.numpy()[known]
    assert found["iou"] == pytest.approx(jaccard_score(one, other, average="macro")), "the fourth class does not occur"
    assert found["dice"] == pytest.approx(f1_score(one, other, average="macro"))
    assert found["pixel_accuracy"] == pytest.approx((one == other).mean())
    own = figures(find("image-segmentation").metrics({"labels": list("abcd")}), rows)
    assert own["iou_b"] == pytest.approx(jaccard_score(one, other, average=None)[1])
    assert "iou_d" not in own, "what does not occur has no figure"


def test_all_foreground_is_no_perfect_answer() -> None:
    """An IoU that leaves class 0 out calls a mask of nothing but foreground perfect."""
    truth = torch.zeros(10, 10, dtype=torch.uint8)
    truth[:2] = 1
    found = figures(METRICS, {"confusion": confusion(truth, torch.ones_like(truth), 2).numpy()[None]})
    assert found["iou"] == pytest.approx(0.1) and found["pixel_accuracy"] == pytest.approx(0.2)


def test_boundaries_may_lie_a_little_apart() -> None:
    truth = torch.zeros(100, 100, dtype=torch.uint8)
    truth[20:60, 20:60] = 1
    for shift, f1 in ((0, 1.0), (2, 1.0), (30, 0.0)):
        said, found, there, met = boundaries(truth, truth.roll(shift, 0).roll(shift, 1)).tolist()
        assert said == there > 0 and found == met
        assert (found / said > 0.99) if f1 else (found / said < 0.1)
    assert boundaries(truth, torch.zeros_like(truth))[0] == 0, "the picture's rim is no boundary"


def test_calibration_counts_pixels_by_what_is_claimed() -> None:
    shares = torch.tensor([0.95, 0.95, 0.62]).expand(2, 3).clone()[:, None]
    shares[1] = 1 - shares[0]
    pixels, claimed, right = calibration(torch.tensor([[0, 1, VOID]]), shares).view(3, 10)
    assert pixels[9] == 2 and claimed[9] == pytest.approx(1.9) and right[9] == 1 and pixels.sum() == 2


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mask_folder(tmp_path_factory.mktemp("masks") / "set", {"train": 12, "val": 4, "test": 6})


def config(masks: Path, folder: Path, **more: Any) -> Any:
    usual = {
        "dataset": str(masks),
        "model": "baseline:unet",
        "model_args": '{"widths": [4, 8], "norm": "batch"}',
        "tile_size": 32,
    }
    usual |= {"output_dir": str(folder), "learning_rate": 2e-2, "mixed_precision": "no", "use_cpu": True}
    usual |= {"per_device_train_batch_size": 4, "disable_tqdm": True, "seed": 3, "num_train_epochs": 10}
    return TrainConfig.for_task("image-segmentation")(**usual | more)


@pytest.fixture(scope="module")
def run(masks: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = config(masks, tmp_path_factory.mktemp("run") / "run", test_time_augmentation="flip", augment=["medium"])
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    found = hfkit.fit(made, task, *hfkit.build_model(made, task, data), data)
    hfkit.write_report(found)
    return found


def test_a_small_unet_finds_the_discs(run: Run) -> None:
    assert run.metrics["iou"]["value"] > 0.75
    assert run.metrics["iou_foreground"]["low"] <= run.metrics["iou_foreground"]["value"]
    assert set(run.metrics["baselines"]) == {"filters_logreg", "otsu_threshold", "majority"}
    page = (run.path / "report.html").read_text()
    assert "The worst pictures" in page and page.count("data:image/jpeg") >= 8 and "foreground" in page
    assert "—" not in page


def test_a_card_shows_the_worst_and_the_best_with_all_their_layers(run: Run) -> None:
    row = strip(run)
    assert row is not None
    said = "Test pictures: the worst above, the best below; from left to right: picture, truth, answer, wrong."
    assert row.caption == said and f"![{said}](pictures.jpg)" in card(run, "user/discs", row.caption)
    tiles = [tile["image"] for tile in run.table("pictures.parquet").to_pylist() if tile["part"] == "overlay"]
    answer = Image.open(io.BytesIO(tiles[-2])).convert("L")
    wide = round(144 * answer.width / answer.height)
    with Image.open(io.BytesIO(row.image)) as shown:
        assert shown.size == (4 * wide + 12, 292)
        there = shown.convert("L").crop((2 * wide + 8, 148, 3 * wide + 8, 292))
    given = answer.resize((wide, 144), Image.Resampling.NEAREST)
    assert np.abs(np.asarray(there, dtype=float) - np.asarray(given)).mean() < 4


def test_a_unet_stands_on_a_classifier_of_timms(masks: Path, tmp_path: Path) -> None:
    """Its maps keep what they have learnt, and are read as it wants them; what is new is free where it is frozen."""
    known = tiny_classifier(tmp_path / "timm")
    own = {"model": str(tmp_path / "timm"), "model_args": '{"widths": [4, 8]}', "freeze": ["backbone"]}
    made = config(masks, tmp_path / "run", **own, num_train_epochs=12)
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    model, processor = hfkit.build_model(made, task, data)
    assert list(processor.image_mean) == [0.5, 0.4, 0.3]
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert {name.split(".")[1] for name in learning} == {"down", "grow", "up", "weight", "bias"}
    found = hfkit.fit(made, task, model, processor, data)
    again = UNetForSemanticSegmentation.from_pretrained(found.model_path)
    kept = {name: value for name, value in again.backbone.body.named_parameters() if name in known}
    assert len(kept) > 20 and all(torch.equal(value, known[name]) for name, value in kept.items())
    assert again(torch.rand(1, 3, 37, 50)).logits.shape == (1, 2, 37, 50), "any size"
    assert found.metrics["iou"]["value"] > 0.7


def test_rivals_answer_the_same_rows(masks: Path) -> None:
    data = hfkit.load_data(str(masks), task="image-segmentation")
    found = fit(data["train"], data["test"], {"labels": ["background", "foreground"]}, 0)
    sizes = np.array([one["prediction"].sum(1) for one in found.values()])
    assert (sizes == 48 * 40).all()
    iou = {name: figures(METRICS, {"confusion": one["prediction"]})["iou"] for name, one in found.items()}
    assert iou["otsu_threshold"] > 0.95 and iou["filters_logreg"] > 0.9, "discs are brighter than noise"
    assert iou["majority"] < 0.5


def test_a_picture_of_a_tiles_size_has_plain_transformers_answer(run: Run, tmp_path: Path) -> None:
    Image.fromarray(scene(77, (32, 32))[0]).save(tmp_path / "one.png")
    ours = hfkit.pipeline(run.path)
    plain = plain_pipeline("image-segmentation", str(run.model_path))
    object.__setattr__(ours.reading, "tta", "none")
    mine, theirs = (pipe(str(tmp_path / "one.png")) for pipe in (ours, plain))
    assert [one["label"] for one in mine] == [one["label"] for one in theirs]
    assert all(np.array_equal(one["mask"], two["mask"]) for one, two in zip(mine, theirs, strict=True))
    assert all(0.5 <= one["score"] <= 1 and one["mask"].size == (32, 32) for one in mine)


def test_predict_writes_masks_and_areas(run: Run, masks: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    for number, place in ((0, "a.png"), (1, "more/b.png")):
        Image.fromarray(scene(number)[0]).save(tmp_path / "in" / place)
    (tmp_path / "in" / "c.png").write_bytes(b"no picture")
    assert predict_file(str(run.path), tmp_path / "in", tmp_path / "areas.parquet", disable_tqdm=True) == 3
    rows = parquet.read_table(tmp_path / "areas.parquet").to_pylist()
    assert [row["file"] for row in rows] == ["a.png", "c.png", "more/b.png"]
    assert "not an image" in rows[1]["problem"] and rows[1]["mask"] is None
    for row in rows[::2]:
        ids = np.asarray(Image.open(tmp_path / row["mask"]))
        assert ids.shape == (40, 48) and row["foreground"] == pytest.approx((ids == 1).mean())
        assert row["background"] + row["foreground"] == pytest.approx(1)


def test_masks_are_there_whole_or_not_at_all(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    for name in ("1.png", "2.png"):
        Image.fromarray(scene(0)[0]).save(tmp_path / "in" / name)
    answered = ImageSegmentationPipeline.probabilities

    def broken(self: ImageSegmentationPipeline, file: Path) -> torch.Tensor:
        if file.name == "2.png":
            raise OSError("no space left")
        return answered(self, file)

    with monkeypatch.context() as patch, pytest.raises((HfkitError, OSError)):
        patch.setattr(ImageSegmentationPipeline, "probabilities", broken)
        predict_file(str(run.path), tmp_path / "in", tmp_path / "areas.csv", disable_tqdm=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert predict_file(str(run.path), tmp_path / "in", tmp_path / "areas.csv", disable_tqdm=True) == 2
    with pytest.raises(HfkitError, match="areas_masks is there already"):
        predict_file(str(run.path), tmp_path / "in", tmp_path / "areas.csv", disable_tqdm=True)
    assert len(list((tmp_path / "areas_masks").iterdir())) == 2


def test_an_update_does_not_depend_on_its_batches_or_workers(masks: Path, tmp_path: Path) -> None:
    made = config(masks, tmp_path / "run", augment=["strong"], model_args='{"widths": [4, 8], "norm": "group"}')
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    model, processor = hfkit.build_model(made, task, data)
    fitted = task.for_model(model.config, processor)
    encoded = fitted.to_train(fitted.encode(data["train"], processor))
    assert len(encoded) == 24, "two tiles fit into 48 x 40 pixels"
    rows = list(range(6))

    def loss(parts: list[list[int]]) -> tuple[float, float]:
        batches = [fitted.collate(fitted.read(encoded, part, 2)) for part in parts]
        return sum(float(fitted.loss_and_predictions(model, one)[0]) for one in batches), sum(
            map(fitted.weight, batches)
        )

    whole, cut = loss([rows]), loss([rows[:1], rows[1:]])
    assert whole[1] == cut[1] == 6 and whole[0] == pytest.approx(cut[0], rel=1e-5)
    torch.manual_seed(99)
    one, other = (fitted.read(encoded, [4], epoch) for epoch in (1, 1))
    assert torch.equal(one[0]["tile"], other[0]["tile"])
    assert not torch.equal(fitted.read(encoded, [4], 2)[0]["tile"], one[0]["tile"])


def test_classes_are_matched_by_name(masks: Path, tmp_path: Path) -> None:
    """A model whose classes stand in another order learns and is judged with its own."""
    made = config(masks, tmp_path / "run", class_names=["rest", "disc"])
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    settings = UNetConfig(num_labels=2, id2label={0: "disc", 1: "rest"}, label2id={"disc": 0, "rest": 1})
    _, processor = hfkit.build_model(made, task, data)
    fitted = task.for_model(settings, processor)
    assert fitted.labels == ["disc", "rest"]
    one, other = (each.encode(data["test"], processor)[0]["mask"]["bytes"] for each in (task.for_model(UNetConfig(
        num_labels=2, id2label={0: "rest", 1: "disc"}), processor), fitted))  # fmt: skip
    from hfkit.tasks.image_segmentation.task import ids_of

    assert (ids_of({"bytes": one}) == 1 - ids_of({"bytes": other})).all()


def test_a_mask_may_be_judged_where_the_picture_was_made_smaller(masks: Path, tmp_path: Path) -> None:
    made = config(masks, tmp_path / "run", image_size=24, tile_size=16, max_steps=1, eval_strategy="no")
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    found = hfkit.fit(made, task, *hfkit.build_model(made, task, data), data)
    counts = np.array(found.predictions()["confusion"].to_pylist())
    assert (counts.sum(1) == 48 * 40).all()
