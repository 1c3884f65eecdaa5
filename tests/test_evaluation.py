"""Looking at a split: what a batch may take, the largest tried first, and a save before the look."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset, DatasetDict
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.evaluation.predict import LOGITS, evaluate, planned
from hfkit.runs.run import Run
from hfkit.tasks import build_task
from hfkit.tasks.text_classification.task import TextClassification
from hfkit.training.engine import Engine

Fit = Callable[..., Run]


def over(words: int) -> Any:
    """A model whose logits are over so many words; over none, a classifier."""
    head = SimpleNamespace(weight=torch.empty((words, 1), device="meta")) if words else None
    return SimpleNamespace(get_output_embeddings=lambda: head)


@pytest.mark.parametrize(
    ("words", "knobs", "rows"),
    [
        (128_256, {}, 4),  # 32 rows would be 16.8 GB of logits
        (50_257, {}, 10),
        (49_152, {"per_device_eval_batch_size": 8}, 8),
        (0, {}, 32),
        (0, {"eval_tokens_per_batch": 2048}, 2),
        (128_256, {"eval_tokens_per_batch": 1024}, 1),
    ],
)
def test_a_batch_is_bounded_by_its_logits(words: int, knobs: dict[str, Any], rows: int) -> None:
    split = Dataset.from_dict({"length": [1024] * 40})
    batches, work = planned(over(words), split, TrainConfig(**knobs))
    assert len(batches[0]) == rows and work[0] == 1024 * rows
    assert work[0] * words <= LOGITS
    assert sorted(row for batch in batches for row in batch) == list(range(40))


def test_a_budget_changes_no_figure(tiny_bert: Any, splits: DatasetDict) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2)
    found = []
    for budget in (None, 64):
        config = TrainConfig(max_length=16, disable_tqdm=True, eval_tokens_per_batch=budget)
        task = build_task(config, splits).for_model(model.config, tokenizer)
        found.append(evaluate(Accelerator(cpu=True), task, model, task.encode(splits["test"], tokenizer), config))
    for name, values in found[0].items():
        np.testing.assert_allclose(values, found[1][name], atol=1e-6)


@pytest.mark.parametrize(("fits", "knobs"), [(0, {"eval_strategy": "no"}), (1, {})], ids=["test", "validation"])
def test_memory_that_a_look_lacks_is_told_before_the_first_update(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch, fits: int, knobs: dict[str, Any]
) -> None:
    """The largest batch of the test split, by which every run is judged, and the one of validation are tried."""
    scored, updates, tried = TextClassification.loss_and_predictions, [], []

    def small_memory(self: TextClassification, model: Any, batch: Any) -> Any:
        if model.training:
            updates.append(batch)
        elif len(batch["input_ids"]) == 32:  # the largest of a split's batches
            tried.append(batch)
            if len(tried) > fits:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return scored(self, model, batch)

    monkeypatch.setattr(TextClassification, "loss_and_predictions", small_memory)
    with pytest.raises(HfkitError, match=r"evaluation batch of 32 rows(.|\n)*--eval_tokens_per_batch"):
        run_fit(num_train_epochs=1, **knobs)
    assert updates == []


def test_what_goes_wrong_in_a_look_costs_no_update(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look fails after the epoch: the epoch is saved, and the same call begins with that look."""
    knobs: dict[str, Any] = {"ema_decay": 0.9, "early_stopping_patience": 3}
    whole = run_fit("whole", **knobs)

    def fails(task: TextClassification, predictions: Any) -> Any:
        raise HfkitError("a picture has gone")

    updates: list[int] = []
    count = Engine._count

    def counted(self: Engine, *arguments: Any) -> None:
        count(self, *arguments)
        updates.append(self.state.step)

    with monkeypatch.context() as patch:
        patch.setattr("hfkit.training.engine.looked_at", fails)
        with pytest.raises(HfkitError, match="a picture has gone"):
            run_fit("again", **knobs)
    again = whole.path.parent / "again"
    assert [path.name for path in (again / "checkpoints").iterdir()] == ["step-000010"]
    assert Run(again).state == "running", "this process has not let go yet"
    monkeypatch.setattr(Engine, "_count", counted)
    resumed = run_fit("again", **knobs)
    assert updates == list(range(11, 21))
    for name in ("log.jsonl", "model/model.safetensors", "checkpoints/step-000020/state.json"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes(), name
    assert resumed.predictions().equals(whole.predictions())
