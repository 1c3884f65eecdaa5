"""Made pictures with boxes for the tests: bright and dark squares on noise, which a tiny network finds soon."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

NAMES = ("bright", "dark")


def scene(number: int, size: tuple[int, int] = (64, 48)) -> tuple[np.ndarray, list[tuple[int, list[int]]]]:
    """Pixels (rows, columns, 3), and of each square its class and its corners; equal arguments give an equal scene.
    Every seventh scene has none."""
    rng = np.random.default_rng(number)
    pixels, found = rng.integers(100, 140, (size[1], size[0], 3), dtype=np.uint8), []
    for _ in range(int(rng.integers(1, 4)) if number % 7 != 5 else 0):
        side = int(rng.integers(8, 17))
        x, y = (int(rng.integers(0, room - side)) for room in size)
        if any(x < r + 2 and left < x + side + 2 and y < b + 2 and top < y + side + 2
               for _, (left, top, r, b) in found):  # fmt: skip
            continue
        kind = int(rng.integers(0, 2))
        pixels[y : y + side, x : x + side] = (230, 40)[kind]
        found.append((kind, [x, y, x + side, y + side]))
    return pixels, found


def coco_folder(root: Path, splits: dict[str, int], size: tuple[int, int] = (64, 48)) -> Path:
    """root/SPLIT/_annotations.coco.json with root/SPLIT/N.png, so many in each split."""
    number = 0
    for split, rows in splits.items():
        (root / split).mkdir(parents=True)
        images, objects = [], []
        for _ in range(rows):
            pixels, found = scene(number, size)
            Image.fromarray(pixels).save(root / split / f"{number}.png")
            images.append({"id": number, "file_name": f"{number}.png", "width": size[0], "height": size[1]})
            for kind, (left, top, right, below) in found:
                box = [left, top, right - left, below - top]
                objects.append({"id": len(objects), "image_id": number, "category_id": 5 + kind, "bbox": box})
            number += 1
        write(root / split / "_annotations.coco.json", images, objects)
    return root


def write(path: Path, images: list[dict[str, Any]], objects: list[dict[str, Any]], names: Any = NAMES) -> Path:
    """A COCO file whose categories have the ids 5, 6, ..."""
    categories = [{"id": 5 + place, "name": name} for place, name in enumerate(names)]
    path.write_text(json.dumps({"images": images, "annotations": objects, "categories": categories}))
    return path


def voc(objects: list[tuple[str, list[float]]], size: tuple[int, int] = (64, 48), more: str = "") -> str:
    """A VOC file's text; coordinates as they are given."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    found = "".join(
        f"<object><name>{name}</name>{more}<bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True))
        + "</bndbox></object>"
        for name, box in objects
    )
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{found}</annotation>"


def voc_folder(root: Path, rows: int) -> Path:
    """root/Annotations and root/JPEGImages, counted from 1."""
    for kind in ("Annotations", "JPEGImages"):
        (root / kind).mkdir(parents=True)
    for number in range(rows):
        pixels, found = scene(number)
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{number}.png")
        objects = [(NAMES[kind], [box[0] + 1, box[1] + 1, *box[2:]]) for kind, box in found]
        (root / "Annotations" / f"{number}.xml").write_text(voc(objects))
    return root


def yolo_folder(root: Path, rows: int, names: bool = True) -> Path:
    """root/images/N.png with root/labels/N.txt; none of a scene without squares."""
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for number in range(rows):
        pixels, found = scene(number)
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        lines = [
            f"{kind} {(a + c) / 128} {(b + d) / 96} {(c - a) / 64} {(d - b) / 48}\n" for kind, (a, b, c, d) in found
        ]
        if lines:
            (root / "labels" / f"{number}.txt").write_text("".join(lines))
    if names:
        (root / "data.yaml").write_text(f"names: [{', '.join(NAMES)}]\nnc: 2\n")
    return root


def tiny_yolos(folder: Path) -> Path:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = YolosConfig(**sizes, image_size=[48, 64], patch_size=8, num_detection_tokens=10, num_labels=3)
    YolosForObjectDetection(config).save_pretrained(folder)
    size = {"shortest_edge": 48, "longest_edge": 64}
    YolosImageProcessor(size=size, do_pad=False).save_pretrained(folder)
    return folder
