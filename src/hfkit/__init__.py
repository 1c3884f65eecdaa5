"""hfkit: from a data card to a published, proven model in one readable recipe.

Names load when they are first used, so that `import hfkit` costs nothing and `hfkit --help` needs no torch. What has
to happen at once is that transformers' Auto classes learn of hfkit's models (see `hfkit.models.register`), and that a
library too old to be safe is refused (see `hfkit.base.versions`).
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base import versions
from hfkit.models.register import register_models

if TYPE_CHECKING:
    from hfkit.base.errors import HfkitError as HfkitError
    from hfkit.cli.launch import main as main
    from hfkit.cli.launch import train as train
    from hfkit.config import TrainConfig as TrainConfig
    from hfkit.config.parsing import parse as parse
    from hfkit.data.load import load_data as load_data
    from hfkit.hub.fetching import pull as pull
    from hfkit.hub.upload.publishing import push as push
    from hfkit.inference import pipeline as pipeline
    from hfkit.models.build import build_model as build_model
    from hfkit.report import compare as compare
    from hfkit.report import write_report as write_report
    from hfkit.runs.run import Run as Run
    from hfkit.tasks import build_task as build_task
    from hfkit.training.job import fit as fit

__version__ = "0.1.0"

_HOMES = {
    "HfkitError": "hfkit.base.errors",
    "Run": "hfkit.runs.run",
    "TrainConfig": "hfkit.config",
    "build_model": "hfkit.models.build",
    "build_task": "hfkit.tasks",
    "compare": "hfkit.report",
    "fit": "hfkit.training.job",
    "load_data": "hfkit.data.load",
    "main": "hfkit.cli.launch",
    "parse": "hfkit.config.parsing",
    "pipeline": "hfkit.inference",
    "pull": "hfkit.hub.fetching",
    "push": "hfkit.hub.upload.publishing",
    "train": "hfkit.cli.launch",
    "write_report": "hfkit.report",
}
_MODULES = {"metrics": "hfkit.evaluation.classification", "stats": "hfkit.evaluation.stats"}

__all__ = ["__version__", *_HOMES, *_MODULES]

versions.check()
register_models()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if (Path(__file__).parent / "tasks" / name / "config.py").is_file():
        return import_module(f"hfkit.tasks.{name}.config")  # a recipe subclasses hfkit.<task>.Config
    if name not in _HOMES:
        raise AttributeError(f"module 'hfkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
