"""How fast do pictures come? hfkit's input pipeline beside a plain torchvision DataLoader of the same transformations.

That is ImageFolder, which opens pictures with Pillow, and torchvision's transformations of them. A third way is what
torchvision's page on performance advises: pictures decoded to tensors of bytes, and the same transformations of those.
All decode and augment every picture of the same folder once, and take turns batch by batch, so that whatever else the
machine does falls on all alike. They run in the process itself, on one thread, with the memory habits that a run has,
and its CPU seconds are what counts: on an idle core those are the seconds, on a busy one waiting is left out. Workers
multiply all of them.
Three kinds of pictures: photographs of ImageNet's usual size, ones of a camera's, and MNIST's small grey ones. hfkit
keeps the frames of the last kind, so those are gone over twice, and the second time stands by itself.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.pairing import summary, write

LIMIT = 1.5
BATCH, WARM_UP = 32, 2
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# Of each kind: files, (width, height) of a file, pixels of what the model sees, how the pictures are changed.
KINDS: dict[str, tuple[int, tuple[int, int], int, tuple[str, ...]]] = {
    "photographs": (640, (500, 375), 224, ("resized_crop", "flip")),
    "large photographs": (320, (1280, 854), 224, ("resized_crop", "flip")),
    "small grey pictures": (2048, (28, 28), 28, ("crop", "flip")),
}


def make(folder: Path, kind: str) -> None:
    """folder/SPLIT/CLASS/N: parts of scikit-learn's two photographs, which are as hard to decode as any."""
    from sklearn.datasets import load_sample_images

    files, (width, height), _, _ = KINDS[kind]
    rng = np.random.default_rng(0)
    for number, pixels in enumerate(load_sample_images().images):
        tiles = np.tile(pixels, (1 + height // len(pixels), 1 + width // pixels.shape[1], 1))
        for split, rows in (("train", files // 2), ("validation", 2), ("test", 2)):
            place = folder / split / str(number)
            place.mkdir(parents=True)
            for row in range(rows):
                y, x = rng.integers(0, tiles.shape[0] - height), rng.integers(0, tiles.shape[1] - width)
                image = Image.fromarray(tiles[y : y + height, x : x + width])
                if _grey(kind):
                    image.convert("L").save(place / f"{row}.png")
                else:
                    image.save(place / f"{row}.jpg", quality=90)


def _grey(kind: str) -> bool:
    return "grey" in kind


def _passes(kind: str) -> int:
    return 2 if _grey(kind) else 1


def hfkit_batches(folder: Path, kind: str) -> Iterator[Any]:
    """The engine's own loader, as a run of hfkit uses it."""
    from accelerate import Accelerator
    from transformers import ViTConfig, ViTImageProcessor

    from hfkit import load_data
    from hfkit.evaluation.predict import load_batches
    from hfkit.tasks.image_classification import ImageClassification

    _, _, size, names = KINDS[kind]
    channels = 1 if _grey(kind) else 3
    looks: dict[str, Any] = {"image_mean": MEAN[:channels], "image_std": STD[:channels]}
    processor = ViTImageProcessor(size={"height": size, "width": size}, **looks)
    task = ImageClassification(labels=["0", "1"], augment=list(names))
    task = task.for_model(ViTConfig(num_channels=channels), processor)
    split = load_data(str(folder), task="image-classification", keep_duplicates=True)["train"]
    rows = task.encode(split, processor)
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    plan = [(epoch, order[at : at + BATCH]) for epoch in range(_passes(kind)) for at in range(0, len(order), BATCH)]
    return load_batches(Accelerator(cpu=True), task, rows, plan, num_workers=0)


def torchvision_batches(folder: Path, kind: str, tensors: bool = False) -> Iterator[Any]:
    """torchvision's ImageFolder and transforms in torch's DataLoader, as their documentation writes them."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms import v2

    _, _, size, names = KINDS[kind]
    channels = 1 if _grey(kind) else 3
    change = {
        "resized_crop": v2.RandomResizedCrop(size, scale=(0.35, 1.0), antialias=True),
        "crop": v2.RandomCrop(size, padding=size // 8),
        "flip": v2.RandomHorizontalFlip(),
    }
    steps = [*(change[name] for name in names), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    steps.append(v2.Normalize(MEAN[:channels], STD[:channels]))
    opener: dict[str, Any] = {"loader": lambda path: Image.open(path).convert("L")} if channels == 1 else {}
    if tensors:
        mode = ImageReadMode.GRAY if channels == 1 else ImageReadMode.RGB
        opener = {"loader": lambda path: decode_image(path, mode=mode)}
    data = ImageFolder(str(folder / "train"), v2.Compose(steps), **opener)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True)
    passes = itertools.chain.from_iterable(itertools.repeat(loader, _passes(kind)))
    return ({"pixel_values": pixels, "labels": labels} for pixels, labels in passes)


def compared(folder: Path, kind: str) -> dict[str, Any]:
    """All beside each other on one kind of pictures, pass by pass.

    Raises:
        ValueError: They did not do the same work.
    """
    make(folder, kind)
    ways = (torchvision_batches(folder, kind), torchvision_batches(folder, kind, True), hfkit_batches(folder, kind))
    seconds: list[list[float]] = [[] for _ in ways]
    means: list[list[float]] = [[] for _ in ways]
    turns = KINDS[kind][0] // BATCH
    for turn in range(turns * _passes(kind)):
        for who in (0, 1, 2) if turn % 2 else (2, 1, 0):
            began = time.process_time()
            batch = next(ways[who])
            seconds[who].append(time.process_time() - began)
            size = KINDS[kind][2]
            shape = (BATCH, 1 if _grey(kind) else 3, size, size)
            if batch["pixel_values"].shape != shape or len(batch["labels"]) != BATCH:
                raise ValueError(f"a batch of {tuple(batch['pixel_values'].shape)}, not of {shape}")
            means[who].append(float(batch["pixel_values"].double().mean()))
    average = [statistics.mean(some) for some in means]
    if max(average) - min(average) > 0.05:  # of normalised pixels, whose deviation is about 1
        raise ValueError(f"not the same work: pixels of {average} in the mean")
    found: dict[str, Any] = {}
    for number in range(_passes(kind)):
        plain, tensors, ours = (times[turns * number + WARM_UP : turns * (number + 1)] for times in seconds)
        figures = summary(list(zip(plain, ours, strict=True))) | {"images_a_batch": BATCH, "pixel_means": average}
        figures["beside_tensors"] = summary(list(zip(tensors, ours, strict=True)))
        found[kind + (", again" if number else "")] = figures
    return found


def main() -> bool:
    """Print images a second of a core on each kind; within the limit at 1.5 times as fast on photographs."""
    from hfkit.base import hardware

    hardware.keep_memory(use_cpu=True)
    import torch

    torch.set_num_threads(1)  # as in a loader's worker
    results: dict[str, Any] = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            results |= compared(Path(folder), kind)
    for kind, found in results.items():
        plain, ours = (BATCH / found[f"{place}_seconds"] for place in ("first", "second"))
        low, high = found["ratio_interval"]
        print(
            f"{kind}: hfkit / torchvision: {ours:.0f} / {plain:.0f} images/s of a core = {found['ratio']:.2f}"
            f" ({low:.2f} to {high:.2f}), limit {LIMIT}; beside tensors {found['beside_tensors']['ratio']:.2f}",
            flush=True,
        )
    write("vision_input", "How fast do pictures come beside a plain torchvision DataLoader?", results)
    return bool(results["photographs"]["ratio"] >= LIMIT)
