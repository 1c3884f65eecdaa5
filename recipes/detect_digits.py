"""A small detector from scratch finds handwritten digits in made scenes: small ones, on noise, among strokes.

    accelerate launch recipes/detect_digits.py --demo     # 320 scenes, made on the spot, no network: minutes
    accelerate launch recipes/detect_digits.py            # a folder of one's own, of COCO's, VOC's or YOLO's form

Every place of a grid says which object's middle it is and how far its edges are (CenterNet, FCOS): no anchors, 0.6
million parameters. Pictures and boxes are mirrored and zoomed together. --tile_size looks at large pictures in tiles.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class DetectDigits(hfkit.object_detection.Config):
    """Train a detector from scratch on pictures with boxes."""

    dataset: str = "./data"
    model: str = "baseline:detector"
    augment: list[str] = field(default_factory=lambda: ["medium"])
    learning_rate: float = 3e-3
    num_train_epochs: float = 60
    per_device_train_batch_size: int = 8
    warmup_steps: float = 0.1
    lr_scheduler_type: str = "cosine"
    load_best_model_at_end: bool = False  # a cosine ends at its best


DEMO = {
    "dataset": "demo:digit_scenes",
    "augment": ["zoom"],
    "num_train_epochs": 14,
    "eval_strategy": "no",
    "save_strategy": "no",
}


def job(config: DetectDigits) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, DetectDigits, DEMO)
