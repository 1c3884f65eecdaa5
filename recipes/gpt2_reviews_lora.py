"""LoRA on a causal language model: it learns to write film reviews, and one weight in three hundred learns.

    accelerate launch recipes/gpt2_reviews_lora.py --demo     # SmolLM2-135M, embedded reviews: 4 minutes on 2 cores
    accelerate launch recipes/gpt2_reviews_lora.py            # GPT-2 and IMDB's reviews from the Hub: a GPU's job

Each row of 512 tokens holds several reviews, none of which sees another; the end of each is learnt.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class Gpt2ReviewsLora(hfkit.text_generation.Config):
    """Train a LoRA adapter of GPT-2 on IMDB reviews."""

    dataset: str = "imdb"
    model: str = "openai-community/gpt2"
    model_revision: str | None = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
    max_length: int | None = 512
    lora: bool = True
    lora_r: int = 8
    lora_alpha: int = 16
    learning_rate: float = 1e-3
    num_train_epochs: float = 1
    per_device_train_batch_size: int = 8
    per_device_eval_batch_size: int = 8
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 160,
    "max_eval_samples": 30,
    "max_test_samples": 100,
    "model": "demo:smollm2",
    "per_device_train_batch_size": 2,
}


def job(config: Gpt2ReviewsLora) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, Gpt2ReviewsLora, DEMO)
