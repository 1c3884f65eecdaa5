"""Which task has which knob: asked where one is not there, and of runs from when every run held the knobs of all."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from hfkit.base.processes import is_first
from hfkit.base.sanitize import flat
from hfkit.config import TrainConfig
from hfkit.config.knobs import default_of, definitions
from hfkit.tasks.discover import specs


def of_other_tasks(name: str) -> str | None:
    """What to say of a knob that a task lacks: the tasks that have it; None where no task does."""
    owners = [spec.name for spec in specs() if name in definitions(TrainConfig.for_task(spec.name))]
    return f"--{name} belongs to --task {' and '.join(owners)}" if owners else None


def elsewhere(task: str) -> dict[str, Any]:
    """The knobs that only other tasks have, each with its default."""
    own = definitions(TrainConfig.for_task(task))
    every = [definitions(TrainConfig.for_task(spec.name)) for spec in specs()]
    return {name: default_of(entry) for each in every for name, entry in each.items() if name not in own}


def say_idle(stored: Mapping[str, Any], task: str, where: str) -> None:
    """Tell, in the first process, what a run's configuration sets and its task lacks; defaults are passed over."""
    lacking = elsewhere(task)
    told = [f"--{name} {value}" for name, value in stored.items() if name in lacking and value != lacking[name]]
    if told and is_first():
        print(flat(f"{where}: {', '.join(told)} had no effect: --task {task} has no such flag"), flush=True)


def peek(argv: Sequence[str] | None, *names: str) -> argparse.Namespace:
    """Flags that have to be known before the parser is there. One without a value is True; one not given is None."""
    few = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in names:
        few.add_argument(f"--{name}", nargs="?", const=True)
    return few.parse_known_args(argv)[0]
