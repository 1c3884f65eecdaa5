"""LoRA on a Vision Transformer: one weight in fifty learns, and the run keeps no more than those.

    accelerate launch recipes/vit_lora.py --demo     # EfficientNet-Lite0's 1x1 convolutions, digits: 1 minute
    accelerate launch recipes/vit_lora.py            # timm's ViT-Base and CIFAR-10 from the Hub: a GPU's job

Attention's qkv layers get an adapter of rank 8, and the head learns in full. No ViT comes as a package, so the demo
adapts the pointwise convolutions of a pretrained EfficientNet.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class VitLora(hfkit.image_classification.Config):
    """Train a LoRA adapter of ViT-Base on CIFAR-10."""

    dataset: str = "cifar10"
    model: str = "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k"
    model_revision: str | None = "063c6c38a5d8510b2e57df480445e94b231dad2c"
    lora: bool = True
    lora_r: int = 8
    lora_alpha: int = 16
    lora_target_modules: list[str] = field(default_factory=lambda: ["qkv"])
    augment: list[str] = field(default_factory=lambda: ["light"])
    learning_rate: float = 1e-3
    num_train_epochs: float = 3
    per_device_train_batch_size: int = 32
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:digits",
    "model": "demo:efficientnet_lite0",
    "lora_target_modules": ["conv_pw", "conv_pwl"],
    "image_size": 64,
    "augment": ["crop"],
    "learning_rate": 5e-3,
    "num_train_epochs": 5,
}


def job(config: VitLora) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, VitLora, DEMO)
