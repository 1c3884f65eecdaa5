"""RT-DETR learns to find what is marked in a folder of one's own: cells, defects, cars.

    accelerate launch recipes/rtdetr_cells.py --demo     # a detector from scratch on made scenes, no network: minutes
    accelerate launch recipes/rtdetr_cells.py            # RT-DETR on data/, of COCO's, VOC's or YOLO's form: a GPU's

RT-DETR has seen COCO (Apache-2.0); what says the classes is new where the names are others. Its matching
makes each object one answer, so nothing has to be suppressed afterwards. For small objects in large pictures say
--tile_size 640.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class RtdetrCells(hfkit.object_detection.Config):
    """Fine-tune RT-DETR on pictures with boxes."""

    dataset: str = "./data"
    model: str = "PekingU/rtdetr_r18vd"
    model_revision: str | None = "ac77a11ff0170a41b771c03264987f8ce2b0d753"
    augment: list[str] = field(default_factory=lambda: ["medium"])
    learning_rate: float = 1e-4
    max_grad_norm: float = 0.1
    num_train_epochs: float = 40
    per_device_train_batch_size: int = 8
    warmup_steps: float = 0.05
    lr_scheduler_type: str = "cosine"


DEMO = {
    "dataset": "demo:digit_scenes",
    "model": "baseline:detector",
    "augment": ["zoom"],
    "learning_rate": 3e-3,
    "max_grad_norm": 1.0,
    "num_train_epochs": 14,
    "eval_strategy": "no",
    "save_strategy": "no",
    "load_best_model_at_end": False,
}


def job(config: RtdetrCells) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, RtdetrCells, DEMO)
