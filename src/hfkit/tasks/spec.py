"""TaskSpec: what is known of a task without loading it, and where its own files are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pkgutil import resolve_name
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.evaluation.metric import Metric

from hfkit.base.errors import HfkitError, nearest

BRIEF: Mapping[str, Any] = {
    "warmup_steps": 0.1, "lr_scheduler_type": "cosine",
    "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False,
}  # fmt: skip
"""What a demo changes that is learnt in one go, without a look at the validation split."""


@dataclass(frozen=True)
class TaskSpec:
    """A task, as plain data: importing the package that holds it loads neither torch nor transformers."""

    names: tuple[str, ...]  # the transformers pipeline's names of the job; the first is the main one
    task: str  # the class in its task.py
    auto_model: str  # the transformers Auto class that builds a model for the job
    heads: tuple[str, ...]  # what names of saved model classes end with: `ForCausalLM`
    reads: tuple[str, ...]  # columns that a data set may have for it; one of them is enough
    peft: str = ""  # PEFT's name of the job, which an adapter keeps; empty where PEFT's plain class serves
    marks: tuple[str, ...] = ()  # keys of a config.json that no other task's models have
    files: tuple[str, ...] = ()  # files beside a config.json that no other task's models have
    unread: tuple[str, ...] = ()  # what names of parameters begin with that its models may have and nothing reads
    labelled: bool = True  # the model's outputs are labels, which its config names
    inputs: str = "texts"  # what it looks at, in the words of a page: texts, images
    in_words: bool = True  # whether that is in a language, which a card then names
    keepsakes: tuple[str, ...] = ()  # files that a run keeps for its report, hashed as the others are
    # Of `baseline:<name>` where its config's class lives, and the fields that make it that one
    baselines: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    demo: Mapping[str, Any] = field(default_factory=dict)  # what `hfkit train --demo` changes
    package: str = ""  # the folder with its files, which `discover` fills in

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def task_class(self) -> Any:
        return getattr(self.room("task"), self.task)

    def baseline(self, model: str) -> tuple[str, Mapping[str, Any]]:
        """What `baselines` has of `baseline:<name>`; an HfkitError where the task has none of that name."""
        name = model.removeprefix("baseline:")
        if name not in self.baselines:
            fix = nearest(name, self.baselines) if self.baselines else None
            raise HfkitError(f"there is no baseline {name!r} for {self.name}", where="--model", fix=fix)
        return self.baselines[name]

    def baseline_config(self, model: str) -> tuple[Any, dict[str, Any]]:
        """The class of a baseline's config, and its fields."""
        place, fields = self.baseline(model)
        return resolve_name(place), dict(fields)

    def offers(self, file: str, name: str) -> Any:
        """What one of the task's files calls `name`; None where it leaves that, or the whole file, to the default."""
        there = find_spec(f"{self.package}.{file}") is not None
        return getattr(self.room(file), name, None) if there else None

    def metrics(self, settings: Mapping[str, Any]) -> "tuple[Metric, ...]":
        """What its answers are judged by, the primary metric first: METRICS of metrics.py, or its metrics_of(settings)
        where that depends on the settings of the task."""
        metrics_of = self.offers("metrics", "metrics_of")
        return metrics_of(settings) if metrics_of else self.room("metrics").METRICS

    def room(self, file: str) -> ModuleType:
        """One of the task's files: task, models, metrics, baselines, report, inference, app, ..."""
        return import_module(f"{self.package}.{file}")
