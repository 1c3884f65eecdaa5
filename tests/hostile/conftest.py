"""What the hostile cases share: the libraries are imported before a clock runs, since an import can take seconds."""

import importlib

import pytest


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    for name in (
        "hfkit.cli.main",
        "hfkit.training.job",
        "hfkit.inference",
        "hfkit.report.page",
        "hfkit.models.build",
        "peft",
    ):
        importlib.import_module(name)
