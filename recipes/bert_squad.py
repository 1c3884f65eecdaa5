"""BERT answers questions from a text: people's about Wikipedia; in the demo made ones about the chemical elements.

    accelerate launch recipes/bert_squad.py --demo     # embedded model, made questions, no Hub: 3 minutes on 2 cores
    accelerate launch recipes/bert_squad.py            # bert-base and SQuAD 1.1 from the Hub: a GPU's job

The demo's files come by `make materials NAMES="bge_small facts"`. With the settings below transformers' own example
(examples/pytorch/question-answering) reaches an exact match of 81.22 and an F1 of 88.52 on SQuAD 1.1's validation
split. Of the demo's questions a quarter has no answer, and its figures say nothing about questions that people ask.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class BertSquad(hfkit.question_answering.Config):
    """Fine-tune BERT on SQuAD 1.1."""

    dataset: str = "rajpurkar/squad"
    test_split: str | None = "validation"  # its test is secret; what picks the model is held out from training
    model: str = "google-bert/bert-base-uncased"
    model_revision: str | None = "86b5e0934494bd15c9632b12f734a8a67f723594"
    max_length: int | None = 384
    stride: int | None = 128
    learning_rate: float = 3e-5
    num_train_epochs: float = 2
    per_device_train_batch_size: int = 12


DEMO = {
    "dataset": "demo:facts",
    "test_split": None,
    "model": "demo:bge_small",
    "max_length": 192,
    "stride": 64,
    "learning_rate": 3e-4,
    "num_train_epochs": 3,
    "per_device_train_batch_size": 16,
    "warmup_steps": 0.1,
}


def job(config: BertSquad) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, BertSquad, DEMO)
