"""A picture classifier as the tutorial writes it: Trainer over torchvision's transforms of each picture.

After https://huggingface.co/docs/transformers/tasks/image_classification. `--bf16` is the one switch added.
"""

import argparse
import json

from datasets import load_dataset
from torchvision.transforms import Compose, Normalize, RandomHorizontalFlip, RandomResizedCrop, ToTensor
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    DefaultDataCollator,
    Trainer,
    TrainingArguments,
)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--output_dir")
    parser.add_argument("--rows_per_batch", type=int)
    parser.add_argument("--max_steps", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()

    pictures = load_dataset("imagefolder", data_dir=options.data)["train"]
    looks = AutoImageProcessor.from_pretrained(options.model).data_config
    crop = RandomResizedCrop(looks["input_size"][-2:], scale=(0.35, 1.0))
    change = Compose([crop, RandomHorizontalFlip(), ToTensor(), Normalize(mean=looks["mean"], std=looks["std"])])

    def transforms(examples):
        examples["pixel_values"] = [change(image.convert("RGB")) for image in examples["image"]]
        del examples["image"]
        return examples

    model = AutoModelForImageClassification.from_pretrained(options.model)
    training_args = TrainingArguments(
        output_dir=options.output_dir,
        remove_unused_columns=False,
        per_device_train_batch_size=options.rows_per_batch,
        learning_rate=1e-4,
        max_steps=options.max_steps,
        logging_steps=10,
        seed=options.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        bf16=options.bf16,
    )
    trainer = Trainer(
        model=model,
        args=training_args,
        data_collator=DefaultDataCollator(),
        train_dataset=pictures.with_transform(transforms),
    )
    trained = trainer.train()
    found = {
        "seconds": trained.metrics["train_runtime"],
        "rows": trainer.state.global_step * options.rows_per_batch,
        "updates": trainer.state.global_step,
        "parameters": model.num_parameters(),
        "loss": trained.training_loss,
    }
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
