"""TrainConfig: the knobs of a run that every task has, under the names that transformers.TrainingArguments uses.

They stand in groups: `load_data` takes `DataArguments` alone, and a task's Config inherits those that it has a use for.
This room imports no library, so that `--help` costs nothing.
"""

from copy import copy
from dataclasses import dataclass, fields, make_dataclass
from functools import cache, partial
from inspect import get_annotations
from typing import Any, Self

from hfkit.base.errors import HfkitError
from hfkit.config.data import (
    DataArguments,
    DocumentArguments,
    FileArguments,
    ImageColumns,
    LabelColumn,
    LabelColumns,
    PairColumns,
    RowArguments,
    StreamArguments,
    TextColumns,
)
from hfkit.config.knobs import knob
from hfkit.config.tasks import (
    DecodingArguments,
    GenerationArguments,
    LabelArguments,
    TextArguments,
    TokenArguments,
    WordVectorArguments,
)
from hfkit.config.training import LoopArguments, ModelArguments, OptimArguments
from hfkit.tasks.discover import DEFAULT, find

__all__ = [
    "DataArguments", "DecodingArguments", "DocumentArguments", "FileArguments", "GenerationArguments", "ImageColumns",
    "JobArguments", "LabelArguments", "LabelColumn", "LabelColumns", "LoopArguments", "ModelArguments",
    "OptimArguments", "PairColumns",
    "RowArguments", "RunArguments", "StreamArguments", "TextArguments", "TextColumns", "TokenArguments",
    "TrainConfig", "WordVectorArguments",
]  # fmt: skip


@dataclass
class RunArguments:
    """Where the run is kept, and who is told of it."""

    output_dir: str | None = knob(
        None,
        "The run's folder. Default: runs/<recipe>, of hfkit train runs/<data>-<model>; with --demo it ends in -demo.",
        lead=9,
    )
    reuse_tokens: bool = knob(
        True, "Keep prepared splits and tokens under HF_HOME, and take them again where all they come from is the same."
    )
    overwrite: bool = knob(False, "Delete the run of another configuration that stands in output_dir.")
    report_to: list[str] = knob([], "Trackers: tensorboard, trackio, wandb.")
    disable_tqdm: bool = knob(False, "No progress bars.")
    explain_speed: bool = knob(
        False, "Say what was chosen for speed, what came of it, and what holds the run back; kept in run.json."
    )
    doctor: bool = knob(
        False, "Look at the model at updates 1 and 50, and say what is wrong; kept in doctor.json. See hfkit doctor."
    )
    push_to_hub: bool = knob(False, "Publish the finished run on the Hub, verified; see hfkit push.")
    hub_model_id: str | None = knob(None, "Where to publish: user/name (--push_to_hub).", needs="push_to_hub")
    hub_private_repo: bool = knob(False, "Make a new repository private (--push_to_hub).", needs="push_to_hub")
    hub_revision: str = knob("main", "The branch to publish on (--push_to_hub).", needs="push_to_hub")


@dataclass
class JobArguments:
    """What is done."""

    task: str = knob("", "The transformers pipeline's name of the job.", lead=3)
    demo: bool = knob(False, "Run on the embedded model and data, without a network.", lead=10)


@dataclass
class TrainConfig(RunArguments, LoopArguments, OptimArguments, ModelArguments, RowArguments, JobArguments):
    """What every task can be asked for. A task's Config adds its own knobs; a recipe is a subclass of that.

    `TrainConfig(task="...", ...)` makes an object of that task's Config, as `pathlib.Path(...)` makes a PosixPath:
    scripts of the time when one class had all knobs go on working, and a knob that the task lacks is told."""

    def __new__(cls, *_: Any, **given: Any) -> Self:
        config_class = cls.for_task(given.get("task", ""))
        for name in given.keys() - {field.name for field in fields(config_class)}:
            from hfkit.config.by_task import of_other_tasks

            what = of_other_tasks(name) or f"there is no knob {name!r}"
            raise HfkitError(what, where=f"{cls.__name__}({name}=...)", fix="drop it, or name the task that it is for")
        return super().__new__(config_class)

    @classmethod
    def for_task(cls, name: str = "") -> type[Any]:
        """The Config of a task, by its name; by default of the class's own task, else of text-classification. Of a
        recipe that subclasses TrainConfig itself: the recipe with the task's knobs. Raises HfkitError: no task has the
        name, or this is the Config of another one."""
        spec = find(name or cls.task or DEFAULT)
        if cls.task and cls.task not in spec.names:
            fix = "take a recipe of the other task, or hfkit train"
            raise HfkitError(f"{cls.__name__} is a configuration of --task {cls.task}", where=f"--task {name}", fix=fix)
        own = spec.offers("config", "Config") or TrainConfig
        if issubclass(cls, own):
            return cls
        if cls is TrainConfig and own.task in spec.names and name in spec.names and name != own.task:
            return _called(own, name)
        return own if cls is TrainConfig else _with_knobs_of(own, cls)  # type: ignore[arg-type]  # classes have a hash

    def of_task(self, name: str, **changes: Any) -> Any:
        """The Config of another task, with the values of the knobs that both have, and with `changes`."""
        other = TrainConfig.for_task(name)
        shared = {knob.name: getattr(self, knob.name) for knob in fields(other) if hasattr(self, knob.name)}
        return other(**shared | {"task": name} | changes)


@cache
def _called(own: Any, name: str) -> type[Any]:
    """The Config of a task that has several names, under another one than its main."""
    named = {"__doc__": own.__doc__, "__module__": own.__module__}
    named["__reduce__"] = lambda config: (partial(TrainConfig, **vars(config)), ())  # no module holds it for pickle
    return make_dataclass(own.__name__, [("task", str, name)], bases=(own,), namespace=named)


@cache
def _with_knobs_of(own: Any, recipe: Any) -> type[Any]:
    """A recipe of the time when it subclassed TrainConfig, beside the Config that it would subclass today."""
    told = {name for owner in recipe.__mro__ if owner not in own.__mro__ for name in get_annotations(owner)}
    rest = [(field.name, field.type, copy(field)) for field in fields(own) if field.name not in told]
    named = {"__doc__": recipe.__doc__, "__module__": recipe.__module__}
    return make_dataclass(recipe.__name__, rest, bases=(recipe, own), namespace=named)
