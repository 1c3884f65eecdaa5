"""GPT-2 on WikiText-2: fine-tune all weights of a causal language model on articles.

    accelerate launch recipes/gpt2_wikitext.py --demo     # SmolLM2-135M, embedded reviews: 3 minutes on 2 cores
    accelerate launch recipes/gpt2_wikitext.py            # GPT-2 and WikiText-2 from the Hub: a GPU's job

The figures: bits per byte, which compares models whatever their tokens are; perplexity per token; and the perplexity
per word of WikiText's literature. Windows half a context apart show each test token at least 512 tokens of its article.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class Gpt2Wikitext(hfkit.text_generation.Config):
    """Fine-tune GPT-2 on WikiText-2."""

    dataset: str = "wikitext2"
    model: str = "openai-community/gpt2"
    model_revision: str | None = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
    max_length: int | None = 1024
    eval_stride: int | None = 512
    learning_rate: float = 5e-5
    num_train_epochs: float = 3
    per_device_train_batch_size: int = 8
    per_device_eval_batch_size: int = 8
    warmup_steps: float = 0.05


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 160,
    "max_eval_samples": 30,
    "max_test_samples": 100,
    "model": "demo:smollm2",
    "max_length": 512,
    "eval_stride": None,
    "num_train_epochs": 1,
    "per_device_train_batch_size": 2,
}


def job(config: Gpt2Wikitext) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, Gpt2Wikitext, DEMO)
