"""The encoder of "Attention Is All You Need" on IMDB, from scratch: BERT's architecture without BERT's reading.

    accelerate launch recipes/transformer_imdb.py --demo     # embedded reviews, no network: 4 minutes on 2 cores
    accelerate launch recipes/transformer_imdb.py            # IMDB's 50,000 reviews from the Hub

Attention, positions and blocks are src/hfkit/baselines/, in plain torch; --model_args changes their sizes.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class TransformerImdb(hfkit.text_classification.Config):
    """Train a small Transformer encoder on IMDB reviews."""

    dataset: str = "imdb"
    model: str = "baseline:transformer"
    max_length: int | None = 400
    long_text: str = "head_tail"
    learning_rate: float = 5e-4
    num_train_epochs: float = 5
    per_device_train_batch_size: int = 32
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 6000,
    "max_eval_samples": 500,
    "max_length": 256,
    "num_train_epochs": 3,
}


def job(config: TransformerImdb) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, TransformerImdb, DEMO)
