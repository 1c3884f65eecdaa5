"""A progress bar that is written to a file fills it with fragments: hundreds of half lines hide what a log is read for.

Threads: transformers#28683
"""

import time

import pytest
from transformers import TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback, TrainerControl

from hfkit.base.progress import Bar

pytestmark = pytest.mark.pain("bar-in-a-log")

UPDATES = 12


def test_upstream_writes_a_fragment_each_tenth_of_a_second(capfd: pytest.CaptureFixture[str]) -> None:
    bar, state, control = ProgressCallback(), TrainerState(max_steps=UPDATES), TrainerControl()
    arguments = TrainingArguments(use_cpu=True, report_to=[])
    bar.on_train_begin(arguments, state, control)
    for state.global_step in range(1, UPDATES + 1):
        time.sleep(0.11)
        bar.on_step_end(arguments, state, control)
    bar.on_train_end(arguments, state, control)
    assert capfd.readouterr().err.count("\r") >= UPDATES


def test_hfkit_writes_none(capfd: pytest.CaptureFixture[str]) -> None:
    with Bar("train", "update", UPDATES) as bar:
        for _ in range(UPDATES):
            time.sleep(0.11)
            bar.update()
    assert capfd.readouterr().err == ""
