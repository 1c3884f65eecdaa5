"""Small healthy jobs, each of seconds, in which a test plants one fault."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from PIL import Image as Pillow
from words import WORDS_BAD, WORDS_GOOD, WORDS_PLAIN

from hfkit.config import TrainConfig
from hfkit.models.build import build_model
from hfkit.tasks import build_task
from hfkit.training.doctor.doctor import examine
from hfkit.training.doctor.finding import Finding

SIZES = {"train": 480, "validation": 160, "test": 160}
NAMES = ["neg", "pos"]


@dataclass
class Job:
    """What `examine` takes; a fault changes one of them."""

    config: Any
    task: Any
    model: Any
    processor: Any
    data: DatasetDict
    optimizer: Any = None

    def examined(self, seconds: float = 4.0) -> list[Finding]:
        found, _ = examine(
            self.config, self.task, self.model, self.processor, self.data, self.optimizer, seconds=seconds
        )
        return found


Plant = Callable[[Job], None]


def named(job: Job, plant: Plant) -> list[str]:
    """The first two that are no PASS, after a fault was planted."""
    plant(job)
    return [one.id for one in job.examined()[:2] if one.level != "PASS"]


def sentence(rng: np.random.Generator, good: bool, words: int = 16) -> str:
    body = [str(word) for word in rng.choice(WORDS_PLAIN, words)]
    for place in rng.choice(words, 4, replace=False):
        body[place] = str(rng.choice(WORDS_GOOD if good else WORDS_BAD))
    return " ".join(body)


def rows(seed: int = 0, words: int = 16) -> dict[str, dict[str, list[Any]]]:
    """Made reviews of 16 words, four of which tell good from bad."""
    rng = np.random.default_rng(seed)
    found = {}
    for split, many in SIZES.items():
        labels = rng.permutation([at % 2 for at in range(many)]).tolist()
        texts = [sentence(rng, bool(label), words + int(rng.integers(-4, 5))) for label in labels]
        found[split] = {"id": [f"{split}-{at}" for at in range(many)], "text": texts, "label": labels}
    return found


def loaded(found: dict[str, dict[str, list[Any]]]) -> DatasetDict:
    kinds = dict.fromkeys(("id", "text", "group"), Value("string")) | {"label": ClassLabel(names=NAMES)}
    return DatasetDict(
        {
            split: Dataset.from_dict(each, features=Features({name: kinds[name] for name in each}))
            for split, each in found.items()
        }
    )


USUAL: dict[str, Any] = {
    "model": "baseline:transformer",
    "model_args": '{"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 2}',
    "learning_rate": 2e-3,
    "num_train_epochs": 3,
    "per_device_train_batch_size": 16,
    "max_length": 32,
    "use_cpu": True,
}


def made(data: DatasetDict, **knobs: Any) -> Job:
    config = TrainConfig(**USUAL | knobs)
    task = build_task(config, data)
    model, processor = build_model(config, task, data)
    return Job(config, task, model, processor, data)


def texts(**knobs: Any) -> Job:
    return made(loaded(rows()), **knobs)


def relabelled(data: DatasetDict, split: str, labels: Any) -> Dataset:
    feature = data[split].features["label"]
    return data[split].remove_columns("label").add_column("label", list(map(int, labels)), feature=feature)


def rewritten(data: DatasetDict, split: str, new: list[str]) -> Dataset:
    return Dataset.from_dict(data[split].to_dict() | {"text": new}, features=data[split].features)


def sevens(seed: int = 0) -> DatasetDict:
    """Pictures of 12 x 12 pixels: a hook whose arm points to the right, or to the left."""
    rng, found = np.random.default_rng(seed), {}
    kinds = Features({"id": Value("string"), "image": Image(), "label": ClassLabel(names=["left", "right"])})
    for split, many in {"train": 240, "validation": 80, "test": 80}.items():
        each: dict[str, list[Any]] = {"id": [], "image": [], "label": []}
        for at in range(many):
            pixels, right = rng.integers(0, 60, (12, 12)), at % 2
            top = int(rng.integers(1, 4))
            pixels[top : top + 2, 2:10] += 170
            pixels[top:11, (slice(8, 10) if right else slice(2, 4))] += 120
            picture = Pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), mode="L")
            for name, value in (("id", f"{split}-{at}"), ("image", picture), ("label", right)):
                each[name].append(value)
        found[split] = Dataset.from_dict(each, features=kinds)
    return DatasetDict(found)


def pictures(**knobs: Any) -> Job:
    usual = {"task": "image-classification", "model": "baseline:cnn", "model_args": None, "augment": ["crop"]}
    mine = {name: value for name, value in (USUAL | usual).items() if name != "max_length"}
    config = TrainConfig(**mine | knobs)
    data = sevens()
    task = build_task(config, data)
    model, processor = build_model(config, task, data)
    return Job(config, task, model, processor, data)
