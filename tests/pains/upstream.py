"""The plain call that tutorials show: transformers' Trainer on the tiny model, quiet and on the CPU."""

from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)


def trainer(
    output: Path,
    base: Path,
    rows: Dataset,
    *,
    validation: Dataset | None = None,
    model: PreTrainedModel | None = None,
    kind: type[Trainer] = Trainer,
    compute_metrics: Any = None,
    **arguments: Any,
) -> Trainer:
    """A Trainer of the class `kind` on rows with `text` and `label`; `arguments` are TrainingArguments'."""
    tokenizer = AutoTokenizer.from_pretrained(base)

    def encoded(data: Dataset) -> Dataset:
        data = data.map(lambda row: tokenizer(row["text"], truncation=True), remove_columns=["id", "text"])
        return data.rename_column("label", "labels")

    defaults = {"per_device_train_batch_size": 16, "learning_rate": 3e-3, "logging_steps": 1, "save_strategy": "no"}
    return kind(
        model or AutoModelForSequenceClassification.from_pretrained(base, num_labels=2),
        TrainingArguments(
            output_dir=str(output), use_cpu=True, report_to=[], disable_tqdm=True, **(defaults | arguments)
        ),
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=encoded(rows),
        eval_dataset=None if validation is None else encoded(validation),
        compute_metrics=compute_metrics,
    )
