"""Half precision ends in NaN that nobody is told of, or in "Attempting to unscale FP16 gradients".

Threads: pytorch#40497 transformers#25021 #23165
"""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoModel, AutoTokenizer
from upstream import trainer

from hfkit import TrainConfig, build_model, build_task
from hfkit.base.errors import HfkitError
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("fp16-nan")

FAR_TOO_LARGE = 1e30


def test_upstream_cannot_unscale_half_weights() -> None:
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float16))
    weight.grad = torch.ones(1, dtype=torch.float16)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(1))  # makes its scale
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.unscale_(torch.optim.SGD([weight], lr=0.1))


def test_upstream_trains_on_nan_to_the_end(tiny_bert: Path, few: Dataset, tmp_path: Path) -> None:
    """The log shows numbers throughout: a NaN is left out of the mean by default."""
    run = trainer(tmp_path, tiny_bert, few, learning_rate=FAR_TOO_LARGE, num_train_epochs=2)
    run.train()
    assert run.state.global_step == 6
    assert all(math.isfinite(line["loss"]) for line in run.state.log_history if "loss" in line)
    assert not all(weight.isfinite().all() for weight in run.model.parameters())


def test_hfkit_learns_in_full_precision_whatever_the_file_holds(
    tiny_bert: Path, splits: DatasetDict, tmp_path: Path
) -> None:
    AutoModel.from_pretrained(tiny_bert, dtype=torch.float16).save_pretrained(tmp_path / "half")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "half")
    config = TrainConfig(model=str(tmp_path / "half"), max_length=24)
    model, _ = build_model(config, build_task(config, splits), splits)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_hfkit_stops_at_the_first_bad_number(run_fit: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match=r"not finite at update \d+: it came from"):
        run_fit(learning_rate=FAR_TOO_LARGE)
    assert not (tmp_path / "run" / "model").exists()
