"""parse: a command line becomes a TrainConfig, or one line that says which flag is meant. The parser has the flags of
the task that `--task` names. Nothing here imports a library, so `--help` answers at once.
"""

import argparse
import dataclasses
import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_type_hints

from hfkit.base.errors import HfkitError
from hfkit.base.processes import first_to_tell
from hfkit.base.sanitize import line
from hfkit.config import DataArguments, TrainConfig
from hfkit.config.by_task import of_other_tasks, peek
from hfkit.config.knobs import add_flag, default_of, definitions
from hfkit.config.rules import check, check_idle
from hfkit.tasks.discover import names

Config = TypeVar("Config", bound=TrainConfig)

# What people type out of habit, from older transformers and from the Hugging Face example scripts.
HABITS = {
    "lr": "learning_rate",
    "epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "evaluation_strategy": "eval_strategy",
    "warmup_ratio": "warmup_steps",
    "model_name_or_path": "model",
    "dataset_name": "dataset",
    "train_file": "dataset",
    "max_seq_length": "max_length",
    "group_by_length": "train_sampling_strategy",
    "output": "output_dir",
    "overwrite_output_dir": "overwrite",
    "fp16": "mixed_precision",
    "bf16": "mixed_precision",
    "no_cuda": "use_cpu",
    "label_smoothing": "label_smoothing_factor",
    "scheduler": "lr_scheduler_type",
    "optimizer": "optim",
}


def parse(
    config_class: type[Config],
    demo: dict[str, Any] | None = None,
    argv: Sequence[str] | None = None,
    prog: str | None = None,
) -> Config:
    """The configuration that a command line asks for, checked.

    TrainConfig stands for the Config of the task that `--task` names; a recipe brings its own defaults. `demo` takes
    the place of the defaults under `--demo`; the user's own flags still win. `argv` are by default the flags of this
    process. Help and errors show the command as `prog`, by default the script's name. Raises HfkitError: the flags are
    well formed and cannot work together. Raises SystemExit: 2 on wrong usage, 0 after `--help`."""
    several, asked = config_class is TrainConfig, peek(argv, "task").task
    config_class = config_class.for_task(asked if isinstance(asked, str) else "")
    parser = ConfigParser(config_class, prog)
    if several:
        parser.hint = f"Each task has flags of its own: --task {', '.join(names())}."
    unknown = set(demo or {}) - {field.name for field in dataclasses.fields(config_class)}
    if unknown:
        raise HfkitError(f"DEMO sets {unknown.pop()!r}, which is no field of {config_class.__name__}")
    if demo:
        parser.epilog = "--demo sets " + ", ".join(f"{name}={value}" for name, value in demo.items())
    namespace = parser.parse_flags(argv)
    if namespace.demo and demo:
        parser.set_defaults(**demo)
        namespace = parser.parse_flags(argv)
    elif namespace.demo:
        parser.error("this job has no --demo")
    config = config_class(**vars(namespace))
    # A pinned revision belongs to the model and the data that the recipe names, not to those that replace them.
    for source, revision in (("model", "model_revision"), ("dataset", "dataset_revision")):
        pinned = getattr(config_class(), revision)
        if getattr(config, source) != getattr(config_class(), source) and getattr(config, revision) == pinned:
            setattr(config, revision, None)
    check(config)
    check_idle(config, config_class(**(demo or {} if namespace.demo else {})))
    return config


def default_output_dir(config: TrainConfig, recipe_path: str | os.PathLike[str]) -> Path:
    """runs/<recipe>, or runs/<recipe>-demo; `hfkit train` has no recipe, and its run is named <data>-<model>."""
    name = Path(recipe_path).stem
    if name == "hfkit":
        data, model = (Path(part.split(":")[-1]) for part in (config.dataset, config.model))
        parts = (data.name if data.is_dir() else data.stem, model.name)
        name = "-".join(filter(None, (re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in parts))) or "run"
    return Path("runs") / (f"{name}-demo" if config.demo else name)


class ConfigParser(argparse.ArgumentParser):
    """The parser of one configuration: no abbreviations, `none` for an unset value, and each field a flag, in the group
    of the class that first defines it. The help shows the command as `prog`, by default the script's name."""

    hint = ""

    def __init__(self, config_class: type, prog: str | None = None) -> None:
        super().__init__(
            prog=prog or ("hfkit train" if Path(sys.argv[0]).stem == "hfkit" else None),
            description=(config_class.__doc__ or "").split("\n\n")[0],
            usage="%(prog)s [--flag value ...]",
            formatter_class=_Help,
            allow_abbrev=False,
        )
        self._add_groups(config_class)
        self.of_a_task = issubclass(config_class, TrainConfig)
        if self.of_a_task:
            unset: dict[str, Any] = {"nargs": 0, "dest": argparse.SUPPRESS, "default": argparse.SUPPRESS}
            self.add_argument("--help_all", action=_HelpAll, help="show every flag, in groups, and exit", **unset)
            known = definitions(config_class).items()
            lead = sorted((entry.metadata["lead"], name) for name, entry in known if "lead" in entry.metadata)
            self.few = [self._option_string_actions[f"--{name}"] for _, name in lead]

    def _add_groups(self, config_class: Any) -> None:
        """A recipe writes `learning_rate: float = 2e-5` and no more: type and help are those of the class that first
        defines the field, the default is the recipe's."""
        defaults = {field.name: default_of(field) for field in dataclasses.fields(config_class)}
        seen: set[str] = set()
        for owner in reversed(config_class.__mro__):
            known = dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ()
            own = [field for field in known if field.name not in seen]
            seen.update(field.name for field in own)
            if own:
                hints = get_type_hints(owner)
                section = self.add_argument_group((owner.__doc__ or owner.__name__).splitlines()[0].rstrip("."))
            for field in own:
                add_flag(section, field, hints[field.name], defaults[field.name])

    def format_help(self) -> str:
        """The few flags that everybody uses, and how to see all; of other parsers all."""
        if not self.of_a_task:
            return super().format_help()
        page = self.formatter_class(prog=self.prog)
        page.add_usage(self.usage, [], [])
        page.add_text(self.description)
        page.start_section("the flags that most jobs need")
        page.add_arguments(self.few)
        page.end_section()
        # All but the two flags that help.
        others = len({action.dest for action in self._option_string_actions.values()}) - len(self.few) - 2
        page.add_text(f"--help_all shows {others} more, in groups. {self.hint}")
        page.add_text(self.epilog)
        return page.format_help()

    def format_all(self) -> str:
        """Every flag, in groups."""
        return super().format_help()

    def parse_flags(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """The flags as a namespace, `none` understood in lists and --learning-rate too; exit status 2 on a flag that is
        not known."""
        words = []
        for word in sys.argv[1:] if argv is None else argv:
            flag, equals, value = word.partition("=")
            meant = "--" + flag.removeprefix("--").replace("-", "_")
            known = flag.startswith("--") and meant in self._option_string_actions
            words.append(meant + equals + value if known else word)
        namespace, rest = self.parse_known_args(words)
        if rest:
            self.error(self._unknown(rest[0]))
        for name, value in vars(namespace).items():
            if isinstance(value, list) and [str(item).lower() for item in value] == ["none"]:
                setattr(namespace, name, [])
        return namespace

    def error(self, message: str) -> NoReturn:
        """One message, from one process, without the hundred flags that argparse would print above it."""
        if not first_to_tell():
            self.exit(2)
        every = "--help_all" if self.of_a_task else "--help"
        self.exit(2, f"{self.prog}: {line(message, 600)}\n  what to do: {self.prog} {every} lists every flag\n")

    def _unknown(self, flag: str) -> str:
        if not flag.startswith("-"):
            return f"{flag!r} stands alone; a value follows its flag, as in --learning_rate 3e-5"
        name = flag.lstrip("-").split("=")[0].replace("-", "_")
        known = [option[2:] for option in self._option_string_actions if option.startswith("--")]
        meant = HABITS.get(name, name.removeprefix("no_"))
        elsewhere = of_other_tasks(meant) if self.of_a_task and meant not in known else None
        if elsewhere:
            return elsewhere
        close = [meant] if meant in known else get_close_matches(name, known, n=3, cutoff=0.6)
        close = close or [other for other in known if name and name in other][:3]
        hint = f"; did you mean {' or '.join('--' + other for other in close)}?" if close else ""
        return f"there is no flag {flag.split('=')[0]}{hint}"


class DataParser(ConfigParser):
    """The parser of a command that reads a data set: the flags of `DataArguments`, and those that it adds."""

    def __init__(self, prog: str, usage: str, description: str) -> None:
        super().__init__(DataArguments, prog)
        self.usage, self.description = usage, description
        self._option_string_actions["--dataset"].required = True

    def parse_data(self, flags: Sequence[str]) -> dict[str, Any]:
        """The command's own flags by name, and those of the data as one `data`. Ends with status 2 on wrong usage."""
        options = vars(self.parse_flags(flags))
        data = DataArguments(**{field.name: options.pop(field.name) for field in dataclasses.fields(DataArguments)})
        return options | {"data": data}


class _HelpAll(argparse.Action):
    """The whole page, as `--help` shows the first."""

    def __call__(self, parser: Any, *_: Any) -> None:
        print(parser.format_all(), end="")
        parser.exit()


class _Help(argparse.HelpFormatter):
    """Help with the value that holds when the flag is left out, unless its text already says what that is."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        unset = action.dest == "help" or action.required or action.default == argparse.SUPPRESS
        if unset or "Default:" in text or "when not given" in text:
            return text
        empty = action.default is None or action.default == []
        return f"{text} (default: {'none' if empty else '%(default)s'})"
