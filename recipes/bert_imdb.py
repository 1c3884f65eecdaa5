"""BERT on IMDB: is a film review good or bad?

    accelerate launch recipes/bert_imdb.py --demo     # embedded model and reviews, no network: 5 minutes on 2 cores
    accelerate launch recipes/bert_imdb.py            # bert-base and IMDB's 50,000 reviews from the Hub: a GPU's job

Reviews are long: 256 tokens hold one in two whole. The verdict often stands at the end, so of a longer one the first
quarter and the last three quarters of the room are kept.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class BertImdb(hfkit.TrainConfig):
    """Fine-tune BERT on IMDB reviews."""

    dataset: str = "imdb"
    model: str = "google-bert/bert-base-uncased"
    model_revision: str | None = "86b5e0934494bd15c9632b12f734a8a67f723594"
    max_length: int | None = 512
    long_text: str = "head_tail"
    learning_rate: float = 2e-5
    num_train_epochs: float = 3
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 2000,
    "max_eval_samples": 500,
    "max_test_samples": 2500,
    "model": "demo:minilm",
    "pooling": "mean",
    "max_length": 256,
    "learning_rate": 1e-4,
    "num_train_epochs": 2,
}


def job(config: BertImdb) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, BertImdb, DEMO)
