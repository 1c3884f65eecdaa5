"""What does a training step on pictures cost? ResNet-18 under hfkit beside the tutorial's Trainer, each as it comes.

Both begin with the same weights, read the same JPEG files, change them with the same transformations and take the same
number of updates at the same learning rate. hfkit is `hfkit train` without a flag for speed, which on a CPU with bf16
computes in it; Trainer stands twice, in float32 as the tutorial has it and with `bf16=True`. A step is all of it:
pictures, both passes, clipping, optimizer, logging.
"""

from pathlib import Path
from typing import Any

from benchmarks import fresh, material, vision_input
from benchmarks.pairing import report, summary

NAME, LIMIT = "vision_train", 1.3
SIDE, ROWS = 224, 32
QUESTION = "What does a training step on pictures cost beside transformers' Trainer?"


def pictures() -> Path:
    """A folder of photographs of 500 x 375."""
    folder = fresh.WORK / "photographs"
    if not (folder / "test").is_dir():
        vision_input.make(folder, "photographs")
    return folder


def start(data: Path) -> Path:
    """A ResNet-18 of random weights, as a folder that both sides open."""
    folder = fresh.WORK / "resnet18"
    if not (folder / "model.safetensors").is_file():
        import hfkit

        given = {"task": "image-classification", "model": "timm/resnet18.a1_in1k", "from_scratch": True}
        config = hfkit.TrainConfig(dataset=str(data), image_size=SIDE, keep_duplicates=True, **given)
        read = hfkit.load_data(config)
        model, _ = hfkit.build_model(config, hfkit.build_task(config, read), read)
        model.save_pretrained(folder)
    return folder


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print a ratio for each way to use Trainer; within the limit at 1.3 times as fast as the tutorial's."""
    data = pictures()
    steps = 1 if quick else 12
    both: dict[str, Any] = {"model": start(data), "max_steps": steps, "seed": "{turn}"}
    given = both | {"data": data, "rows_per_batch": ROWS, "output_dir": fresh.WORK / "runs" / "trainer_pictures"}
    tutorial = ["-m", "benchmarks.rivals.trainer_pictures", *material.spelt(given)]
    ours = both | {"task": "image-classification", "dataset": data, "per_device_train_batch_size": ROWS}
    ours |= {"learning_rate": 1e-4, "eval_strategy": "no", "save_strategy": "no", "logging_steps": steps}
    ours |= {"output_dir": fresh.WORK / "runs" / NAME}
    augment = ["--augment", "resized_crop", "flip"]
    sides = [
        fresh.Side("Trainer", tutorial),
        fresh.Side("Trainer with bf16", [*tutorial, "--bf16"]),
        fresh.Side("hfkit", ["-m", "benchmarks.ours.train", *material.SWITCHES, *material.spelt(ours), *augment]),
    ]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work(turns, "rows", "updates", "parameters")
    for turn in turns:
        losses = [figures["loss"] for figures in turn.values()]  # each the mean over all updates
        if max(losses) > 1.2 * min(losses):
            raise ValueError(f"not the same work: mean losses of {losses}")
    found = summary(fresh.pairs_of(turns, "Trainer", "hfkit"))
    found["with_bf16"] = tuned = summary(fresh.pairs_of(turns, "Trainer with bf16", "hfkit"))
    rates = {side.name: steps * ROWS / turns[-1][side.name]["seconds"] for side in sides}
    print(f"Trainer with bf16 / hfkit: {tuned['ratio']:.2f}; images/s of the last turn: {rates}")
    return report(NAME, QUESTION, "Trainer / hfkit", found, LIMIT, quick, turns)
