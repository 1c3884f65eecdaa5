"""SegFormer learns to mark what is marked in a folder of one's own: defects, roads, organs.

    accelerate launch recipes/segformer_defects.py --demo     # a U-Net on the slices of nuclei, no network: minutes
    accelerate launch recipes/segformer_defects.py            # SegFormer on data/train and data/test: a GPU's job

The encoder has learnt rooms and streets (ADE20K; the licence is NVIDIA's own, for research), the last layer is new.
Pictures are read in overlapping tiles of 512 pixels, so that small defects of large pictures stay as large as they are;
--image_size makes pictures smaller first. Classes that are rare weigh more.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class SegformerDefects(hfkit.image_segmentation.Config):
    """Fine-tune SegFormer on pictures with masks."""

    dataset: str = "./data"
    model: str = "nvidia/segformer-b0-finetuned-ade-512-512"
    model_revision: str | None = "489d5cd81a0b59fab9b7ea758d3548ebe99677da"
    tile_size: int | None = 512
    augment: list[str] = field(default_factory=lambda: ["flip", "affine", "color"])
    class_weights: str = "balanced"
    learning_rate: float = 1e-4
    num_train_epochs: float = 40
    per_device_train_batch_size: int = 8
    warmup_steps: float = 0.05
    lr_scheduler_type: str = "polynomial"


DEMO = {
    "dataset": "demo:nuclei",
    "model": "baseline:unet",
    "tile_size": 128,
    "learning_rate": 3e-3,
    "num_train_epochs": 10,
    "eval_strategy": "no",
    "save_strategy": "no",
    "load_best_model_at_end": False,
}


def job(config: SegformerDefects) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, SegformerDefects, DEMO)
