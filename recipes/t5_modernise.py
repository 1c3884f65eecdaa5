"""T5 puts one kind of a language into another: verses of the King James Bible into the World English Bible's words.

    accelerate launch recipes/t5_modernise.py --demo     # embedded model and verses, no Hub: minutes on 2 cores
    accelerate launch recipes/t5_modernise.py            # flan-t5-small from the Hub, on pairs.jsonl: a GPU's job

The demo's files come by `make materials NAMES="flan_t5_small kjv_web"`. The real job learns any file of pairs with
columns source and target; say --task summarization or text2text-generation where that is what they are. A verse taken
as it stands is a strong rival here: half of its words are modern ones already.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class T5Modernise(hfkit.seq2seq.Config):
    """Fine-tune T5 on pairs of texts."""

    dataset: str = "pairs.jsonl"
    model: str = "google/flan-t5-small"
    model_revision: str | None = "0fc9ddf78a1e988dac52e2dac162b0ede4fd74ab"
    source_prefix: str = "modernise: "
    max_length: int | None = 256
    max_target_length: int | None = 256
    learning_rate: float = 3e-4
    num_train_epochs: float = 3
    per_device_train_batch_size: int = 16
    warmup_steps: float = 0.05


DEMO = {
    "dataset": "demo:kjv_web",
    "max_train_samples": 1600,
    "max_eval_samples": 100,
    "max_test_samples": 100,
    "model": "demo:flan_t5_small",
    "max_length": 96,
    "max_target_length": 96,
    "learning_rate": 1e-3,
    "num_train_epochs": 1,
    "num_beams": 2,
}


def job(config: T5Modernise) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, T5Modernise, DEMO)
