"""BERT finds names: persons, organisations, places in news; parts of postal addresses in the demo.

    accelerate launch recipes/bert_ner.py --demo     # embedded model and addresses, no network: 3 minutes on 2 cores
    accelerate launch recipes/bert_ner.py            # bert-base-cased and CoNLL-2003 from the Hub: a GPU's job

The demo's files come by `make materials NAMES="distilbert_cased usaddress"`. Names are told by their capitals, hence a
cased model. A text longer than max_length is read in overlapping windows, whole: no word is cut off.
"""

from dataclasses import dataclass

import hfkit


@dataclass
class BertNer(hfkit.token_classification.Config):
    """Fine-tune BERT on CoNLL-2003's names."""

    dataset: str = "tomaarsen/conll2003"
    group_column: str | None = "document_id"
    model: str = "google-bert/bert-base-cased"
    model_revision: str | None = "cd5ef92a9fb2f889e972770a36d4ed042daf221e"
    max_length: int | None = 256
    learning_rate: float = 3e-5
    num_train_epochs: float = 3
    per_device_train_batch_size: int = 16
    warmup_steps: float = 0.1


DEMO = {
    "dataset": "demo:usaddress",
    "group_column": None,
    "model": "demo:distilbert_cased",
    "max_length": 64,
    "learning_rate": 1e-4,
    "num_train_epochs": 6,
}


def job(config: BertNer) -> None:
    """The job, verb by verb: every recipe reads like this one."""
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)


if __name__ == "__main__":
    hfkit.main(job, BertNer, DEMO)
