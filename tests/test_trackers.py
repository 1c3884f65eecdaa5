"""Tracker names are checked before training, not after it."""

import sys

import pytest

from hfkit.base.errors import HfkitError
from hfkit.config.trackers import TRACKERS, tracker_names


def test_names_come_once_and_none_means_none():
    assert tracker_names(["tensorboard", "none", "tensorboard"]) == ["tensorboard"]
    assert tracker_names([]) == []


def test_an_unknown_name_answers_with_the_nearest():
    with pytest.raises(HfkitError, match="did you mean tensorboard"):
        tracker_names(["tensorbord"])


def test_a_missing_package_answers_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(TRACKERS, "wandb", "a_module_that_nobody_has")
    with pytest.raises(HfkitError, match=r"pip install 'hfkit\[wandb\]'"):
        tracker_names(["wandb"])


def test_checking_imports_no_tracker():
    sys.modules.pop("tensorboard", None)
    tracker_names(["tensorboard"])
    assert "tensorboard" not in sys.modules
