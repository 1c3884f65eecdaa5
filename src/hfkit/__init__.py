"""hfkit: from a data card to a published, proven model in one readable recipe.

Names load when they are first used, so that `import hfkit` costs nothing and `hfkit --help` needs no torch. What has
to happen at once is that transformers' Auto classes learn of hfkit's models (see `hfkit._register`), and that a
library too old to be safe is refused (see `hfkit.floors`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hfkit import floors
from hfkit._register import register_models

if TYPE_CHECKING:
    from hfkit.config import TrainConfig as TrainConfig
    from hfkit.config.parsing import parse as parse
    from hfkit.data import load_data as load_data
    from hfkit.errors import HfkitError as HfkitError
    from hfkit.hub import pull as pull
    from hfkit.hub import push as push
    from hfkit.inference import pipeline as pipeline
    from hfkit.job import fit as fit
    from hfkit.launch import main as main
    from hfkit.models import build_model as build_model
    from hfkit.report import compare as compare
    from hfkit.report import write_report as write_report
    from hfkit.run import Run as Run
    from hfkit.tasks import build_task as build_task

__version__ = "0.1.0"

_HOMES = {
    "HfkitError": "hfkit.errors",
    "Run": "hfkit.run",
    "TrainConfig": "hfkit.config",
    "build_model": "hfkit.models",
    "build_task": "hfkit.tasks",
    "compare": "hfkit.report",
    "fit": "hfkit.job",
    "load_data": "hfkit.data",
    "main": "hfkit.launch",
    "parse": "hfkit.config.parsing",
    "pipeline": "hfkit.inference",
    "pull": "hfkit.hub",
    "push": "hfkit.hub",
    "write_report": "hfkit.report",
}
_MODULES = {"metrics", "stats"}

__all__ = ["__version__", *_HOMES, *_MODULES]

floors.check()
register_models()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"hfkit.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'hfkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
