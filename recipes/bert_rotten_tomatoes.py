"""BERT on rotten_tomatoes: is one sentence of a review good or bad?

    accelerate launch recipes/bert_rotten_tomatoes.py --demo     # embedded, no network: 3 minutes on 2 cores
    accelerate launch recipes/bert_rotten_tomatoes.py            # bert-base and the 10,662 snippets from the Hub

Sentences are short: 64 tokens cut 6 snippets in 8,500, and a sentence gives bag-of-words little to go by.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class BertRottenTomatoes(hfkit.text_classification.Config):
    """Fine-tune BERT on rotten_tomatoes."""

    dataset: str = "rotten_tomatoes"
    model: str = "google-bert/bert-base-uncased"
    model_revision: str | None = "86b5e0934494bd15c9632b12f734a8a67f723594"
    max_length: int | None = 64
    learning_rate: float = 2e-5
    num_train_epochs: float = 3
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:rotten_tomatoes",
    "model": "demo:minilm",
    "pooling": "mean",
    "learning_rate": 1e-4,
    "num_train_epochs": 2,
}


def job(config: BertRottenTomatoes) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, BertRottenTomatoes, DEMO)
