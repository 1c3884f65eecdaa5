"""The Transformer of "Attention Is All You Need", from scratch: it translates what photos show.

    accelerate launch recipes/transformer_seq2seq.py --demo     # made dates, no network: minutes on one core
    accelerate launch recipes/transformer_seq2seq.py            # Multi30k from the Hub, English to German: a GPU's job

The demo writes dates in ISO 8601, and has to be exact: "the 3rd of March, 1987" is 1987-03-03. Pairs of your own:
--dataset pairs.tsv.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class TransformerSeq2Seq(hfkit.seq2seq.Config):
    """Train an encoder and decoder from scratch."""

    dataset: str = "bentrevett/multi30k"
    source_lang: str | None = "en"
    target_lang: str | None = "de"
    model: str = "baseline:transformer"
    vocab_size: int = 8000
    max_length: int | None = 96
    dropout: float | None = 0.2
    label_smoothing_factor: float = 0.1
    learning_rate: float = 1e-3
    num_train_epochs: float = 20
    per_device_train_batch_size: int = 64
    warmup_steps: float = 0.1


DEMO = {
    "task": "text2text-generation",
    "dataset": "demo:dates",
    "source_lang": None,
    "target_lang": None,
    "model_args": '{"hidden_size": 128, "num_encoder_layers": 2, "num_decoder_layers": 2, "intermediate_size": 256}',
    "tokenizer": "char",
    "max_length": 64,
    "dropout": 0.0,
    "label_smoothing_factor": 0.0,
    "learning_rate": 2e-3,
    "num_train_epochs": 7,
    "per_device_train_batch_size": 32,
}


def job(config: TransformerSeq2Seq) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, TransformerSeq2Seq, DEMO)
