"""MiniLM finds texts: the passage that answers a question; in the demo the World English verse of a King James verse.

    accelerate launch recipes/minilm_retrieve.py --demo     # embedded model and verses, no Hub: minutes on 2 cores
    accelerate launch recipes/minilm_retrieve.py            # questions and passages from the Hub: a GPU's job

The demo's verses come by `make materials NAMES=kjv_web`. Each update holds a query against the documents of all others
in it, 128 here: batches of 32 are put together by a gradient cache, exactly. BM25 stands beside it, and the model as it
was before. Both sides of the demo share most of their words, so counting words is next to perfect there.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class MinilmRetrieve(hfkit.sentence_similarity.Config):
    """Tune MiniLM for search."""

    dataset: str = "sentence-transformers/natural-questions"
    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    model_revision: str | None = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
    max_length: int | None = 256
    learning_rate: float = 2e-5
    num_train_epochs: float = 1
    per_device_train_batch_size: int = 32
    gradient_accumulation_steps: int = 4
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:kjv_web",
    "max_train_samples": 1024,
    "max_eval_samples": 200,
    "max_test_samples": 1000,
    "model": "demo:minilm",
    "max_length": 64,
    "learning_rate": 5e-5,
}


def job(config: MinilmRetrieve) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, MinilmRetrieve, DEMO)
