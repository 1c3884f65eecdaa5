"""BERT on IMDB with LoRA: the same job, learning one weight in 300.

    accelerate launch recipes/bert_imdb_lora.py --demo     # embedded model and reviews, no network: 5 minutes
    accelerate launch recipes/bert_imdb_lora.py            # bert-base and IMDB's 50,000 reviews from the Hub

The run keeps an adapter instead of a whole model: in the demo 0.3 MB instead of 90. An adapter starts from zero, so its
learning rate is 15 to 20 times that of full fine-tuning.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class BertImdbLora(hfkit.text_classification.Config):
    """Fine-tune a LoRA adapter of BERT on IMDB reviews."""

    dataset: str = "imdb"
    model: str = "google-bert/bert-base-uncased"
    model_revision: str | None = "86b5e0934494bd15c9632b12f734a8a67f723594"
    lora: bool = True
    lora_r: int = 8
    lora_alpha: int = 16
    max_length: int | None = 512
    long_text: str = "head_tail"
    learning_rate: float = 3e-4
    num_train_epochs: float = 3
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 2300,
    "max_eval_samples": 500,
    "model": "demo:minilm",
    "max_length": 256,
    "learning_rate": 2e-3,
    "num_train_epochs": 2,
}


def job(config: BertImdbLora) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, BertImdbLora, DEMO)
