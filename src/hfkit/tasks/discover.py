"""Finding a task: by its name, by what a saved model says of itself, or by the class that it was saved as.

Each folder beside this file is a task; a package of somebody else's names its own by an entry point of `hfkit.tasks`.
"""

from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError, nearest
from hfkit.base.untrusted import read_json_file
from hfkit.tasks.spec import TaskSpec

GROUP = "hfkit.tasks"

DEFAULT = "text-classification"  # the job where nobody names one


def find(name: str) -> TaskSpec:
    """The task of a pipeline's name; an HfkitError, with the nearest ones, where no task has it."""
    for known in (_own, _others):
        for spec in known():
            if name in spec.names:
                return spec
    raise HfkitError(f"No task is called {name!r}.", where="--task", fix=nearest(name, names()))


def names() -> list[str]:
    """The name of every task, in the order of their folders."""
    return [name for spec in specs() for name in spec.names]


def of_config(config: Any) -> TaskSpec | None:
    """The task that a model's config says it was trained for, else the one whose head the model was saved with.
    `config` is one of transformers, or config.json as a dict."""
    known = config if isinstance(config, dict) else config.to_dict()
    kept, built_as = known.get("hfkit"), known.get("architectures")
    if isinstance(kept, dict) and kept.get("task") in names():
        return find(kept["task"])
    if marked := [spec for spec in specs() if set(spec.marks) & set(known)]:
        return marked[0]
    return of_class(str(built_as[0])) if isinstance(built_as, list) and built_as else None


def of_model(model: Any) -> TaskSpec | None:
    """The task of a model that is loaded: what its config says, else its class; an adapter's, of what it stands on."""
    base = getattr(model, "get_base_model", lambda: model)()
    config = getattr(base, "config", None)
    kept = getattr(config, "hfkit", None)
    if isinstance(kept, dict) and kept.get("task") in names():
        return find(kept["task"])
    return of_class(type(base).__name__) or (of_config(config) if config is not None else None)


def of_folder(folder: Path) -> TaskSpec | None:
    """The task of a saved model or adapter; None where its files do not say, as those of a bare backbone."""
    if (folder / "adapter_config.json").is_file():
        known = read_json_file(folder / "adapter_config.json")
        kind = known.get("task_type") if isinstance(known, dict) else None  # PEFT's name of the task
        if kind and (found := next((spec for spec in specs() if spec.peft == kind), None)):
            return found
    if not (folder / "config.json").is_file():
        return None
    known = read_json_file(folder / "config.json")
    found = of_config(known) if isinstance(known, dict) else None
    beside = (spec for spec in specs() if any((folder / name).is_file() for name in spec.files))
    return found or next(beside, None)


def of_class(name: str) -> TaskSpec | None:
    """The task of a model class, by the end of its name."""
    return next((spec for spec in specs() if name.endswith(spec.heads)), None)


def specs() -> tuple[TaskSpec, ...]:
    """Every task: hfkit's own, then those that other packages bring."""
    return (*_own(), *_others())


@cache
def _own() -> tuple[TaskSpec, ...]:
    folders = sorted(entry.parent.name for entry in Path(__file__).parent.glob("*/__init__.py"))
    return tuple(_spec(f"{__package__}.{name}") for name in folders)


@cache
def _others() -> tuple[TaskSpec, ...]:
    from importlib.metadata import entry_points  # slow, and of no use to who asks for a task of hfkit's own

    return tuple(_spec(entry.value) for entry in entry_points(group=GROUP))


def _spec(package: str) -> TaskSpec:
    return replace(import_module(package).SPEC, package=package)
