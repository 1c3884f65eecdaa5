"""Trainer by someone who knows it: batches padded to their longest text, texts of like length together, bf16."""

import argparse
import json

import numpy as np
import torch
from datasets import load_dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)


def compute_metrics(predicted):
    return {"accuracy": float((np.argmax(predicted.predictions, axis=-1) == predicted.label_ids).mean())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--output_dir")
    parser.add_argument("--max_length", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--use_cpu", action="store_true")
    options = parser.parse_args()

    dataset = load_dataset("csv", data_files={name: f"{options.data}/{name}.csv" for name in ("train", "test")})
    dataset = dataset.class_encode_column("label")
    tokenizer = AutoTokenizer.from_pretrained(options.model)

    def tokenize(examples):
        return tokenizer(examples["text"], truncation=True, max_length=options.max_length)

    tokenized = dataset.map(tokenize, batched=True)
    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=2)
    training_args = TrainingArguments(
        output_dir=options.output_dir,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=32,
        learning_rate=1e-4,
        weight_decay=0.01,
        num_train_epochs=1,
        seed=options.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=options.use_cpu,
        bf16=True,
        train_sampling_strategy="group_by_length",
    )
    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=tokenized["train"],
        eval_dataset=tokenized["test"],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=compute_metrics,
    )
    trained = trainer.train()
    figures = trainer.evaluate()
    found = {
        "seconds": trained.metrics["train_runtime"],
        "rows": len(tokenized["train"]),
        "updates": trainer.state.global_step,
        "parameters": model.num_parameters(),
        "test_rows": len(tokenized["test"]),
        "accuracy": figures["eval_accuracy"],
        "gpu_mib": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None,
        "loss": trained.training_loss,
    }
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
