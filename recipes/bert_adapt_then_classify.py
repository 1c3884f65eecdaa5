"""BERT reads unlabelled reviews before it is fine-tuned on labelled ones: does it help (Gururangan et al. 2020)?

accelerate launch recipes/bert_adapt_then_classify.py --demo     # MiniLM, 300 labels, embedded reviews; no network
accelerate launch recipes/bert_adapt_then_classify.py            # IMDB's 50,000 unlabelled ones: a GPU's job"""

from dataclasses import dataclass

import hfkit
from hfkit.base.processes import count
from hfkit.config.knobs import Broken, knob


@dataclass
class BertAdaptThenClassify(hfkit.text_classification.Config):
    """Fine-tune BERT on IMDB reviews, with and without reading others before."""

    dataset: str = "imdb"
    model: str = "google-bert/bert-base-uncased"
    model_revision: str | None = "86b5e0934494bd15c9632b12f734a8a67f723594"
    pooling: str = "mean"  # what has learnt hidden words has lost BERT's own pooler
    max_train_samples: int | None = 1000
    learning_rate: float = 2e-5
    reading_split: str | None = knob("unsupervised", "The split whose texts are read. none: the training split.")
    reading_samples: int | None = knob(None, "Read at most so many texts.", low=1)
    head_epochs: int = knob(0, "Epochs in which the reader's head learns alone, as a new one should.", low=0)

    def rules(self) -> Broken:
        """Several processes cannot begin a second run, and none of the three is the one to publish."""
        if count() > 1 or self.push_to_hub:
            yield "one process makes three runs here", "launch one; hfkit push publishes one of them"


DEMO = {
    "dataset": "demo:imdb",
    "model": "demo:minilm",  # no package ships a BERT with its head: a new one, tied to the token vectors, is learnt
    "max_train_samples": 300,
    "max_eval_samples": 400,  # a look at all 1,989 takes longer than an epoch
    "max_test_samples": 2000,
    "max_length": 64,
    "learning_rate": 1e-4,
    "reading_split": None,
    "reading_samples": 400,
    "head_epochs": 2,
}


def job(config: BertAdaptThenClassify) -> None:
    """Three runs in a folder: reading, of what judges neither of plain and adapted. Again, it does what is not done."""
    folder, data = config.output_dir, hfkit.load_data(config)
    own: dict = {"output_dir": f"{folder}/reading", "train_split": config.reading_split, "max_eval_samples": 100}
    own |= {"max_train_samples": config.reading_samples, "max_test_samples": 200, "unfreeze_epoch": config.head_epochs}
    reader = config.of_task("fill-mask", freeze=["backbone"], learning_rate=5 * config.learning_rate, **own)
    read = hfkit.train(reader, hfkit.load_data(reader).apart_from(data))
    plain = config.of_task(config.task, output_dir=f"{folder}/plain")
    adapted = config.of_task(config.task, output_dir=f"{folder}/adapted", model=str(read.path), model_revision=None)
    print(hfkit.compare([hfkit.train(plain, data), hfkit.train(adapted, data)], folder))


if __name__ == "__main__":
    hfkit.main(job, BertAdaptThenClassify, DEMO)
