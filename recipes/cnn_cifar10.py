"""Three blocks of convolution on CIFAR-10, from scratch: the network of the tutorials.

    accelerate launch recipes/cnn_cifar10.py --demo     # scikit-learn's digits, no network: half a minute on 2 cores
    accelerate launch recipes/cnn_cifar10.py            # CIFAR-10's 60,000 pictures from the Hub

Shifts by an eighth of the picture and mirror images are what CIFAR-10 is trained with since He et al. 2015. The demo's
pictures are digits, which have no mirror images.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class CnnCifar10(hfkit.image_classification.Config):
    """Train a small convolutional network on CIFAR-10."""

    dataset: str = "cifar10"
    model: str = "baseline:cnn"
    augment: list[str] = field(default_factory=lambda: ["light"])
    learning_rate: float = 2e-3
    num_train_epochs: float = 30
    per_device_train_batch_size: int = 128
    weight_decay: float = 0.05
    lr_scheduler_type: str = "one_cycle"


DEMO = {
    "dataset": "demo:digits",
    "augment": ["crop", "rotate"],
    "num_train_epochs": 40,
    "per_device_train_batch_size": 64,
    "load_best_model_at_end": False,  # 144 validation rows rank a lucky early epoch first; one_cycle ends at its best
}


def job(config: CnnCifar10) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, CnnCifar10, DEMO)
