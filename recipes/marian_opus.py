"""Marian translates English into Chinese: a model that knows how already, tuned on pairs of its own kind.

    accelerate launch recipes/marian_opus.py --demo     # "Attention Is All You Need" on embedded verses, no Hub
    accelerate launch recipes/marian_opus.py            # opus-mt-en-zh and OPUS-100 from the Hub: a GPU's job

No package ships a Marian model, so the demo does the same job with one from scratch, which learns in minutes how verses
begin, and no more; its files come by `make materials NAMES=kjv_web`. What Marian learns best is a file of your domain:
`--dataset pairs.tsv --source_column en --target_column zh`.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class MarianOpus(hfkit.seq2seq.Config):
    """Tune a translation model."""

    dataset: str = "Helsinki-NLP/opus-100"
    dataset_config_name: str | None = "en-zh"
    source_lang: str | None = "en"
    target_lang: str | None = "zh"
    max_train_samples: int | None = 100_000
    model: str = "Helsinki-NLP/opus-mt-en-zh"
    model_revision: str | None = "refs/pr/26"  # its weights as safetensors; the main branch has a pickle alone
    max_length: int | None = 128
    learning_rate: float = 2e-5
    num_train_epochs: float = 1
    per_device_train_batch_size: int = 32


DEMO = {
    "dataset": "demo:kjv_web",
    "dataset_config_name": None,
    "source_lang": None,
    "target_lang": None,
    "max_train_samples": 4000,
    "max_eval_samples": 100,
    "max_test_samples": 100,
    "model": "baseline:transformer",
    "vocab_size": 4000,
    "max_length": 96,
    "learning_rate": 1e-3,
    "num_train_epochs": 2,
    "num_beams": 1,
}


def job(config: MarianOpus) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, MarianOpus, DEMO)
