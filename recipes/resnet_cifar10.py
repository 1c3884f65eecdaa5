"""A pretrained ResNet-18 on CIFAR-10: what a million other pictures have taught.

    accelerate launch recipes/resnet_cifar10.py --demo     # EfficientNet-Lite0 on digits, no network: a minute
    accelerate launch recipes/resnet_cifar10.py            # timm's ResNet-18 and CIFAR-10 from the Hub: a GPU's job

The network was made for 224 pixels; CIFAR-10's 32 are blown up to 128, a third of the work for nearly all of the
accuracy. The input's size, mean and deviation are the model's own and are saved with the run.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class ResnetCifar10(hfkit.image_classification.Config):
    """Fine-tune ResNet-18 on CIFAR-10."""

    dataset: str = "cifar10"
    model: str = "timm/resnet18.a1_in1k"
    model_revision: str | None = "491b427b45c94c7fb0e78b5474cc919aff584bbf"
    image_size: int | None = 128
    augment: list[str] = field(default_factory=lambda: ["light"])
    learning_rate: float = 5e-4
    num_train_epochs: float = 5
    per_device_train_batch_size: int = 64
    warmup_steps: float = 0.1
    lr_scheduler_type: str = "cosine"


DEMO = {
    "dataset": "demo:digits",
    "model": "demo:efficientnet_lite0",
    "image_size": 64,
    "augment": ["crop"],
    "learning_rate": 2e-3,
    "num_train_epochs": 5,
    "per_device_train_batch_size": 32,
    "load_best_model_at_end": False,  # 144 validation rows rank a lucky early epoch first; cosine ends at its best
}


def job(config: ResnetCifar10) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, ResnetCifar10, DEMO)
