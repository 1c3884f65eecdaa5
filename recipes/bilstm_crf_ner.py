"""A BiLSTM-CRF finds names, from scratch: the tagger that stood before BERT (Huang, Xu & Yu 2015).

    accelerate launch recipes/bilstm_crf_ner.py --demo     # embedded addresses, no network: 2 minutes on 2 cores
    accelerate launch recipes/bilstm_crf_ner.py            # CoNLL-2003 from the Hub

The demo's file comes by `make materials NAMES=usaddress`. Its tokenizer learns from the training split.
It has no length limit: every text is one window. The paper has words begin with `--word_vectors`.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class BiLstmCrfNer(hfkit.token_classification.Config):
    """Train a bidirectional LSTM with a CRF on CoNLL-2003's names."""

    dataset: str = "tomaarsen/conll2003"
    group_column: str | None = "document_id"
    model: str = "baseline:bilstm_crf"
    vocab_size: int = 20000
    learning_rate: float = 3e-3
    num_train_epochs: float = 10
    per_device_train_batch_size: int = 32
    warmup_steps: float = 0.05


DEMO = {
    "dataset": "demo:usaddress",
    "group_column": None,
    "vocab_size": 800,  # a thousand addresses have few words; pieces of them recur
    "learning_rate": 5e-3,
    "num_train_epochs": 30,
    "per_device_train_batch_size": 16,
}


def job(config: BiLstmCrfNer) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, BiLstmCrfNer, DEMO)
