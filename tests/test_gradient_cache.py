"""Gradient cache: the gradients of the large batch, however it is cut and over however many processes it is dealt."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from processes import in_child, in_children
from torch import nn

from hfkit.training import gradient_cache
from hfkit.training.engine import Engine

ROWS, SIZE = 12, 5


class Contrast:
    """Each row is told from all others of the update by its two vectors."""

    joint = True

    def represent(self, model: nn.Module, batch: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return torch.cat([model(batch["one"]), model(batch["other"])]), {"rows": batch["rows"]}

    def joint_loss(self, parts: list[tuple[torch.Tensor, dict[str, torch.Tensor]]]) -> torch.Tensor:
        one = torch.cat([found.chunk(2)[0] for found, _ in parts])
        other = torch.cat([found.chunk(2)[1] for found, _ in parts])
        assert torch.cat([facts["rows"] for _, facts in parts]).tolist() == list(range(len(one))), "in their order"
        return nn.functional.cross_entropy(one @ other.T, torch.arange(len(one)), reduction="sum")


def gradients(sizes: list[int], dropout: float = 0.0) -> tuple[list[torch.Tensor], float, list[Any]]:
    """The engine's own gradients of an update cut into batches of these sizes, and its loss; this process's batches."""
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(SIZE, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 8))
    values = torch.randn(2, ROWS, SIZE)
    parts = [{"one": one, "other": other, "rows": rows} for one, other, rows in zip(
        *(value.split(sizes) for value in values), torch.arange(ROWS).split(sizes), strict=True)]  # fmt: skip
    processes, rank = accelerator.num_processes, accelerator.process_index
    rounds = -(-len(parts) // processes)
    places = [rank + turn * processes for turn in range(rounds)]
    share = [(parts[place] if place < len(parts) else parts[0], place < len(parts)) for place in places]
    own: Any = SimpleNamespace(
        accelerator=accelerator, task=Contrast(), model=accelerator.prepare(model), config=SimpleNamespace(seed=7),
        state=SimpleNamespace(step=3),
    )  # fmt: skip
    own.seed = lambda step, batch: Engine.seed(own, step, batch)
    loss = Engine._backward(own, share, float(ROWS))
    return [parameter.grad.clone() for parameter in model.parameters()], loss, share


def test_parts_have_the_gradients_of_the_whole() -> None:
    whole, loss, _ = gradients([ROWS])
    for sizes in ([6, 6], [1, 4, 7], [1] * ROWS):
        found, value, _ = gradients(sizes)
        assert value == pytest.approx(loss, rel=1e-6)
        for one, other in zip(whole, found, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_dropout_is_the_same_the_second_time() -> None:
    """With each batch's masks drawn from its seed, plain autograd over all batches at once has the same gradients."""
    found, value, share = gradients([5, 4, 3], dropout=0.5)
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(SIZE, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 8))
    engine: Any = SimpleNamespace(config=SimpleNamespace(seed=7), accelerator=accelerator)
    parts = []
    for place, (batch, _) in enumerate(share):
        Engine.seed(engine, 3, place)
        parts.append(Contrast().represent(model, batch))
    loss = Contrast().joint_loss(parts)
    (loss / ROWS).backward()
    assert value == pytest.approx(loss.item(), rel=1e-6)
    for parameter, other in zip(model.parameters(), found, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, other, rtol=1e-6, atol=1e-7)


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    """Of three batches the second process has one, and one that only stands in."""

    def work() -> None:
        found, loss, _ = gradients([5, 4, 3], dropout=0.5)
        told = {"gradients": [one.tolist() for one in found], "loss": loss}
        (tmp_path / f"{Accelerator(cpu=True).process_index}-{Accelerator(cpu=True).num_processes}").write_text(
            json.dumps(told)
        )

    assert in_child(work) == 0
    assert in_children(work) == [0, 0]
    one, first, second = (json.loads((tmp_path / name).read_text()) for name in ("0-1", "0-2", "1-2"))
    assert first["loss"] + second["loss"] == pytest.approx(one["loss"], rel=1e-6)
    for name in (first, second):
        for expected, found in zip(one["gradients"], name["gradients"], strict=True):
            torch.testing.assert_close(torch.tensor(expected), torch.tensor(found), rtol=1e-6, atol=1e-7)


def test_a_single_batch_is_computed_once() -> None:
    calls = []

    class Counted(Contrast):
        def represent(self, model: nn.Module, batch: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            calls.append(torch.is_grad_enabled())
            return super().represent(model, batch)

    model = nn.Linear(SIZE, 4)
    batch = {"one": torch.randn(3, SIZE), "other": torch.randn(3, SIZE), "rows": torch.arange(3)}
    engine: Any = SimpleNamespace(task=Counted(), model=model, accelerator=SimpleNamespace(num_processes=1))
    loss = gradient_cache.losses(engine, [(batch, True)])
    loss(0, batch).backward()
    assert calls == [True]
