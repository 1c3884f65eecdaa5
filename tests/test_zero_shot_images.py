"""Pictures and texts: the towers, the losses and the gradients of the large batch, figures, rows, answers, rivals."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import caption_files
import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from datasets import Dataset
from PIL import Image
from processes import in_child, in_children
from safetensors.torch import load_file, save_file
from transformers import AutoModelForZeroShotImageClassification, CLIPConfig, CLIPModel
from transformers import pipeline as plain_pipeline

import hfkit
from hfkit import HfkitError
from hfkit.baselines.vision.clip import BaselineClipModel
from hfkit.baselines.vision.configs import BaselineClipConfig
from hfkit.config import DataArguments, TrainConfig
from hfkit.evaluation.metric import Columns, figures
from hfkit.inference import predict_file
from hfkit.inference.search.building import index
from hfkit.inference.search.retrieving import retrieve
from hfkit.tasks.zero_shot_image_classification.metrics import METRICS
from hfkit.tasks.zero_shot_image_classification.task import ImageText
from hfkit.tasks.zero_shot_image_classification.vectors.losses import joint_loss
from hfkit.tasks.zero_shot_image_classification.vectors.matching import classified, retrieved
from hfkit.training.engine import Engine
from hfkit.training.judging.judge import evaluate

NAME = "zero-shot-image-classification"


def load(path: Path, **options: Any) -> Any:
    return hfkit.load_data(str(path), task=NAME, **options)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("towers")
    return {"clip": caption_files.tiny_clip(folder / "clip"), "siglip": caption_files.tiny_siglip(folder / "siglip")}


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return caption_files.write(tmp_path_factory.mktemp("captioned"), caption_files.rows(48))


def test_our_towers_with_clips_weights_have_clips_logits() -> None:
    torch.manual_seed(0)
    size = {"hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 48}
    texts = size | {"num_hidden_layers": 3, "vocab_size": 40, "max_position_embeddings": 12, "eos_token_id": 39}
    pictures = size | {"num_hidden_layers": 2, "image_size": 16, "patch_size": 4, "layer_norm_eps": 1e-6}
    theirs = CLIPModel(CLIPConfig(text_config=texts, vision_config=pictures, projection_dim=10)).eval()
    for value in theirs.parameters():
        torch.nn.init.normal_(value, std=0.3)
    theirs.logit_scale.data.fill_(4.0)
    config = BaselineClipConfig(
        **size, image_size=16, patch_size=4, vocab_size=40, max_position_embeddings=12, num_hidden_layers=2,
        num_text_layers=3, projection_dim=10, hidden_act="quick_gelu",
    )  # fmt: skip
    ours = BaselineClipModel(config).eval()
    ours.load_state_dict(named_as_ours(theirs))
    ids = torch.randint(1, 39, (5, 9))
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 4, 7, 2, 9)):
        ids[row, length - 1], mask[row, length:] = 39, 0
        ids[row, length:] = 39  # CLIP's tokenizer fills up with the end
    inputs = {"input_ids": ids, "attention_mask": mask, "pixel_values": torch.randn(3, 3, 16, 16)}
    with torch.no_grad():
        mine, said = ours(**inputs), theirs(**inputs)
    assert mine.logits_per_image.shape == (3, 5) and mine.logits_per_image.std() > 0.5
    torch.testing.assert_close(mine.logits_per_image, said.logits_per_image, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(mine.text_embeds, said.text_embeds, atol=1e-6, rtol=1e-5)


def named_as_ours(theirs: CLIPModel) -> dict[str, torch.Tensor]:
    """CLIP's weights by the names that they have here."""
    known, found = dict(theirs.state_dict()), {}
    for name in ("logit_scale", "visual_projection.weight", "text_projection.weight"):
        found[name] = known[name]
    vision, texts = "vision_model.", "text_model."
    patches = known[f"{vision}embeddings.patch_embedding.weight"]
    found |= {
        "vision.embeddings.0.project.weight": patches,
        "vision.embeddings.0.project.bias": torch.zeros(len(patches)),
        "vision.embeddings.0.class_token": known[f"{vision}embeddings.class_embedding"][None, None],
        "vision.embeddings.0.positions": known[f"{vision}embeddings.position_embedding.weight"][None],
        "embeddings.tokens.weight": known[f"{texts}embeddings.token_embedding.weight"],
        "embeddings.positions.weight": known[f"{texts}embeddings.position_embedding.weight"],
    }
    norms = {"vision.embeddings.1": f"{vision}pre_layrnorm", "vision.encoder.norm": f"{vision}post_layernorm"}
    norms["text.norm"] = f"{texts}final_layer_norm"
    layers = {"attention.query": "self_attn.q_proj", "attention.key": "self_attn.k_proj"}
    layers |= {"attention.value": "self_attn.v_proj", "attention.output": "self_attn.out_proj"}
    layers |= {"feed_forward.expand": "mlp.fc1", "feed_forward.contract": "mlp.fc2"}
    layers |= {"after_attention.norm": "layer_norm1", "after_feed_forward.norm": "layer_norm2"}
    for own, other, count in (("vision.encoder", vision, 2), ("text", texts, 3)):
        for layer in range(count):
            for mine, his in layers.items():
                norms[f"{own}.layers.{layer}.{mine}"] = f"{other}encoder.layers.{layer}.{his}"
    parts = ("weight", "bias")
    return found | {f"{mine}.{part}": known[f"{his}.{part}"] for mine, his in norms.items() for part in parts}


def batches(sizes: list[int], task: ImageText) -> list[dict[str, Any]]:
    """An update of 12 pictures, each with a caption of its own, cut into batches."""
    texts = [[1, 4 + row % 4, 5 + row // 4, 16 + row % 2, 2] for row in range(12)]
    pixels = torch.randn(12, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    rows = [{"pixel_values": pixels[row], "text": text, "key": row, "keys": [row]} for row, text in enumerate(texts)]
    ends = np.cumsum([0, *sizes]).tolist()
    return [task.collate(rows[first:last]) for first, last in pairwise(ends)]


def gradients(path: Path, sizes: list[int]) -> tuple[dict[str, torch.Tensor], float, Any]:
    """Those of an update cut so, by the engine's own backward, and its summed loss."""
    model = AutoModelForZeroShotImageClassification.from_pretrained(path)
    if hasattr(model, "logit_bias"):
        model.logit_bias.data.fill_(-1.0)
        model.logit_scale.data.fill_(1.0)
    task = ImageText(max_length=16).for_model(model.config, caption_files.processor("siglip" not in str(path)))
    # As a job makes it: a joint loss goes forward several times before it goes back, and no buffer may be sent around.
    accelerator = Accelerator(cpu=True, kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)])
    own: Any = SimpleNamespace(
        accelerator=accelerator, task=task, model=accelerator.prepare(model), config=SimpleNamespace(seed=7),
        state=SimpleNamespace(step=3),
    )  # fmt: skip
    own.seed = lambda step, batch: Engine.seed(own, step, batch)
    parts, processes, rank = batches(sizes, task), accelerator.num_processes, accelerator.process_index
    places = range(rank, processes * -(-len(parts) // processes), processes)
    share = [(parts[place] if place < len(parts) else parts[0], place < len(parts)) for place in places]
    loss = Engine._backward(own, share, 12.0)
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}, loss, task


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_an_update_of_parts_has_the_gradients_of_the_large_batch(kind: str, tiny: dict[str, Path]) -> None:
    """Of the learnt scale and bias too; and the large batch's are those of transformers' own loss."""
    whole, loss, task = gradients(tiny[kind], [12])
    assert {"logit_scale"} <= whole.keys() and whole["logit_scale"].abs() > 1e-4
    for sizes in ([6, 6], [5, 4, 3], [1] * 12):
        found, value, _ = gradients(tiny[kind], sizes)
        assert value == pytest.approx(loss, rel=1e-5)
        assert found.keys() == whole.keys()
        for name in whole:
            torch.testing.assert_close(found[name], whole[name], rtol=1e-4, atol=2e-6)
    model = AutoModelForZeroShotImageClassification.from_pretrained(tiny[kind])
    if kind == "siglip":
        model.logit_bias.data.fill_(-1.0)
        model.logit_scale.data.fill_(1.0)
    (batch,) = batches([12], task)
    inputs = {name: value for name, value in batch.items() if name not in ("keys", "right")}
    told = model(**inputs, return_loss=True)
    told.loss.backward()
    assert loss / 12 == pytest.approx(told.loss.item(), rel=1e-5)
    for name, value in model.named_parameters():
        if value.grad is not None and name in whole:
            torch.testing.assert_close(whole[name], value.grad, rtol=1e-4, atol=2e-6)


def test_two_processes_have_the_gradients_of_one(tiny: dict[str, Path], tmp_path: Path) -> None:
    """Of three batches the second process has one, and one that only stands in."""

    def work() -> None:
        found, loss, _ = gradients(tiny["clip"], [5, 4, 3])
        name = f"{Accelerator(cpu=True).process_index}-{Accelerator(cpu=True).num_processes}.safetensors"
        save_file(found | {"loss": torch.tensor(loss)}, tmp_path / name)

    assert in_child(work) == 0
    assert in_children(work) == [0, 0]
    one, first, second = (load_file(tmp_path / f"{name}.safetensors") for name in ("0-1", "0-2", "1-2"))
    assert float(first.pop("loss") + second.pop("loss")) == pytest.approx(float(one.pop("loss")), rel=1e-5)
    for found in (first, second):
        assert found.keys() == one.keys() and "logit_scale" in found
        for name, value in one.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_another_caption_of_a_picture_is_no_negative(loss: str) -> None:
    """What is said of rows does not change when a row is added whose caption is right for them, and whose picture is
    theirs; a stranger's row does change it."""
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(2, 3, 8), dim=2)
    vectors[0, 2] = vectors[0, 0]
    scale = torch.tensor([[1.0, -0.5, 0, 0, 0, 0, 0, 0]])

    def losses(keys: list[int], right: list[list[int]]) -> torch.Tensor:
        rows = len(keys)
        found = torch.cat([vectors[0, :rows], vectors[1, :rows], scale])
        facts = {"keys": torch.tensor(keys), "right": torch.tensor([row + [-1] * (2 - len(row)) for row in right])}
        return joint_loss(loss, [(found, facts)])

    alone = losses([10, 20], [[10], [20]])
    again = losses([10, 20, 11], [[10, 11], [20], [10, 11]])
    other = losses([10, 20, 30], [[10], [20], [30]])
    assert again[0] == pytest.approx(alone[0].item(), rel=1e-6) and other[0] > alone[0] + 1e-3
    same_words = losses([10, 20, 10], [[10], [20], [10]])
    assert same_words[0] == pytest.approx(alone[0].item(), rel=1e-6)


def test_figures_are_those_of_counting() -> None:
    rng = np.random.default_rng(3)
    counts = [1, 3, 2, 2, 1, 4, 2]
    keys = [[100 * row + at for at in range(count)] for row, count in enumerate(counts)]
    keys[4] = [keys[1][0]]  # the words of another picture's
    flat = [key for own in keys for key in own]
    pictures, captions = (rng.normal(size=(rows, 6)) for rows in (len(counts), len(flat)))
    pictures, captions = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (pictures, captions))
    captions[3] = captions[7]
    found = retrieved(pictures.astype(np.float32), captions.astype(np.float32), keys, 5.0)
    cosines, at = pictures @ captions.T, 0
    for row, own in enumerate(keys):
        right = [key in own for key in flat]
        best = max(value for value, good in zip(cosines[row], right, strict=True) if good)
        rivals = [value for value, good in zip(cosines[row], right, strict=True) if not good]
        assert found["caption_place"][row] == 1 + sum(value >= best - 1e-7 for value in rivals)
        for place in range(len(own)):
            fits = [flat[at + place] in other for other in keys]
            column = cosines[:, at + place]
            best = max(value for value, good in zip(column, fits, strict=True) if good)
            expected = 1 + sum(value >= best for value, good in zip(column, fits, strict=True) if not good)
            assert found["picture_places"][row][place] == expected
        at += len(own)
    columns = {name: found[name] for name in ("caption_place", "picture_places")}
    told = figures(METRICS, columns)
    every = np.concatenate(found["picture_places"])
    for cut in (1, 5, 10):
        assert told[f"image_recall_at_{cut}"] == pytest.approx((every <= cut).mean())
        assert told[f"text_recall_at_{cut}"] == pytest.approx((found["caption_place"] <= cut).mean())
    weights = np.array([[2.0, 0, 1, 1, 3, 0, 0]])
    drawn = [row for row, count in enumerate(weights[0].astype(int)) for _ in range(count)]
    again = figures(METRICS, {name: [values[row] for row in drawn] for name, values in columns.items()})
    for metric in METRICS[:6]:
        assert metric.values(Columns(columns), weights)[0] == pytest.approx(again[metric.name])


def test_a_model_that_says_the_same_of_all_finds_nothing() -> None:
    same = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (5, 1))
    found = retrieved(same, same, [[row] for row in range(5)], 1.0)
    assert found["caption_place"].tolist() == [5] * 5 and figures(METRICS, found)["image_recall_at_1"] == 0


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_pipeline_is_transformers_own_and_the_figures_are_its(
    kind: str, tiny: dict[str, Path], captioned: Path, tmp_path: Path
) -> None:
    config = TrainConfig.for_task(NAME)(
        dataset=str(captioned), model=str(tiny[kind]), output_dir=str(tmp_path / "run"), max_steps=3, use_cpu=True,
        mixed_precision="no", templates=["a {}"], per_device_train_batch_size=8, disable_tqdm=True, save_strategy="no",
        gradient_accumulation_steps=2, logging_steps=1, eval_strategy="no", load_best_model_at_end=False,
    )  # fmt: skip
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    run = hfkit.fit(config, task, *hfkit.build_model(config, task, data), data)
    assert all(0 < line["temperature"] < 2 for line in run.log() if "loss" in line)
    assert run.info["task_settings"]["loss"] == {"clip": "softmax", "siglip": "sigmoid"}[kind]
    table, labels = run.predictions(), run.info["task_settings"]["labels"]
    said = [labels[number] for number in table["prediction"].to_pylist()]
    pictures = list(data["test"]["image"])
    ours = hfkit.pipeline(run.path)(pictures)
    theirs = plain_pipeline(NAME, model=str(run.model_path), device="cpu")
    for mine, one, label in zip(ours, pictures, said, strict=True):
        upstream = theirs(one, candidate_labels=labels, hypothesis_template="a {}")
        assert mine[0]["label"] == upstream[0]["label"] == label
        for own, other in zip(mine, upstream, strict=True):
            assert own["score"] == pytest.approx(other["score"], abs=1e-5)
    assert {"bag_of_words", "untuned", "linear_probe", "class_mean"} == run.metrics["baselines"].keys()


def test_a_class_is_the_mean_of_its_sentences() -> None:
    pictures = np.eye(3, dtype=np.float32)[:2]
    found = classified(pictures, np.array([[0, 1, 0], [1, 0, 0]], dtype=np.float32), 10.0)
    assert found["prediction"].tolist() == [1, 0]
    task = ImageText(["cat", "dog"], templates=["a {}", "the {} there"])
    assert task.prompts() == ["a cat", "the cat there", "a dog", "the dog there"]


def rows_as(folder: Path, lines: list[str], name: str = "rows.csv", pictures: int = 12) -> Path:
    caption_files.write(folder, caption_files.rows(pictures), "other.txt")
    (folder / "other.txt").unlink()
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def test_rows_of_one_picture_are_put_together(tmp_path: Path) -> None:
    lines = ["image,caption"]
    for number in range(12):
        lines += [f"images/{number}.png,first {number}", f"images/{number}.png,second {number}"]
    lines += ["images/3.png,FIRST 3 ", "images/3.png,third"]
    data = load(rows_as(tmp_path, lines), test_size=0.2, validation_size=0.2)
    own = {one for split in data.values() for row in split["captions"] for one in row if "3" in one or one == "third"}
    assert own == {"first 3", "second 3", "third"} and "label" not in data["train"].column_names
    assert sum(len(split) for split in data.values()) == 12
    told = " ".join(data.summary.notes)
    assert "26 rows of train are 12 pictures" in told and "1 caption of train that the same picture has already" in told


@pytest.mark.parametrize("cell", ['"[""one"", ""two""]"', "\"['one', 'two']\""])
def test_lists_of_captions_in_a_cell(cell: str, tmp_path: Path) -> None:
    lines = ["file_name,captions", *(f"images/{number}.png,{cell}" for number in range(12))]
    data = load(rows_as(tmp_path, lines))
    assert all(own == ["one", "two"] for own in data["train"]["captions"])


def test_a_text_file_beside_each_picture_is_its_captions(tmp_path: Path) -> None:
    for split, numbers in {"train": range(8), "val": range(8, 11), "test": range(11, 14)}.items():
        (tmp_path / split / "deep").mkdir(parents=True)
        for number in numbers:
            caption_files.picture(number).save(tmp_path / split / "deep" / f"{number}.png")
            (tmp_path / split / "deep" / f"{number}.txt").write_text(f"one {number}\n\ntwo {number}\n")
    data = load(tmp_path)
    assert [len(split) for split in data.values()] == [8, 3, 3]
    assert data["test"]["captions"][0] == ["one 11", "two 11"] and data["test"]["id"][0] == "test/deep/11.png"
    (tmp_path / "train" / "deep" / "3.txt").unlink()
    with pytest.raises(HfkitError, match="captions in 'captions'"):
        load(tmp_path)
    (tmp_path / "train" / "deep" / "3.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HfkitError, match="cannot be read"):
        load(tmp_path)


def test_a_folder_of_classes_is_learnt_by_its_sentences(tmp_path: Path, tiny: dict[str, Path]) -> None:
    for number in range(24):
        place = tmp_path / "pictures" / caption_files.CLASSES[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        caption_files.picture(number // 3 * 8 + number % 3).save(place / f"{number}.png")
    config = TrainConfig.for_task(NAME)(
        dataset=str(tmp_path / "pictures"), model=str(tiny["clip"]), output_dir=str(tmp_path / "run"), max_steps=2,
        use_cpu=True, mixed_precision="no", templates=["a {}", "the {}"], disable_tqdm=True,
    )  # fmt: skip
    run = hfkit.train(config)
    assert "accuracy" in run.metrics and "image_recall_at_1" not in run.metrics
    page = (run.path / "report.html").read_text()
    assert "Zero-shot, class by class" in page and "Where the own one stands" not in page


def test_a_run_is_judged_by_classes_that_it_never_had(tmp_path: Path, tiny: dict[str, Path]) -> None:
    """It answers by sentences, so others do as well; what it learnt is told apart from what it did not."""
    lines = [{"file_name": f"images/{n}.png", "label": caption_files.CLASSES[n % 2]} for n in range(24)]
    others = [line | {"label": caption_files.CLASSES[1 + n % 3]} for n, line in enumerate(lines)]
    config = TrainConfig.for_task(NAME)(
        dataset=str(caption_files.write(tmp_path, lines)), model=str(tiny["clip"]), output_dir=str(tmp_path / "run"),
        max_steps=1, use_cpu=True, mixed_precision="no", disable_tqdm=True,
    )  # fmt: skip
    run = hfkit.train(config)
    data = DataArguments(dataset=str(caption_files.write(tmp_path, others, "others.jsonl")))
    figures = evaluate(run.path, data, output=tmp_path / "judged")
    assert figures["accuracy"]["n"] == 24
    table = parquet.read_table(tmp_path / "judged" / "predictions.parquet").to_pylist()
    names = sorted(caption_files.CLASSES[1:4])
    learnt = [row for row in table if names[row["label"]] == caption_files.CLASSES[1]]
    right = [row["label"] == row["prediction"] for row in table if row not in learnt]
    assert len(learnt) == 8 and figures["accuracy_unseen"]["value"] == pytest.approx(np.mean(right))
    pipe = hfkit.pipeline(run.path)
    for row in table[:4]:
        said = pipe(str(tmp_path / "images" / f"{table.index(row)}.png"), candidate_labels=names)
        assert said[0]["label"] == names[row["prediction"]]
    told = json.loads((tmp_path / "judged" / "metrics.json").read_text())["data"]["notes"]
    assert any("not judged by before, zero-shot: 2" in note for note in told)


def test_texts_over_the_limit_are_counted(captioned: Path, tiny: dict[str, Path]) -> None:
    data = load(captioned)
    model = AutoModelForZeroShotImageClassification.from_pretrained(tiny["clip"])
    task = ImageText(max_length=5, captioned=True).for_model(model.config, caption_files.processor())
    encoded = task.encode(data["train"], task.processor)
    assert all(len(text) <= 5 for own in encoded["texts"] for text in own)
    assert task.truncation(encoded)["rows"] == len(encoded), "'the disc is red .' has seven tokens"


def test_one_caption_is_drawn_of_each_picture_and_epoch(captioned: Path, tiny: dict[str, Path]) -> None:
    data = load(captioned)["train"]
    model = AutoModelForZeroShotImageClassification.from_pretrained(tiny["clip"])
    task = ImageText(seed=4).for_model(model.config, caption_files.processor())
    encoded = task.encode(data, task.processor)
    rows = list(range(len(encoded)))
    drawn = [[one["text"] for one in task.read(encoded, rows, epoch)] for epoch in range(4)]
    assert drawn[0] == [one["text"] for one in task.read(encoded, rows, 0)] and len({str(one) for one in drawn}) == 4
    assert all(text in own for texts in drawn for text, own in zip(texts, encoded["texts"], strict=True))
    other = replace(task, seed=5).read(encoded, rows, 0)
    assert drawn[0] != [one["text"] for one in other]


HOSTILE = [
    (["image,text_of", "images/1.png,a"], {}, "neither captions nor classes"),
    (["image,caption", "images/1.png,a"], {"text_column": "words"}, "no column 'words'"),
    (["image,caption", *(f"images/{n}.png," for n in range(9))], {}, "All captions in 'caption' are missing"),
    (["image,caption", "images/1.png,", *(f"images/{n}.png,a" for n in range(2, 9))], {}, "captions in 'caption'"),
    (["image,caption", *(f'images/{n}.png,"[1, 2]"' for n in range(9))], {}, "cannot be read as captions"),
    (["image,caption", "images/99.png,a", *(f"images/{n}.png,a" for n in range(9))], {}, "cannot be used"),
    (["image,caption", "../1.png,a", *(f"images/{n}.png,a" for n in range(9))], {}, "may not be followed"),
    (["name,caption", *(f"x{n},a" for n in range(9))], {}, "No column holds pictures"),
    (["image,caption", *(f"images/{n}.png,a" for n in range(9))], {"text_column": "image"}, "named for two things"),
    (["image,label", "images/1.png,a", "images/1.png,b", *(f"images/{n}.png,a" for n in range(2, 9))],
     {"text_column": None}, None),
    (["image,caption,label", "images/1.png,x,a", "images/1.png,y,b", *(f"images/{n}.png,z,a" for n in range(2, 9))],
     {}, "has two classes"),
    (["image,caption,label", "images/1.png,x,", *(f"images/{n}.png,z,a" for n in range(2, 9))],
     {}, "classes in 'label'"),
    (["image,caption", *("images/1.png,a" for _ in range(9))], {}, "cannot give up"),
    (["image,caption"], {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "options", "told"), HOSTILE)
def test_bad_rows_are_told(lines: list[str], options: dict[str, Any], told: str | None, tmp_path: Path) -> None:
    path = rows_as(tmp_path, lines)
    if told is None and len(lines) > 1:  # a repeated picture of another class, which nothing but the count tells
        assert "repeated image" in " ".join(load(path, **options).summary.notes)
        return
    with pytest.raises(HfkitError) as raised:
        load(path, **options)
    assert (told or "") in str(raised.value) and "\n" not in raised.value.what


def test_an_unreadable_picture_is_told_or_skipped(tmp_path: Path) -> None:
    path = rows_as(tmp_path, ["image,caption", *(f"images/{n}.png,a {n}" for n in range(12))])
    (tmp_path / "images" / "5.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(HfkitError, match="cannot be used"):
        load(path)
    data = load(path, skip_corrupt=True)
    assert sum(map(len, data.values())) == 11 and "1 image of train skipped" in " ".join(data.summary.notes)


def test_empty_captions_among_others_are_left_out_and_rows_without_any_dropped(tmp_path: Path) -> None:
    rows = [{"image": f"images/{n}.png", "captions": ["a", " ", None] if n else []} for n in range(12)]
    path = rows_as(tmp_path, [json.dumps(row) for row in rows], "rows.jsonl")
    data = load(path, drop_bad_rows=True)
    told = " ".join(data.summary.notes)
    assert "22 empty captions of train among others" in told and "1 row of train without captions: dropped" in told
    assert all(own == ["a"] for own in data["train"]["captions"])


@pytest.mark.parametrize(
    ("given", "told"),
    [({"templates": ["a photo"]}, "has no {}"), ({"templates": ["a {}", "a {}"]}, "twice"),
     ({"augment": ["sideways"]}, "no augmentation"), ({"loss": "sigmoid"}, "no bias beside its scale"),
     ({"max_length": 900}, "900"), ({"max_length": 2}, "No text fits")],
)  # fmt: skip
def test_knobs_that_do_not_fit_are_told(
    given: dict[str, Any], told: str, captioned: Path, tiny: dict[str, Path]
) -> None:
    config = TrainConfig.for_task(NAME)(dataset=str(captioned), model=str(tiny["clip"]), **given)
    data = load(captioned)
    with pytest.raises(HfkitError) as raised:
        hfkit.build_model(config, hfkit.build_task(config, data), data)
    assert told in str(raised.value)


def test_a_model_of_one_tower_or_without_its_tokenizer_is_refused(
    captioned: Path, tiny: dict[str, Path], tmp_path: Path, tiny_bert: Path
) -> None:
    data = load(captioned)
    half = tmp_path / "half"
    AutoModelForZeroShotImageClassification.from_pretrained(tiny["clip"]).save_pretrained(half)
    caption_files.processor().image_processor.save_pretrained(half)
    (tmp_path / "bert").mkdir()
    for file in tiny_bert.iterdir():
        (tmp_path / "bert" / file.name).write_bytes(file.read_bytes())
    caption_files.processor().image_processor.save_pretrained(tmp_path / "bert")
    for path, told in ((half, "tokenizer"), (tmp_path / "bert", "tower for pictures")):
        config = TrainConfig.for_task(NAME)(dataset=str(captioned), model=str(path))
        with pytest.raises(HfkitError, match=told):
            hfkit.build_model(config, hfkit.build_task(config, data), data)


def test_labels_are_asked_for_and_checked(tiny: dict[str, Path], tmp_path: Path) -> None:
    """Of a model that nobody has fine-tuned too: it opens, and wants to be told the labels."""
    pipe = hfkit.pipeline(tiny["clip"])
    picture = caption_files.picture(1)
    for asked in ([], ["a", "a"], ["a", " "], "a,,b", [3]):
        with pytest.raises(HfkitError, match="candidate_labels"):
            pipe(picture, candidate_labels=asked)
    with pytest.raises(HfkitError, match="candidate_labels"):
        pipe(picture)
    with pytest.raises(HfkitError, match="has no"):
        pipe(picture, candidate_labels=["a"], hypothesis_template="a photo")
    assert len(pipe([picture, picture], candidate_labels="red disc, blue disc")) == 2
    (tmp_path / "in").mkdir()
    picture.save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"none")
    with pytest.raises(HfkitError, match="candidate_labels"):
        predict_file(pipe, tmp_path / "in", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    predict_file(pipe, tmp_path / "in", tmp_path / "out.jsonl", candidate_labels=["red disc", "blue disc"])
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    best = pipe(picture, candidate_labels=["red disc", "blue disc"])[0]
    assert rows[0] == {"file": "a.png", "label": best["label"], "score": rows[0]["score"], "problem": ""}
    assert rows[0]["score"] == pytest.approx(best["score"], abs=1e-6)
    assert rows[1]["label"] is None and rows[1]["problem"]


def test_pictures_are_found_by_a_text(tiny: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(6):
        caption_files.picture(number).save(tmp_path / "in" / f"{number}.png")
    assert index(str(tiny["clip"]), tmp_path / "in", tmp_path / "index", disable_tqdm=True) == 6
    (tmp_path / "asked.jsonl").write_text(json.dumps({"query": "a red disc"}) + "\n")
    retrieve(tmp_path / "index", tmp_path / "asked.jsonl", tmp_path / "found.jsonl", top_k=6, disable_tqdm=True)
    found = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    pipe = hfkit.pipeline(tiny["clip"])
    cosines = pipe.read(["a red disc"]) @ pipe.looked_at([tmp_path / "in" / f"{n}.png" for n in range(6)]).T
    assert [row["document_id"] for row in found] == [f"{n}.png" for n in np.argsort(-cosines[0], kind="stable")]
    assert found[0]["score"] == pytest.approx(cosines.max(), abs=1e-5)


def test_the_made_pictures_are_as_their_card_says() -> None:
    data = hfkit.load_data("demo:digit_captions", task=NAME)
    assert [len(split) for split in data.values()] == [4800, 100, 400]
    names = data["train"].features["label"].names
    learnt = {names[number] for number in data["train"]["label"]}
    judged = [names[number] for number in data["test"]["label"]]
    assert len(names) == 60 and len(learnt) == 50 and sum(name not in learnt for name in judged) == 200
    for name, own in zip(judged, data["test"]["captions"], strict=True):
        colour, word = name.split()
        assert len(own) == 3 and all(colour in text for text in own) and any(word in text for text in own)


def test_pictures_without_captions_and_classes_are_refused() -> None:
    with pytest.raises(HfkitError, match="load them with"):
        rows = Dataset.from_dict({"image": [Image.new("RGB", (8, 8))]})
        ImageText.build(TrainConfig.for_task(NAME)(), {"train": rows})  # type: ignore[arg-type]
