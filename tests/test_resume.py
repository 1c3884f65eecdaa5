"""Exact resume: killed at any update and started again, a run ends in the same bytes, timing.jsonl aside.

Each case trains three times, in processes of its own: unstopped, killed with SIGKILL, and the same call again. Every
file but run.json and timing.jsonl has to have the same sha256 then: weights, figures, answers, log and checkpoints.
"""

import hashlib
import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from box_files import coco_folder
from datasets import DatasetDict
from image_files import image_folder
from mask_files import mask_folder
from processes import in_child, in_children, printed_to
from tiny_language import write_model
from transformers import ViTConfig, ViTImageProcessor, ViTModel

from hfkit import build_model, build_task, fit, load_data
from hfkit.config import TrainConfig
from hfkit.runs.run import Run
from hfkit.training.callbacks.saver import Saver
from hfkit.training.engine import Engine

Train = Callable[..., list[int]]

# What each knob of the matrix is called, and its settings in TrainConfig. Dropout is 0.1 in every case.
KNOBS: dict[str, dict[str, dict[str, Any]]] = {
    "learns": {
        "all": {},
        "lora": {"lora": True, "lora_r": 4, "lora_dropout": 0.1},
        "unfreeze": {"freeze": ["backbone"], "unfreeze_epoch": 1, "unfreeze_layers": 1},
    },
    "batches": {"by-length": {}, "token-budget": {"tokens_per_batch": 180}},
    "update": {"one-batch": {}, "accumulated": {"gradient_accumulation_steps": 2}},
    "workers": {"0-workers": {}, "2-workers": {"dataloader_num_workers": 2}},
    "processes": {"1-process": {}, "2-processes": {}},
    "average": {"raw": {}, "ema": {"ema_decay": 0.9}},
    "patience": {
        "to-the-end": {},
        # Never better by 1, so the fourth look at validation ends the run: the count has to survive the kill.
        "stopped-early": {"early_stopping_patience": 3, "early_stopping_threshold": 1.0, "eval_steps": 4},
    },
    "texts": {"head": {}, "windows": {"long_text": "windows", "stride": 4}},
    "precision": {"fp32": {"mixed_precision": "no"}, "bf16": {"mixed_precision": "bf16"}},
    "schedule": {
        "linear": {},
        "restarts": {"lr_scheduler_type": "warm_restarts", "warmup_steps": 3.0},
        "plateau": {"lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": '{"patience": 0}'},
    },
}

# Each two settings of two knobs occur together in some case: see the test below. The number is the update of the kill.
MATRIX = """
     3 unfreeze by-length    one-batch   0-workers 1-process   ema stopped-early windows fp32 restarts
     5 lora     by-length    accumulated 0-workers 1-process   raw to-the-end    head    fp32 linear
    13 all      by-length    one-batch   0-workers 1-process   ema stopped-early windows bf16 linear
     9 lora     by-length    accumulated 0-workers 1-process   ema stopped-early head    fp32 plateau
    14 unfreeze by-length    accumulated 0-workers 1-process   ema to-the-end    windows bf16 restarts
     7 unfreeze by-length    accumulated 0-workers 1-process   raw stopped-early head    bf16 plateau
    14 all      token-budget one-batch   2-workers 1-process   raw to-the-end    windows fp32 plateau
     6 lora     token-budget one-batch   0-workers 2-processes ema to-the-end    windows fp32 restarts
     7 all      token-budget accumulated 2-workers 2-processes raw to-the-end    head    bf16 restarts
     6 lora     by-length    accumulated 2-workers 2-processes ema stopped-early windows bf16 plateau
    10 unfreeze token-budget one-batch   2-workers 2-processes raw stopped-early head    fp32 linear
"""
CASES = [line.split() for line in MATRIX.strip().splitlines()]

# What is not a setting of two but stands on its own.
OTHERS: dict[str, dict[str, Any]] = {
    "lstm": {"model": "baseline:lstm"},
    "word-vectors": {"model": "baseline:bilstm", "word_vectors": "vectors.txt"},
    "transformer-random-order": {"model": "baseline:transformer", "train_sampling_strategy": "random"},
    "mean-pooling-sgd": {"pooling": "mean", "optim": "sgd", "optim_args": '{"momentum": 0.9}'},
    "adafactor-greedy": {"optim": "adafactor", "lr_scheduler_type": "greedy", "eval_steps": 4},
    "weighted-smoothed-layerwise": {
        "class_weights": "balanced",
        "label_smoothing_factor": 0.1,
        "layer_wise_lr_decay": 0.9,
        "train_sampling_strategy": "sequential",
    },
    "saved-by-epoch": {"save_strategy": "epoch", "save_steps": None, "gradient_accumulation_steps": 2},
}

# Pictures: every random transform and both mixes; cnn and resnet also keep running figures of their batch norms.
PICTURES: dict[str, Any] = {
    "task": "image-classification",
    "dataset": "pictures",
    "augment": ["crop", "flip", "rotate", "zoom", "color", "erase"],
    "mixup": 0.4,
    "cutmix": 0.4,
}
CNN = {"model": "baseline:cnn", "model_args": '{"widths": [8, 8], "hidden_size": 16}'}
RESNET = {"model": "baseline:resnet", "model_args": '{"depths": [1, 1, 1], "widths": [4, 8, 8]}'}
IMAGES: dict[str, dict[str, Any]] = {
    "cnn-0-workers": CNN,
    "cnn-2-workers": CNN | {"dataloader_num_workers": 2},
    "resnet-randaugment-accumulated-ema-2-workers": RESNET
    | {
        "augment": ["randaugment"],
        "gradient_accumulation_steps": 2,
        "ema_decay": 0.9,
        "dataloader_num_workers": 2,
    },
    "vit-2-processes-stopped-early": {
        "model": "baseline:vit",
        "model_args": '{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}',
        "processes": 2,
        "early_stopping_patience": 3,
        "early_stopping_threshold": 1.0,
        "eval_steps": 4,
    },
    "pretrained-vit-lora-2-processes-2-workers": {
        "model": "tiny-vit",
        "augment": ["trivialaugment"],
        "lora": True,
        "lora_r": 4,
        "lora_dropout": 0.1,
        "lora_target_modules": ["all-linear"],  # a ViT's layers are called query or q_proj, by the release
        "processes": 2,
        "dataloader_num_workers": 2,
    },
    "pretrained-vit-linear-probe": {
        "model": "tiny-vit",
        "linear_probe": True,
        "augment": ["none"],
        "mixup": 0.0,
        "cutmix": 0.0,
    },
}

# Texts that are continued; every look at validation also draws samples, which may not change what follows.
TEXTS: dict[str, Any] = {"task": "text-generation", "dataset": "reviews.csv", "max_length": 32, "eval_steps": 4}
TEXTS |= {"model": "baseline:transformer_lm", "sample_prompts": ["the film"]}
LANGUAGE: dict[str, dict[str, Any]] = {
    "packed-accumulated-ema-2-workers": {
        "model_args": '{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}',
        "gradient_accumulation_steps": 2,
        "ema_decay": 0.9,
        "dataloader_num_workers": 2,
    },
    "padded-lstm-2-processes": {
        "model": "baseline:lstm_lm",
        "model_args": '{"embedding_size": 16, "hidden_size": 24, "num_hidden_layers": 1}',
        "packing": False,
        "processes": 2,
    },
    "gpt2-lora-2-processes-2-workers": {
        "model": "gpt2",
        "lora": True,
        "lora_r": 4,
        "lora_dropout": 0.1,
        "processes": 2,
        "dataloader_num_workers": 2,
    },
    # 58 documents to learn, a few windows: the stream ends, and begins again, before the kill.
    "streamed-accumulated-2-workers": {
        "streaming_window": 20,
        "gradient_accumulation_steps": 2,
        "dataloader_num_workers": 2,
        "model_args": '{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}',
    },
    "streamed-2-processes": {
        "streaming_window": 9,
        "processes": 2,
        "model": "gpt2",
    },
}
# Marked pictures: tiles of them are cut, turned, bent and zoomed at random together with their masks or boxes.
MARKED: dict[str, dict[str, Any]] = {
    "masks": {
        "task": "image-segmentation",
        "model": "baseline:unet",
        "model_args": '{"widths": [4, 8]}',
        "tile_size": 32,
        "augment": ["strong"],
    },
    "boxes": {
        "task": "object-detection",
        "model": "baseline:detector",
        "model_args": '{"widths": [4, 8, 8], "hidden_size": 8, "num_queries": 20}',
        "tile_size": 32,
        "augment": ["strong"],
    },
}
STREAMED = {"streaming": True, "dataset": "reviews.jsonl", "max_eval_samples": 6, "max_test_samples": 6}


@pytest.fixture
def train(tiny_bert: Path, splits: DatasetDict, tmp_path: Path) -> Train:
    """A whole job in one or two children. Returns their exit statuses; what they print is in <name>.txt."""

    (tmp_path / "vectors.txt").write_text("film 0.5 -0.5 0.25\nthe 0.125 1 -1\nnobody 1 2 3\n")

    def call(name: str, processes: int = 1, kill: int | None = None, **knobs: Any) -> list[int]:
        def work() -> None:
            watch(tmp_path / f"{name}.rows", kill, last=processes - 1)
            settings: dict[str, Any] = {"model": str(tiny_bert), "dropout": 0.1}
            if "augment" not in knobs:
                settings |= {"max_length": 12, "vocab_size": 300}
            several = processes > 1 or "gradient_accumulation_steps" in knobs
            settings |= {"per_device_train_batch_size": 8 if several else 16, "max_steps": 18, "learning_rate": 3e-3}
            settings |= {"save_strategy": "steps", "save_steps": 4, "logging_steps": 3, "disable_tqdm": True}
            settings |= {"mixed_precision": "no", "use_cpu": True, "output_dir": str(tmp_path / name)} | knobs
            if settings.get("eval_steps"):
                settings["eval_strategy"] = "steps"
            config = TrainConfig.for_task(settings.get("task", "text-classification"))(**settings)
            data = splits if config.task == "text-classification" else load_data(config)
            task = build_task(config, data)
            fit(config, task, *build_model(config, task, data), data)

        printed = printed_to(tmp_path / f"{name}.txt", work)
        return [in_child(printed)] if processes == 1 else in_children(printed, processes)

    return call


def watch(seen: Path, kill: int | None, last: int) -> None:
    """Write down the rows of each update that the last process sees, and kill it after the update `kill`."""
    count = Engine._count

    def counted(self: Engine, update: Any, *rest: Any) -> None:
        count(self, update, *rest)
        if self.accelerator.process_index == last:
            with seen.open("a") as file:
                file.write(f"{self.state.step}: {sorted(update.rows)}\n")
            if self.state.step == kill:
                next(hook for hook in self.callbacks if isinstance(hook, Saver))._finish()  # not by the disk
                os.kill(os.getpid(), signal.SIGKILL)

    Engine._count = counted  # type: ignore[method-assign]  # for the rest of this child's life


def fingerprint(run: Path) -> dict[str, str]:
    """sha256 of every file that no clock decides."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in ("run.json", "timing.jsonl")]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def rows(path: Path) -> dict[int, str]:
    """The rows of each update; one that was made again after a kill counts as it was made last."""
    return dict(line.split(": ", 1) for line in path.read_text().splitlines())  # type: ignore[arg-type]


def resumes_exactly(train: Train, folder: Path, kill: int, taken_up: int, **knobs: Any) -> None:
    assert set(train("whole", **knobs)) == {0}, (folder / "whole.txt").read_text()
    killed = train("again", kill=kill, **knobs)
    assert -signal.SIGKILL in killed and 0 not in killed, (folder / "again.txt").read_text()
    assert set(train("again", **knobs)) == {0}, (folder / "again.txt").read_text()
    said = (folder / "again.txt").read_text()
    assert (f"resumed at update {taken_up} of 18" in said) == (taken_up > 0), said
    assert rows(folder / "again.rows") == rows(folder / "whole.rows")
    assert fingerprint(folder / "again") == fingerprint(folder / "whole")


@pytest.mark.pain("resume-not-exact")
@pytest.mark.pain("patience-resets")
@pytest.mark.parametrize("case", CASES, ids=["-".join(case[1:]) for case in CASES])
def test_killed_and_resumed_ends_in_the_same_bytes(train: Train, tmp_path: Path, case: list[str]) -> None:
    knobs: dict[str, Any] = {"processes": 2 if "2-processes" in case else 1}
    for values, chosen in zip(KNOBS.values(), case[1:], strict=True):
        knobs |= values[chosen]
    resumes_exactly(train, tmp_path, kill := int(case[0]), kill - kill % 4, **knobs)
    stopped = Run(tmp_path / "again").info["training"]["stopped"]
    assert (stopped is not None and stopped.startswith("early")) == ("stopped-early" in case)


@pytest.mark.pain("resume-not-exact")
@pytest.mark.parametrize("name", OTHERS)
def test_so_does_everything_else(train: Train, tmp_path: Path, name: str) -> None:
    resumes_exactly(train, tmp_path, 14, 10 if name == "saved-by-epoch" else 12, **OTHERS[name])


@pytest.mark.pain("resume-not-exact")
@pytest.mark.parametrize("name", IMAGES)
def test_so_do_pictures_that_are_changed_at_random(train: Train, tmp_path: Path, name: str) -> None:
    image_folder(tmp_path / "pictures", {"train": 36, "val": 10, "test": 10})
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=16, patch_size=4
    )
    ViTModel(config).save_pretrained("tiny-vit")
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained("tiny-vit")
    resumes_exactly(train, tmp_path, 7, 4, **PICTURES | IMAGES[name])


@pytest.mark.pain("resume-not-exact")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", MARKED)
def test_so_do_masks_and_boxes(train: Train, tmp_path: Path, name: str, workers: int) -> None:
    splits = {"train": 20, "valid" if name == "boxes" else "val": 4, "test": 4}
    folder = (coco_folder if name == "boxes" else mask_folder)(tmp_path / "marked", splits)
    resumes_exactly(train, tmp_path, 7, 4, **MARKED[name], dataset=str(folder), dataloader_num_workers=workers)


@pytest.mark.pain("resume-not-exact")
@pytest.mark.parametrize("name", LANGUAGE)
def test_so_do_language_models(train: Train, tmp_path: Path, reviews_csv: Path, name: str) -> None:
    write_model("gpt2", tmp_path / "gpt2")
    streamed = name.startswith("streamed")
    texts = [line.split('"')[1] for line in reviews_csv.read_text().splitlines()[1:71]]
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    kill, taken_up = (14, 12) if streamed else (7, 4)
    resumes_exactly(train, tmp_path, kill, taken_up, **TEXTS | LANGUAGE[name] | (STREAMED if streamed else {}))
    if streamed:
        assert Run(tmp_path / "again").info["training"]["stream"]["passes"] >= 1


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3)])
def test_with_other_processes_the_updates_are_the_same(train: Train, tmp_path: Path, before: int, after: int) -> None:
    """No row twice and none lost, the same dropout; only the order of the sums is another."""
    knobs: dict[str, Any] = {"gradient_accumulation_steps": 2 // before, "long_text": "windows", "stride": 4}
    assert set(train("whole", before, **knobs)) == {0}
    assert 0 not in train("again", before, kill=7, **knobs)
    assert set(train("again", after, **knobs)) == {0}, (tmp_path / "again.txt").read_text()
    said = (tmp_path / "again.txt").read_text()
    assert said.count(f"goes on elsewhere (processes {before} -> {after})") == 1
    assert "resumed at update 4 of 18" in said
    assert rows(tmp_path / "again.rows") == rows(tmp_path / "whole.rows")
    whole, again = Run(tmp_path / "whole"), Run(tmp_path / "again")
    assert whole.log()[0] == again.log()[0]
    for one, other in zip(whole.log(), again.log(), strict=True):
        assert one == pytest.approx(other, abs=2e-5), "dropout or rows differ, and not only the last bits"
    assert again.info["batches_per_update"] == 2
    assert again.info["hardware"]["num_processes"] == after


def test_the_matrix_pairs_every_two_settings() -> None:
    """A fault of two features together shows in one case at least, at a fraction of all 2,304 combinations."""
    levels = [list(values) for values in KNOBS.values()]
    for first, second in itertools.combinations(range(len(levels)), 2):
        there = {(case[first + 1], case[second + 1]) for case in CASES}
        assert there == set(itertools.product(levels[first], levels[second]))
