"""The classic networks for pictures side by side, from scratch: LeNet-5, AlexNet, VGG, Inception, ResNet, MobileNet.

accelerate launch recipes/classic_networks.py --demo     # scikit-learn's digits, no network: minutes on 2 cores
accelerate launch recipes/classic_networks.py            # Fashion-MNIST's 60,000 pictures from the Hub: a GPU's job

Every network learns from the same rows, in the same order, with the same settings, which favours none and fits none."""

from dataclasses import dataclass, field

import hfkit
from hfkit.base.processes import count
from hfkit.config.knobs import Broken
from hfkit.tasks.image_classification import SPEC


@dataclass
class ClassicNetworks(hfkit.image_classification.Config):
    """Train the classic networks on Fashion-MNIST, and compare them."""

    dataset: str = "fashion_mnist"
    model: str = "baseline:lenet5"  # each of `networks` takes its place
    networks: list[str] = field(default_factory=lambda: "mlp lenet5 alexnet vgg inception resnet20 mobilenet".split())
    augment: list[str] = field(default_factory=lambda: ["flip"])
    learning_rate: float = 1e-3
    num_train_epochs: float = 15
    per_device_train_batch_size: int = 128
    weight_decay: float = 0.05
    lr_scheduler_type: str = "one_cycle"
    load_best_model_at_end: bool = False  # one_cycle ends at its best

    def rules(self) -> Broken:
        """One network is no comparison, several processes cannot begin a second run, and none is the one to publish."""
        for network in self.networks:
            SPEC.baseline(network)  # a misspelt name is told before the first one learns
        if len(self.networks) < 2 or count() > 1 or self.push_to_hub:
            yield "one process compares networks here", "name two at least; hfkit push publishes one of them"


DEMO = {
    "dataset": "demo:digits",
    "networks": "mlp lenet5 alexnet vgg inception resnet20".split(),  # MobileNet halves 8 pixels once too often
    "augment": ["crop", "rotate"],
    "num_train_epochs": 15,
    "per_device_train_batch_size": 64,
}


def job(config: ClassicNetworks) -> None:
    """A run a network, in one folder; then depths, and the comparison. Again, it does what is not done."""
    data, runs = hfkit.load_data(config), []
    for network in config.networks:
        own: dict = {"model": f"baseline:{network}", "output_dir": f"{config.output_dir}/{network}"}
        runs.append(hfkit.train(config.of_task(config.task, **own), data))
    depths = [f"{run.path.name} {run.read('layers.json')['depth']}" for run in runs]
    print("\nlayers with weights, one behind the other:", ", ".join(depths))
    print(hfkit.compare(runs, config.output_dir))


if __name__ == "__main__":
    hfkit.main(job, ClassicNetworks, DEMO)
