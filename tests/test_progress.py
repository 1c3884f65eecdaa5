"""The bar: lines in a file, a bar on a terminal, and a time left that goes by the work."""

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from hfkit.base.progress import Bar, about


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    time = SimpleNamespace(now=100.0)
    monkeypatch.setattr("hfkit.base.progress.time", SimpleNamespace(monotonic=lambda: time.now))
    return time


def test_in_a_file_a_line_each_30_s_says_how_far_it_is(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("train", "update", 784) as bar:
        for _ in range(784):
            clock.now += 0.5
            bar.note = "loss 0.250"
            bar.update()
    said = capsys.readouterr().err
    first, *lines = said.splitlines()
    assert first == "train: about 6 minutes to go"
    assert lines[0].startswith("train: 69 of 784 updates, loss 0.250, about 6 minutes left")
    assert len(lines) == 784 * 0.5 // 30.5 and "\r" not in said and "|" not in said


def test_on_a_terminal_it_stays_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Bar("validate", "row", 4, leave=False) as bar:
        bar.update()
        bar.bar.refresh()
    assert "validate:  25%|" in screen.getvalue() and "\r" in screen.getvalue()


def test_hidden_it_says_nothing_and_a_short_job_no_time(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for hidden, seconds in ((True, 60.0), (False, 1.0)):
        with Bar("predict", "row", 20, hidden=hidden) as bar:
            for _ in range(20):
                clock.now += seconds
                bar.update()
    assert capsys.readouterr().err == ""


def test_the_first_step_and_other_work_are_not_timed(clock: Any) -> None:
    bar = Bar("evaluate", "row", 30, planned=1000, hidden=True)
    clock.now += 99.0
    bar.update(10, 500)
    assert bar.left() is None
    clock.now += 10.0
    bar.update(10, 100)
    with bar.paused():
        clock.now += 500.0
    assert bar.left() == pytest.approx(40.0), "400 of work at 10 a second"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(4, "about 10 seconds"), (77, "about 80 seconds"), (350, "about 6 minutes"), (9e3, "about 2.5 hours")],
)
def test_about_claims_no_more_than_is_known(seconds: float, told: str) -> None:
    assert about(seconds) == told
