"""How fast do pictures with masks and with boxes come? hfkit's input pipeline beside a plain torchvision DataLoader.

That is a Dataset that opens the picture and its mask with Pillow, and torchvision's CocoDetection, wrapped for its
transformations of `tv_tensors`, as its documentation has both. The transformations are the same, in torchvision's usual
order: hfkit cuts the tile, or makes a large picture smaller, before it changes anything. All take turns batch by batch
in one process on one thread, and CPU seconds count, as in `vision_input`.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.pairing import summary, write

LIMIT = 1.0
BATCH, WARM_UP, FILES = 8, 2, 240
WIDTH, HEIGHT, TILE, SEEN = 1280, 854, 256, 512
"""Pixels of a file; of a tile's side; of the longer side of what a detector sees."""

CHANGES: dict[str, tuple[str, ...]] = {
    "masks": ("affine", "flip", "vertical_flip", "color"),
    "boxes": ("flip", "vertical_flip", "color"),
}


def make(folder: Path) -> None:
    """Parts of scikit-learn's two photographs with a mask of three classes each, and four boxes in COCO's form."""
    from sklearn.datasets import load_sample_images

    rng, images, objects = np.random.default_rng(0), list[dict[str, Any]](), list[dict[str, Any]]()
    for place in ("image", "mask"):
        (folder / "train" / place).mkdir(parents=True)
    photographs = [np.tile(pixels, (4, 4, 1)) for pixels in load_sample_images().images]
    for number in range(FILES):
        pixels = photographs[number % 2]
        y, x = rng.integers(0, pixels.shape[0] - HEIGHT), rng.integers(0, pixels.shape[1] - WIDTH)
        part = pixels[y : y + HEIGHT, x : x + WIDTH]
        Image.fromarray(part).save(folder / "train" / "image" / f"{number}.jpg", quality=90)
        mask = (part[::16, ::16].max(-1) // 90).astype(np.uint8).repeat(16, 0).repeat(16, 1)[:HEIGHT, :WIDTH]
        Image.fromarray(mask).save(folder / "train" / "mask" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.jpg", "width": WIDTH, "height": HEIGHT})
        for corner in rng.integers(0, 600, (4, 2)).tolist():
            box = {"bbox": [*corner, 200, 150], "area": 30_000, "iscrowd": 0, "id": len(objects)}
            objects.append(box | {"image_id": number, "category_id": 1})
    found = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "train" / "image" / "train.json").write_text(json.dumps(found))


def hfkit_batches(folder: Path, kind: str) -> Iterator[Any]:
    """The engine's own loader, as a run of hfkit uses it."""
    from accelerate import Accelerator

    import hfkit
    from hfkit.evaluation.predict import load_batches

    masks = kind == "masks"
    settings = {"tile_size": TILE, "model": "baseline:unet"} if masks else {"model": "baseline:detector"}
    room = hfkit.image_segmentation if masks else hfkit.object_detection
    place = folder / "train" if masks else folder / "train" / "image"
    config: Any = room.Config(dataset=str(place), augment=list(CHANGES[kind]), keep_duplicates=True, **settings)
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    task = task.for_model(model.config, processor)
    rows = task.to_train(task.encode(data["train"], processor))
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    plan = [(0, order[at : at + BATCH]) for at in range(0, len(order) - BATCH + 1, BATCH)]
    return load_batches(Accelerator(cpu=True), task, rows, plan, num_workers=0)


class Pairs:
    """A picture and its mask, as torchvision's page on `tv_tensors` has it."""

    def __init__(self, folder: Path, change: Any) -> None:
        self.files, self.change = sorted((folder / "train" / "image").glob("*.jpg")), change

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> Any:
        from torchvision import tv_tensors

        file = self.files[row]
        mask = Image.open(file.parent.parent / "mask" / f"{file.stem}.png")
        picture = Image.open(file).convert("RGB")
        return self.change(tv_tensors.Image(picture), tv_tensors.Mask(np.array(mask)))


def torchvision_batches(folder: Path, kind: str) -> Iterator[Any]:
    """torchvision's transformations in torch's DataLoader."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision import tv_tensors
    from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
    from torchvision.transforms import v2

    color = v2.ColorJitter(0.3, 0.3, 0.3)
    last = [
        v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
        v2.Normalize([0.5] * 3, [0.25] * 3),
    ]
    flips = [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()]
    if kind == "masks":
        turn = v2.RandomAffine(20, scale=(0.85, 1.35), shear=8, interpolation=v2.InterpolationMode.BILINEAR)
        window = v2.RandomCrop(TILE * 3 // 2)
        steps = [window, v2.RandomApply([turn], p=0.75), *flips, color, v2.CenterCrop(TILE), *last]
        return iter(DataLoader(Pairs(folder, v2.Compose(steps)), batch_size=BATCH, shuffle=True))  # type: ignore[arg-type]
    steps = [v2.ToImage(), *flips, color, v2.Resize(size=None, max_size=SEEN), *last]
    place = folder / "train" / "image"
    data = CocoDetection(str(place), str(place / "train.json"), transforms=v2.Compose(steps))
    wrapped = wrap_dataset_for_transforms_v2(data, target_keys=("boxes", "labels"))
    loader: Any = DataLoader(wrapped, BATCH, shuffle=True, collate_fn=lambda rows: tuple(zip(*rows, strict=True)))
    return iter(loader)


def compared(folder: Path, kind: str) -> dict[str, Any]:
    """Both beside each other, batch by batch. Raises ValueError: they did not do the same work."""
    ways = (torchvision_batches(folder, kind), hfkit_batches(folder, kind))
    seconds: list[list[float]] = [[], []]
    for turn in range(2 * FILES // 3 // BATCH):
        for who in (0, 1) if turn % 2 else (1, 0):
            began = time.process_time()
            batch = next(ways[who])
            seconds[who].append(time.process_time() - began)
            pixels = batch["pixel_values"] if who else batch[0]
            shape = tuple(pixels[0].shape)
            if len(pixels) != BATCH or shape[0] != 3 or max(shape) != (TILE if kind == "masks" else SEEN):
                raise ValueError(f"pictures of {shape}")
    plain, ours = (times[WARM_UP:] for times in seconds)
    return summary(list(zip(plain, ours, strict=True))) | {"images_a_batch": BATCH}


def main() -> bool:
    """Print images a second of a core of both kinds; within the limit where neither is slower than torchvision's."""
    from hfkit.base import hardware

    hardware.keep_memory(use_cpu=True)
    import torch

    torch.set_num_threads(1)  # as in a loader's worker
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        results = {kind: compared(Path(folder), kind) for kind in CHANGES}
    for kind, found in results.items():
        plain, ours = (BATCH / found[f"{place}_seconds"] for place in ("first", "second"))
        low, high = found["ratio_interval"]
        print(
            f"{kind}: hfkit / torchvision: {ours:.0f} / {plain:.0f} images/s of a core = {found['ratio']:.2f}"
            f" ({low:.2f} to {high:.2f}), limit {LIMIT}",
            flush=True,
        )
    write(
        "vision_marked",
        "How fast do pictures with masks and boxes come beside a plain torchvision DataLoader?",
        results,
    )
    return all(found["ratio"] >= LIMIT for found in results.values())
