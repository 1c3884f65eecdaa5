"""The loop: the loss of the large batch however it is cut, exact resume, and every promise of its callbacks."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hfkit.runs.run import Run
from hfkit.training.engine import Engine

Fit = Callable[..., Run]


def weights(run: Run) -> bytes:
    return (run.model_path / "model.safetensors").read_bytes()


def log_bytes(run: Run) -> bytes:
    return (run.path / "log.jsonl").read_bytes()


def test_a_run_learns_and_leaves_every_file(run_fit: Fit) -> None:
    run = run_fit(num_train_epochs=6)
    assert run.state == "finished"
    assert run.metrics["accuracy"]["value"] > 0.9
    assert run.metrics["accuracy"]["n"] == 50
    assert set(run.metrics["baselines"]) == {"tfidf_logreg", "majority"}
    predictions = run.predictions()
    assert predictions["id"].to_pylist() == [f"r{at}" for at in range(190, 240)]
    hits = np.asarray(predictions["label"]) == np.asarray(predictions["prediction"])
    assert hits.mean() == pytest.approx(run.metrics["accuracy"]["value"])
    losses = [line["loss"] for line in run.log() if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]
    assert run.timing()[-1]["total_seconds"] > 0
    assert not list(run.path.glob(".*"))


@pytest.mark.pain("accumulation-loss")
@pytest.mark.parametrize("long_text", ["head", "windows"])
def test_accumulation_is_the_large_batch(run_fit: Fit, long_text: str) -> None:
    """32 rows at once and 4 x 8 accumulated: the same losses and weights, the last partial window included."""
    knobs: dict[str, Any] = {"dropout": 0.0, "num_train_epochs": 1, "max_length": 12, "stride": 4}
    knobs |= {"class_weights": "balanced", "long_text": long_text, "learning_rate": 1e-2, "optim": "sgd"}
    large = run_fit("large", per_device_train_batch_size=32, **knobs)
    cut = run_fit("cut", per_device_train_batch_size=8, gradient_accumulation_steps=4, **knobs)
    for one, other in zip(large.log(), cut.log(), strict=True):
        assert one.get("loss") == pytest.approx(other.get("loss"), abs=2e-6)  # the log has six digits
        assert one.get("grad_norm") == pytest.approx(other.get("grad_norm"), abs=1e-5)


@pytest.mark.pain("seed-not-enough")
def test_same_seed_same_bytes_and_another_seed_others(run_fit: Fit) -> None:
    first, again, other = (run_fit(name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert weights(first) == weights(again)
    assert log_bytes(first) == log_bytes(again)
    assert weights(first) != weights(other)


@pytest.mark.pain("resume-not-exact")
@pytest.mark.parametrize(
    "knobs",
    [
        pytest.param({}, id="plain"),
        pytest.param({"gradient_accumulation_steps": 2, "per_device_train_batch_size": 8}, id="accumulation"),
        pytest.param({"tokens_per_batch": 200}, id="token-budget"),
        pytest.param({"dataloader_num_workers": 2}, id="workers"),
        pytest.param({"ema_decay": 0.9, "early_stopping_patience": 3}, id="ema"),
        pytest.param({"lr_scheduler_type": "cosine", "optim": "sgd", "logging_steps": 4}, id="sgd-cosine"),
        pytest.param({"freeze": ["backbone"], "unfreeze_epoch": 1, "mixed_precision": "bf16"}, id="unfreeze-bf16"),
    ],
)
@pytest.mark.parametrize("stop", [3, 13])
def test_a_resumed_run_is_the_uninterrupted_one(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any], stop: int
) -> None:
    whole = run_fit("whole", **knobs)
    count = Engine._count

    def ctrl_c(self: Engine, *arguments: Any) -> None:
        count(self, *arguments)
        self.interrupted = self.state.step == stop

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_count", ctrl_c)
        with pytest.raises(KeyboardInterrupt, match=f"stopped at update {stop}"):
            run_fit("again", **knobs)
    assert json.loads((whole.path.parent / "again" / "run.json").read_text())["state"] == "stopped"
    resumed = run_fit("again", **knobs)
    assert weights(resumed) == weights(whole)
    assert log_bytes(resumed) == log_bytes(whole)
    assert resumed.predictions().equals(whole.predictions())
