"""BERT fine-tuning as the tutorials write it: Trainer, every text padded to max_length, float32.

After https://huggingface.co/docs/transformers/training and the course's chapter on fine-tuning with Trainer.
"""

import argparse
import json

import numpy as np
from datasets import load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments


def compute_metrics(predicted):
    return {"accuracy": float((np.argmax(predicted.predictions, axis=-1) == predicted.label_ids).mean())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--output_dir")
    parser.add_argument("--max_length", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--max_steps", type=int, default=-1)
    parser.add_argument("--save", action="store_true", help="keep the model, and leave its test to others")
    options = parser.parse_args()

    dataset = load_dataset("csv", data_files={name: f"{options.data}/{name}.csv" for name in ("train", "test")})
    dataset = dataset.class_encode_column("label")
    tokenizer = AutoTokenizer.from_pretrained(options.model, model_max_length=options.max_length)

    def tokenize(examples):
        return tokenizer(examples["text"], padding="max_length", truncation=True, max_length=options.max_length)

    tokenized = dataset.map(tokenize, batched=True)
    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=2)
    training_args = TrainingArguments(
        output_dir=options.output_dir,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=32,
        learning_rate=1e-4,
        weight_decay=0.01,
        num_train_epochs=1,
        max_steps=options.max_steps,
        seed=options.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=tokenized["train"],
        eval_dataset=tokenized["test"],
        processing_class=tokenizer,
        compute_metrics=compute_metrics,
    )
    trained = trainer.train()
    if options.save:
        trainer.save_model()
    figures = trainer.evaluate() if options.max_steps < 0 and not options.save else {}
    found = {
        "seconds": trained.metrics["train_runtime"],
        "rows": len(tokenized["train"]),
        "updates": trainer.state.global_step,
        "parameters": model.num_parameters(),
        "test_rows": len(tokenized["test"]),
        "accuracy": figures.get("eval_accuracy"),
        "loss": trained.training_loss,
    }
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
