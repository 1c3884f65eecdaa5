"""An LSTM that models language, from scratch: two layers, dropout between them, the output layer tied to the input.

    accelerate launch recipes/lstm_lm.py --demo     # embedded reviews, no network: 2.5 minutes on 2 cores
    accelerate launch recipes/lstm_lm.py            # WikiText-2 from the Hub: half an hour on a GPU

AWD-LSTM's sizes and its variational dropout (Merity et al. 2018):
--model_args '{"embedding_size": 400, "hidden_size": 1150, "num_hidden_layers": 3, "variational": true}'.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class LstmLM(hfkit.text_generation.Config):
    """Train an LSTM language model from scratch."""

    dataset: str = "wikitext2"
    model: str = "baseline:lstm_lm"
    vocab_size: int = 8000
    max_length: int | None = 128
    dropout: float | None = 0.3
    learning_rate: float = 3e-3
    lr_scheduler_type: str = "cosine"
    num_train_epochs: float = 20
    per_device_train_batch_size: int = 32
    warmup_steps: float = 0.02
    max_grad_norm: float = 0.5


DEMO = {
    "dataset": "demo:imdb",
    "max_train_samples": 3000,
    "max_eval_samples": 100,
    "max_test_samples": 100,
    "vocab_size": 1000,
    "dropout": 0.0,
    "learning_rate": 5e-3,
    "num_train_epochs": 1,
    "per_device_train_batch_size": 8,
}


def job(config: LstmLM) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, LstmLM, DEMO)
