"""The augmentation that a picture gets depends on the number of workers, and on where a run was resumed.

Threads: accelerate#4191
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from image_files import disc, image_folder
from torch.utils.data import DataLoader
from torchvision.transforms import v2

import hfkit
from hfkit.evaluation.predict import load_batches

pytestmark = pytest.mark.pain("augmentation-path-dependent")


def test_upstream_depends_on_workers() -> None:
    augment = v2.Compose([v2.RandomResizedCrop(8), v2.PILToTensor()])
    rows = Dataset.from_dict({"image": [disc("red", number) for number in range(8)]})
    rows = rows.with_transform(lambda batch: {"pixels": [augment(image) for image in batch["image"]]})

    def pixels(workers: int) -> torch.Tensor:
        torch.manual_seed(0)
        return torch.cat([batch["pixels"] for batch in DataLoader(rows, batch_size=4, num_workers=workers)])  # type: ignore[arg-type]

    assert torch.equal(pixels(0), pixels(0))
    assert not torch.equal(pixels(0), pixels(2))


def test_hfkit_depends_on_seed_epoch_and_picture(tmp_path: Path) -> None:
    """With 0 and 2 workers, and from the middle of an epoch on, as after a resume."""
    image_folder(tmp_path / "data", {"train": 4, "val": 2, "test": 2})
    basics: dict[str, Any] = {"task": "image-classification", "dataset": "data", "model": "baseline:cnn"}
    config = hfkit.TrainConfig(augment=["crop", "flip"], disable_tqdm=True, **basics)
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    task = task.for_model(model.config, processor)
    encoded = task.encode(data["train"], processor)
    plan: list[Any] = [(epoch, rows) for epoch in (0, 1) for rows in ([0, 1, 2, 3], [4, 5, 6, 7])]

    def pixels(plan: Sequence[Any], workers: int) -> list[bytes]:
        loaded = load_batches(Accelerator(cpu=True), task, encoded, plan, workers)
        return [batch["pixel_values"].numpy().tobytes() for batch in loaded]

    whole = pixels(plan, 0)
    assert len(set(whole)) == 4, "each epoch has its own"
    assert pixels(plan, 2) == whole
    assert pixels(plan[3:], 0) == whole[3:]
