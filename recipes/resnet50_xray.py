"""Pneumonia on chest X-rays: a frozen ResNet-50 with a new head, and classes that are not balanced.

    accelerate launch recipes/resnet50_xray.py --demo     # a probe of EfficientNet-Lite0 on digits: 1 minute
    accelerate launch recipes/resnet50_xray.py            # 5,856 X-rays from the Hub

Three X-rays in four show pneumonia, so a class weighs 1 / its frequency, and accuracy alone would flatter: read the
recall of both classes. The backbone is frozen, so its features are computed once. A folder of your own, one folder a
class, is --dataset FOLDER.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class Resnet50Xray(hfkit.image_classification.Config):
    """Train a new head of a frozen ResNet-50 on chest X-rays."""

    dataset: str = "chest_xray"
    model: str = "timm/resnet50.a1_in1k"
    model_revision: str | None = "767268603ca0cb0bfe326fa87277f19c419566ef"
    linear_probe: bool = True
    augment: list[str] = field(default_factory=list)  # none: features are computed once
    class_weights: str = "balanced"
    metric_for_best_model: str | None = "f1_macro"
    learning_rate: float = 1e-2
    num_train_epochs: float = 20
    per_device_train_batch_size: int = 64
    lr_scheduler_type: str = "cosine"


DEMO = {
    "dataset": "demo:digits",
    "model": "demo:efficientnet_lite0",
    "image_size": 96,
}


def job(config: Resnet50Xray) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, Resnet50Xray, DEMO)
