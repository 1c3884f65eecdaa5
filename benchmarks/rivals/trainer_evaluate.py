"""`Trainer.evaluate` on a file, and the most memory that the process ever held."""

import argparse
import json
import resource

import numpy as np
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
    parser.add_argument("--model")
    parser.add_argument("--data")
    parser.add_argument("--output_dir")
    options = parser.parse_args()
    dataset = load_dataset("csv", data_files=options.data, split="train")
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForSequenceClassification.from_pretrained(options.model)
    tokenized = dataset.map(lambda rows: tokenizer(rows["text"], truncation=True), batched=True)
    names = model.config.label2id
    tokenized = tokenized.map(lambda row: {"labels": names[row["label"]]}, remove_columns="label")
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=options.output_dir,
            per_device_eval_batch_size=32,
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        data_collator=DataCollatorWithPadding(tokenizer),
        eval_dataset=tokenized,
        compute_metrics=compute_metrics,
    )
    figures = trainer.evaluate()
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("\n" + json.dumps({"mib": mib, "rows": len(tokenized), "accuracy": figures["eval_accuracy"]}))


if __name__ == "__main__":
    main()
