"""A multilayer perceptron on MNIST, from scratch: 784-256-128-10, where everyone began.

    accelerate launch recipes/mlp_mnist.py --demo     # scikit-learn's digits, no network: half a minute on 2 cores
    accelerate launch recipes/mlp_mnist.py            # MNIST's 70,000 digits from the Hub

Every pixel is an input of its own, so a digit that is moved by a pixel is a new one: shifts in training teach what a
convolution knows from the start. A mirrored digit is no digit, so there are no flips.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class MlpMnist(hfkit.image_classification.Config):
    """Train a multilayer perceptron on MNIST."""

    dataset: str = "mnist"
    model: str = "baseline:mlp"
    augment: list[str] = field(default_factory=lambda: ["crop"])
    learning_rate: float = 1e-3
    num_train_epochs: float = 10
    per_device_train_batch_size: int = 64
    warmup_steps: float = 0.05


DEMO = {
    "dataset": "demo:digits",
    "augment": ["crop"],
    "num_train_epochs": 60,
    "learning_rate": 3e-3,
}


def job(config: MlpMnist) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, MlpMnist, DEMO)
