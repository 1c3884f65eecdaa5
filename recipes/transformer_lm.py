"""A Transformer that models language, from scratch: GPT-2's layout in small, with a tokenizer of its own.

    accelerate launch recipes/transformer_lm.py --demo     # embedded reviews, no network: 5 minutes on one core
    accelerate launch recipes/transformer_lm.py            # WikiText-2 from the Hub: a GPU's job

The tokenizer learns pairs of bytes on the training texts; --tokenizer char takes single characters. Texts of your own:
--dataset "books/*.txt".
"""

from dataclasses import dataclass

import hfkit


@dataclass
class TransformerLM(hfkit.text_generation.Config):
    """Train a decoder-only Transformer from scratch."""

    dataset: str = "wikitext2"
    model: str = "baseline:transformer_lm"
    vocab_size: int = 8000
    max_length: int | None = 256
    dropout: float | None = 0.2
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    adam_beta2: float = 0.99
    lr_scheduler_type: str = "cosine"
    num_train_epochs: float = 10
    per_device_train_batch_size: int = 32
    warmup_steps: float = 0.02


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 3000,
    "max_eval_samples": 100,
    "max_test_samples": 100,
    "model_args": '{"hidden_size": 192, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 768}',
    "vocab_size": 4000,
    "dropout": 0.0,
    "learning_rate": 2e-3,
    "num_train_epochs": 3,
    "per_device_train_batch_size": 4,
}


def job(config: TransformerLM) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, TransformerLM, DEMO)
