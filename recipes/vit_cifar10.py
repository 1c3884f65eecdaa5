"""A Vision Transformer on CIFAR-10: pretrained from timm, or in the demo from scratch.

    accelerate launch recipes/vit_cifar10.py --demo     # our own small ViT on digits, no network: 2 minutes on 2 cores
    accelerate launch recipes/vit_cifar10.py            # timm's ViT-Tiny and CIFAR-10 from the Hub: a GPU's job

A ViT knows nothing of neighbours and has to be told by augmentation: RandAugment, Mixup and CutMix, as in DeiT
(Touvron et al. 2021). Layers near the picture learn more slowly than the head.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class VitCifar10(hfkit.image_classification.Config):
    """Fine-tune ViT-Tiny on CIFAR-10."""

    dataset: str = "cifar10"
    model: str = "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    model_revision: str | None = "7d3afdd0cf93ad84d986eb2d6bcc5812ebd0b106"
    augment: list[str] = field(default_factory=lambda: ["strong"])
    mixup: float = 0.2
    cutmix: float = 1.0
    learning_rate: float = 5e-4
    layer_wise_lr_decay: float = 0.75
    num_train_epochs: float = 10
    per_device_train_batch_size: int = 64
    warmup_steps: float = 0.1
    lr_scheduler_type: str = "cosine"


DEMO = {
    "dataset": "demo:digits",
    "model": "baseline:vit",
    "model_args": '{"patch_size": 2}',  # 16 patches of the 8 x 8 pixels
    "augment": ["crop"],
    "mixup": 0.0,
    "cutmix": 0.0,
    "layer_wise_lr_decay": 1.0,
    "learning_rate": 1e-3,
    "num_train_epochs": 30,
}


def job(config: VitCifar10) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, VitCifar10, DEMO)
