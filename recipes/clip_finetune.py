"""CLIP learns what your pictures are called: zero-shot classes, and pictures found by a text.

    accelerate launch recipes/clip_finetune.py --demo     # two small towers from scratch on made pictures: minutes
    accelerate launch recipes/clip_finetune.py            # OpenAI's CLIP on data/, pictures with captions: a GPU's

data/ is a folder with captions.jsonl (file_name, captions, perhaps label). An update of 512 pictures goes through the
model 32 at a time: the gradients are those of the large batch, over all processes too. The weights are MIT's.
"""

from dataclasses import dataclass, field

import hfkit


@dataclass
class ClipFinetune(hfkit.zero_shot_image_classification.Config):
    """Fine-tune CLIP on pictures with captions."""

    dataset: str = "./data"
    model: str = "openai/clip-vit-base-patch32"
    model_revision: str | None = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"
    templates: list[str] = field(
        default_factory=lambda: ["a photo of a {}.", "a photo of the {}.", "a picture of a {}."]
    )
    learning_rate: float = 1e-5
    num_train_epochs: float = 5
    per_device_train_batch_size: int = 32
    gradient_accumulation_steps: int = 16
    warmup_steps: float = 0.1
    lr_scheduler_type: str = "cosine"


DEMO = {
    "dataset": "demo:digit_captions",
    "model": "baseline:clip",
    "model_args": '{"patch_size": 4}',  # 16 patches of the 16 x 16 pixels
    "templates": ["a {}", "a bright {}", "a faint {}"],
    "learning_rate": 1e-3,
    "num_train_epochs": 9,
    "per_device_train_batch_size": 64,
    "gradient_accumulation_steps": 1,
    "eval_strategy": "no",
    "save_strategy": "no",
    "load_best_model_at_end": False,
}


def job(config: ClipFinetune) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, ClipFinetune, DEMO)
