"""A bidirectional LSTM on IMDB, from scratch: what the same reviews teach a network that has read nothing before.

    accelerate launch recipes/lstm_imdb.py --demo     # embedded reviews, no network: 4 minutes on 2 cores
    accelerate launch recipes/lstm_imdb.py            # IMDB's 50,000 reviews from the Hub

Its tokenizer is trained on the training split. It has no length limit of its own; 400 tokens hold four reviews in
five whole. With `--word_vectors glove.6B.100d.txt` it has read something before: words that the file knows.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class LstmImdb(hfkit.text_classification.Config):
    """Train a bidirectional LSTM on IMDB reviews."""

    dataset: str = "imdb"
    model: str = "baseline:bilstm"
    max_length: int | None = 400
    long_text: str = "head_tail"
    learning_rate: float = 2e-3
    num_train_epochs: float = 5
    per_device_train_batch_size: int = 32
    warmup_steps: float = 0.05


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 6000,
    "max_eval_samples": 500,
    "max_length": 256,
    "num_train_epochs": 3,
}


def job(config: LstmImdb) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, LstmImdb, DEMO)
