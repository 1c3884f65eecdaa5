"""Made pictures with masks for the tests: discs on noise, which a tiny network finds in a few steps."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor


def scene(number: int, size: tuple[int, int] = (48, 40)) -> tuple[np.ndarray, np.ndarray]:
    """Grey pixels (rows, columns) of a disc or two, and where they are; equal arguments give an equal scene."""
    rng = np.random.default_rng(number)
    pixels, inside = rng.integers(60, 120, size[::-1], dtype=np.uint8), np.zeros(size[::-1], dtype=bool)
    y, x = np.mgrid[: size[1], : size[0]]
    for _ in range(1 + number % 2):
        inside |= (x - rng.integers(8, size[0] - 8)) ** 2 + (y - rng.integers(8, size[1] - 8)) ** 2 < 49
    pixels[inside] = rng.integers(150, 220, int(inside.sum()))
    return pixels, inside


def mask_folder(root: Path, splits: dict[str, int], on: int = 255) -> Path:
    """root/SPLIT/image/N.png and root/SPLIT/mask/N.png, so many in each split; one called "" has no folder."""
    number = 0
    for split, rows in splits.items():
        for kind in ("image", "mask"):
            (root / split / kind).mkdir(parents=True, exist_ok=True)
        for _ in range(rows):
            pixels, inside = scene(number)
            Image.fromarray(pixels).save(root / split / "image" / f"{number}.png")
            Image.fromarray(inside.astype(np.uint8) * on).save(root / split / "mask" / f"{number}.png")
            number += 1
    return root


def tiny_segformer(folder: Path) -> Path:
    torch.manual_seed(0)
    sizes = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]}
    config = SegformerConfig(**sizes, decoder_hidden_size=16, mlp_ratios=[2, 2, 2, 2], num_labels=3)
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def coco(path: Path, images: list[dict], annotations: list[dict], names: tuple[str, ...] = ("cell",)) -> Path:
    """A COCO file; what is left out of pictures and objects is filled in."""
    usual = {"width": 20, "height": 10}
    found = {
        "images": [usual | {"id": place} | one for place, one in enumerate(images)],
        "annotations": [{"id": 7 + at, "image_id": 0, "category_id": 3} | one for at, one in enumerate(annotations)],
        "categories": [{"id": 3 + place, "name": name} for place, name in enumerate(names)],
    }
    path.write_text(json.dumps(found))
    return path
