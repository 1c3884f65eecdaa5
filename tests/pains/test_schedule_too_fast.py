"""On N processes the learning rate falls N times too fast, and the last part of training learns nothing.

A schedule given to `Accelerator.prepare` is stepped once for every process.

Threads: accelerate#2142 #2926 #1382 #1398 #2318
"""

from types import SimpleNamespace

import pytest
import torch
from accelerate.scheduler import AcceleratedScheduler
from transformers import get_linear_schedule_with_warmup

from hfkit.config import OptimArguments
from hfkit.training.optim import build_scheduler

pytestmark = pytest.mark.pain("schedule-too-fast")


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_upstream_steps_once_for_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer

    Accelerator(cpu=True)
    monkeypatch.setattr("accelerate.scheduler.AcceleratorState", lambda: SimpleNamespace(num_processes=4))
    optimizer = AcceleratedOptimizer(sgd())
    schedule = AcceleratedScheduler(get_linear_schedule_with_warmup(optimizer, 0, 100), optimizer)
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == [pytest.approx(0.96)], "four steps in one update"


def test_hfkit_steps_the_schedule_itself() -> None:
    """`fit` prepares model and optimizer alone; tests/test_launch.py compares the rates of two real processes."""
    optimizer = sgd()
    schedule = build_scheduler(optimizer, OptimArguments(learning_rate=1.0), num_training_steps=100)
    optimizer.step()
    schedule.step()
    assert not isinstance(schedule, AcceleratedScheduler)
    assert schedule.get_last_lr() == [pytest.approx(0.99)]
