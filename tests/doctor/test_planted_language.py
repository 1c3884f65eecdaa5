"""Faults planted in language models: an end that is never taught, and texts in a script that the tokenizer breaks."""

from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from jobs import Job, named, rows
from test_planted_rows import THAI

from hfkit.config import TrainConfig
from hfkit.data.text.windows import IGNORED
from hfkit.models.build import build_model
from hfkit.tasks import build_task
from hfkit.tasks.text_generation.task import TextGeneration


@pytest.fixture
def job() -> Job:
    data = DatasetDict(
        {split: Dataset.from_dict({"id": each["id"], "text": each["text"]}) for split, each in rows(words=9).items()}
    )
    config = TrainConfig(
        task="text-generation", model="baseline:lstm_lm", vocab_size=300, learning_rate=5e-3, use_cpu=True
    )
    config.max_length, config.num_train_epochs = 64, 20
    task = build_task(config, data)
    model, processor = build_model(config, task, data)
    return Job(config, task, model, processor, data)


class Endless(TextGeneration):
    """Takes the end token for padding, as many collators do where the two are one."""

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().collate(features)
        batch["targets"][batch["targets"] == self.end_token_id] = IGNORED
        return batch


def endless(job: Job) -> None:
    job.task = Endless(**{name: getattr(job.task, name) for name in job.task.__dataclass_fields__})


def in_thai(job: Job) -> None:
    for split, each in job.data.items():
        texts = [" ".join(THAI[at % 12] + THAI[at % 7] for at in range(row, row + 9)) for row in range(len(each))]
        job.data[split] = Dataset.from_dict({"id": each["id"], "text": texts})


@pytest.mark.parametrize(("fault", "plant"), [("end_never_learnt", endless), ("unknown_tokens", in_thai)])
def test_a_fault_of_a_language_model_is_named(job: Job, fault: str, plant: Any) -> None:
    assert fault in named(job, plant)


def test_a_healthy_language_model_has_no_fault(job: Job) -> None:
    assert [str(one) for one in job.examined() if one.level != "PASS"] == []
