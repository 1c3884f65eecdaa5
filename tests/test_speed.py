"""`--explain_speed` says what was chosen and measured, gives one line of advice, and changes nothing else."""

import gc
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hfkit.base import hardware
from hfkit.base.errors import HfkitError
from hfkit.cli.launch import start
from hfkit.config import TrainConfig
from hfkit.training.callbacks import speed

FOUND: dict[str, Any] = {
    "precision": "bf16",
    "why": "precision: bf16 on the cpu, which it computes in hardware",
    "device": "cpu",
    "has_bf16": True,
    "attention": "sdpa",
    "attention_dropout": 0.0,
    "optimizer": "AdamW, fused",
    "strategy": "group_by_length",
    "gradient_checkpointing": False,
    "workers": 0,
    "threads": 2,
    "updates": 40,
    "rows_per_second": 18.0,
    "rows_per_batch": 16.0,
    "tokens_per_batch": 3700.0,
    "padding": 0.01,
    "input_wait": 0.002,
    "operations_per_second": 3e11,
    "matrix_product": 8e11,
    "utilisation": 0.375,
}


def test_a_run_explains_itself_and_is_the_same_run(run_fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    plain = run_fit("plain")
    assert "speed:" not in capsys.readouterr().out
    told = run_fit("told", explain_speed=True)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("speed: ")]
    assert said == [f"speed: {line}" for line in speed.lines(told.info["speed"])]
    assert said[-1].startswith("speed: what holds it back: ")
    for name in ("log.jsonl", "model/model.safetensors"):
        assert (told.path / name).read_bytes() == (plain.path / name).read_bytes(), name
    assert "speed" not in plain.info

    found = json.loads((told.path / "run.json").read_text())["speed"]
    steps = told.info["training"]["steps"]
    counted = sum(2**power <= steps for power in range(1, 30))
    assert found["updates"] == steps - 1 - counted, "the first warms up"
    assert (found["precision"], found["attention"], found["attention_dropout"]) == ("no", "sdpa", 0.0)
    assert found["optimizer"] == "AdamW, fused"
    assert 0 <= found["padding"] < 1
    assert 0 <= found["input_wait"] < 1
    assert 0 < found["rows_per_batch"] <= 16
    assert found["operations_per_second"] == pytest.approx(found["utilisation"] * found["matrix_product"])
    parameters = sum(p.numel() for name, p in weights(told).items() if p.dim() == 2 and "embeddings" not in name)
    tokens = found["rows_per_second"] / found["rows_per_batch"] * found["tokens_per_batch"]
    # 6 for each weight and token (Kaplan et al. 2020), of which pooler and head read one token of many; attention's
    # own products come on top.
    assert 4 < found["operations_per_second"] / (parameters * tokens) < 9


def weights(run: Any) -> dict[str, torch.Tensor]:
    """The tensors of its model."""
    from safetensors.torch import load_file

    return load_file(run.path / "model" / "model.safetensors")


def test_few_updates_are_said_to_be_few(run_fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_fit("few", explain_speed=True, max_steps=3)
    assert "utilisation" not in run.info["speed"]
    assert "what holds it back: too few updates to tell" in capsys.readouterr().out


def test_nothing_counts_on_after_an_error(run_fit: Any) -> None:
    with pytest.raises(HfkitError, match="not finite"):
        run_fit("wild", explain_speed=True, learning_rate=1e30, max_grad_norm=0.0)
    with FlopCounterMode(display=False) as counter:
        torch.ones(2, 2) @ torch.ones(2, 2)
    assert counter.get_total_flops() == 16, "counted once, by one counter"


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({}, "nothing stands out"),
        ({"padding": 0.4, "strategy": "random"}, "40% of the tokens are padding: try --train_sampling_strategy"),
        ({"padding": 0.2}, "20% of the tokens are padding: try --tokens_per_batch"),
        ({"input_wait": 0.3, "padding": 0.2}, "30% of the time goes into waiting for input: try --dataloader_num"),
        ({"precision": "no", "padding": 0.2}, "fp32, where bf16 is computed in hardware"),
        ({"precision": "no", "has_bf16": False}, "nothing stands out"),
        ({"attention_dropout": 0.1}, "attention dropout leaves the fast kernel: try --attention_dropout 0"),
        ({"gradient_checkpointing": True}, "activations are computed twice"),
        ({"device": "cuda", "utilisation": 0.04}, "small batches do not fill the device"),
        ({"device": "cuda", "attention_dropout": 0.1}, "nothing stands out"),
    ],
)
def test_the_advice_is_what_costs_most(change: dict[str, Any], advice: str) -> None:
    assert speed.advice(FOUND | change).startswith(advice)


def test_the_lines_say_what_the_figures_say() -> None:
    assert speed.lines(FOUND | {"advice": "rest"}) == [
        "precision: bf16 on the cpu, which it computes in hardware",
        "attention: sdpa, by plain products where they are faster; optimizer: AdamW, fused; threads: 2",
        "batches of 16.0 rows of 3700 tokens, 1.0% of them padding, by group_by_length; 18.0 rows/s",
        "waiting for input: 0.2% of the time; 300 GFLOP/s, 38% of a large matrix product's 800 here",
        "what holds it back: rest",
    ]
    uncounted = FOUND | {"utilisation": None, "tokens_per_batch": 16.0, "advice": "rest"}
    assert speed.lines(uncounted)[2:4] == [
        "batches of 16.0 rows, by group_by_length; 18.0 rows/s",
        "waiting for input: 0.2% of the time; its operations were not counted",
    ]


def test_a_matrix_product_has_a_rate() -> None:
    assert hardware.matrix_product_rate(torch.device("cpu"), "no") > 1e8


def test_the_collector_rests_until_training_begins(run_fit: Any, tmp_path: Path) -> None:
    rested = []

    def job(config: TrainConfig) -> None:
        rested.append(not gc.isenabled())
        run_fit("collected", num_train_epochs=1)
        rested.append(not gc.isenabled())

    start(job, TrainConfig, argv=["--use_cpu", "--output_dir", str(tmp_path / "started")])
    assert rested == [True, False]
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0, "what stays frozen at the process's end is called leaked by some libraries"


def test_the_collector_is_back_after_an_error(tmp_path: Path) -> None:
    def job(config: TrainConfig) -> None:
        raise HfkitError("no")

    with pytest.raises(HfkitError, match="no"):
        start(job, TrainConfig, argv=["--use_cpu", "--output_dir", str(tmp_path / "started")])
    assert gc.isenabled()
