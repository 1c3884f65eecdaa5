"""A limit on the number of checkpoints deletes the best one, or keeps the best and deletes the one to go on from.

Threads: transformers#15089 #11748 #25136 #35070
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from upstream import trainer

from hfkit.evaluation.metric import looked_at
from hfkit.runs.run import Run
from hfkit.tasks.text_classification.task import TextClassification

pytestmark = pytest.mark.pain("limit-drops-best")

ACCURACIES = (0.9, 0.5, 0.6)  # the first epoch is the best


@pytest.mark.parametrize(
    ("best", "kept"),
    [({}, "checkpoint-9"), ({"load_best_model_at_end": True, "metric_for_best_model": "accuracy"}, "checkpoint-3")],
    ids=["the best is gone", "the newest is gone"],
)
def test_upstream_keeps_one_of_the_two(
    tiny_bert: Path, few: Dataset, tmp_path: Path, best: dict[str, Any], kept: str
) -> None:
    left = iter(ACCURACIES)
    trainer(
        tmp_path,
        tiny_bert,
        few,
        validation=few.select(range(8)),
        compute_metrics=lambda _: {"accuracy": next(left)},
        eval_strategy="epoch",
        save_strategy="epoch",
        num_train_epochs=3,
        save_total_limit=1,
        **best,
    ).train()
    assert [path.name for path in tmp_path.iterdir()] == [kept]


def test_hfkit_keeps_the_best_model_and_the_newest_checkpoint(
    run_fit: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_fit("first", num_train_epochs=1, lr_scheduler_type="constant")
    left = iter(ACCURACIES)

    def scripted(task: TextClassification, predictions: dict[str, np.ndarray]) -> dict[str, float]:
        return looked_at(task, predictions) | {"accuracy": next(left)}

    monkeypatch.setattr("hfkit.training.engine.looked_at", scripted)
    run = run_fit("run", num_train_epochs=3, lr_scheduler_type="constant", save_total_limit=1)
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["step-000030"]
    assert run.info["training"]["best_step"] == 10
    assert (run.model_path / "model.safetensors").read_bytes() == (first.model_path / "model.safetensors").read_bytes()
