"""With fp16 and a fused optimizer the schedule runs on over steps that the loss scaler has skipped.

Threads: accelerate#4242
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer

from hfkit.runs.run import Run
from hfkit.training import engine
from hfkit.training.engine import Engine
from hfkit.training.optim import make_step

pytestmark = pytest.mark.pain("fp16-schedule")


def scaled(fused: bool) -> tuple[torch.nn.Parameter, AcceleratedOptimizer, torch.amp.GradScaler]:
    """An optimizer before a step whose gradient overflows."""
    Accelerator(cpu=True)
    weight, scaler = torch.nn.Parameter(torch.ones(3)), torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(1))  # makes its scale
    weight.grad = torch.full((3,), torch.inf)
    return weight, AcceleratedOptimizer(torch.optim.AdamW([weight], lr=0.1, fused=fused), scaler=scaler), scaler


def test_upstream_does_not_know_that_the_step_was_skipped() -> None:
    weight, optimizer, _ = scaled(fused=True)
    optimizer.step()
    assert torch.equal(weight.detach(), torch.ones(3))
    assert not optimizer.step_was_skipped


@pytest.mark.parametrize("fused", [True, False])
def test_hfkit_goes_by_the_scale(fused: bool) -> None:
    weight, optimizer, scaler = scaled(fused)
    assert not make_step(optimizer, scaler)
    assert torch.equal(weight.detach(), torch.ones(3))
    weight.grad = torch.ones(3)
    assert make_step(optimizer, scaler)
    assert not torch.equal(weight.detach(), torch.ones(3))
    weight.grad = torch.ones(3)
    assert make_step(torch.optim.SGD([weight], lr=0.1))


def test_hfkit_waits_with_the_schedule(run_fit: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the second of four updates had been skipped."""
    count, rates = Engine._count, list[float]()

    def counted(self: Engine, *arguments: Any) -> None:
        rates.append(self.scheduler.get_last_lr()[0])
        count(self, *arguments)

    monkeypatch.setattr(engine, "make_step", lambda optimizer, scaler: len(rates) != 1)
    monkeypatch.setattr(Engine, "_count", counted)
    run_fit(max_steps=4, learning_rate=4e-3, eval_strategy="no", save_strategy="no")
    assert rates == pytest.approx([3e-3, 3e-3, 2e-3, 1e-3])
