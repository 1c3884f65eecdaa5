"""A U-Net from scratch finds nuclei of cells in the slices of a microscope.

    accelerate launch recipes/unet_nuclei.py --demo     # 32 slices, of blocks of their own, no network: minutes
    accelerate launch recipes/unet_nuclei.py            # a folder of one's own: data/image with data/mask

It learns tiles that are turned, mirrored and bent at random, half a million parameters in all; a whole picture is
answered in overlapping tiles, in all eight ways to turn and mirror it. Masks may be PNGs of 0 and 255, of classes or
colours.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class UnetNuclei(hfkit.image_segmentation.Config):
    """Train a U-Net on pictures with masks."""

    dataset: str = "./data"
    model: str = "baseline:unet"
    tile_size: int | None = 256
    augment: list[str] = field(default_factory=lambda: ["strong"])
    test_time_augmentation: str = "turn"
    learning_rate: float = 3e-3
    num_train_epochs: float = 60
    per_device_train_batch_size: int = 4
    warmup_steps: float = 0.1
    lr_scheduler_type: str = "cosine"
    load_best_model_at_end: bool = False  # a cosine ends at its best, and few slices choose by luck


DEMO = {
    "dataset": "demo:nuclei",
    "tile_size": 128,
    "augment": ["medium"],
    "num_train_epochs": 10,
    "per_device_train_batch_size": 8,
    "eval_strategy": "no",
    "save_strategy": "no",
}


def job(config: UnetNuclei) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, UnetNuclei, DEMO)
