"""BERT reads a domain's texts before it is fine-tuned on labels: hidden words of IMDB reviews, told from both sides.

    accelerate launch recipes/bert_fill_mask.py --demo     # MiniLM with a new head, embedded reviews: 3 minutes
    accelerate launch recipes/bert_fill_mask.py            # bert-base-uncased and IMDB from the Hub: a GPU's job

Domain-adaptive pretraining (Gururangan et al. 2020). The finished run is a model like any other: fine-tune it with
`hfkit train --dataset imdb --model runs/bert_fill_mask`, and `hfkit compare` the two runs, with it and without.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class BertFillMask(hfkit.fill_mask.Config):
    """Adapt BERT to movie reviews."""

    dataset: str = "imdb"
    model: str = "google-bert/bert-base-uncased"
    model_revision: str | None = "86b5e0934494bd15c9632b12f734a8a67f723594"
    max_length: int | None = 256
    learning_rate: float = 1e-4
    num_train_epochs: float = 3
    per_device_train_batch_size: int = 32
    warmup_steps: float = 0.06


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 1500,
    "max_eval_samples": 100,
    "max_test_samples": 200,
    "model": "demo:minilm",  # no package ships a BERT with its head: a new one, tied to the token vectors, is learnt
    "max_length": 128,
    "learning_rate": 5e-4,
    "num_train_epochs": 2,
}


def job(config: BertFillMask) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, BertFillMask, DEMO)
