"""The command `hfkit`: train, evaluate, predict, generate, chat, merge, report, compare, card, push and others. Each is
one call of a Python function; only what runs is imported, so `hfkit --help` needs neither torch nor transformers."""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from hfkit import __version__
from hfkit.base.processes import forget_launch
from hfkit.base.sanitize import line
from hfkit.cli.card import parse_card
from hfkit.cli.doctor import parse_doctor
from hfkit.cli.hub import data_commands, hub_commands
from hfkit.cli.judge import judge_commands, parse_evaluate
from hfkit.cli.labels import parse_labels
from hfkit.cli.prove import parse_prove
from hfkit.cli.use import train_commands, use_commands

EXAMPLES = """hfkit train: --dataset is missing: what is there to learn from? For example:
  hfkit train --dataset reviews.csv --model distilbert/distilbert-base-uncased
  hfkit train --dataset photos/ --task image-classification --model timm/resnet50.a1_in1k
  hfkit train --demo        (the embedded model and data, without a network)
  what to do: name a file, a folder, a data card or a Hub id; hfkit train --help shows the flags"""


GROUPS = {
    "data": data_commands,
    "train": train_commands,
    "judge": judge_commands,
    "use": use_commands,
    "publish": hub_commands,
}
"""The commands, as the help shows them."""

APART = {"card": parse_card, "doctor": parse_doctor, "labels": parse_labels, "prove": parse_prove}
APART |= {"evaluate": parse_evaluate}
"""The commands whose many flags, those of a data set, have a parser of their own."""

NEED_RUNS = ("evaluate", "calibrate", "labels", "report", "compare", "verify", "push", "push-space")
"""Commands about runs. The others that name one take any model."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `hfkit COMMAND ...` and end the process. Exit status: see `hfkit.cli.launch.main`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["train"]:
        _train(arguments[1:])
    if arguments[:1] != ["evaluate"]:
        forget_launch()
    if arguments[:1] and arguments[0] in APART:
        parsed = APART[arguments[0]](arguments[1:])
    else:
        parser = _parser()
        known = [command.dest for commands in parser.groups.values() for command in commands]
        if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
            close = get_close_matches(arguments[0], known, n=2)
            hint = f"did you mean {' or '.join(close)}?" if close else "hfkit --help lists them"
            parser.exit(2, f"hfkit: there is no command {line(arguments[0], 80)}; {hint}\n")
        parsed = parser.parse_args(arguments)
    options = vars(parsed)
    run = options.pop("run")
    from hfkit.cli.launch import exit_cleanly

    def command() -> None:
        _look_for(arguments[0], options)
        run(**options)

    sys.exit(exit_cleanly(command))


def _look_for(command: str, options: dict[str, Any]) -> None:
    """Find the runs and models that a command names before anything heavy is imported: a wrong one is told at once."""
    from hfkit.data.sources import embedded
    from hfkit.models.names import locate
    from hfkit.runs.run import Run

    named = options.get("run_folders", [options["run_folder"]] if "run_folder" in options else [])
    for name in map(str, named):
        if name.startswith("demo:"):
            embedded.check_name(name.removeprefix("demo:"))
            continue
        published = command in ("evaluate", "compare") and name.count("/") == 1 and not name.startswith("runs/")
        here = Path(name).exists() or (command in NEED_RUNS and not published)
        if here and (command in NEED_RUNS or (Path(name) / "run.json").is_file()):
            run = Run(name)
            if command != "verify":
                run.check_finished()
        else:
            locate(name, options.get("revision"), options.get("trust_remote_code", False))


def _train(flags: list[str]) -> NoReturn:
    from hfkit.config.by_task import peek

    given = peek(flags, "dataset", "demo")
    if not (given.dataset or given.demo or {"-h", "--help", "--help_all"} & set(flags)):
        print(EXAMPLES, file=sys.stderr)
        sys.exit(2)
    from hfkit.cli.launch import main as launch
    from hfkit.cli.launch import train
    from hfkit.config import TrainConfig

    launch(train, TrainConfig, demo_of(flags), argv=flags, recipe="hfkit")


def demo_of(flags: list[str]) -> dict[str, Any]:
    """What `--demo` changes for the task that `flags` name. Another task is refused later, by those who know them."""
    from hfkit.config.by_task import peek
    from hfkit.tasks import discover

    task = peek(flags, "task").task
    return dict(discover.find(task if task in discover.names() else discover.DEFAULT).demo)


def _parser() -> "_Parser":
    parser = _Parser(prog="hfkit", description="From a data card to a published, proven model.")
    parser.add_argument("--version", action="version", version=f"hfkit {__version__}")
    one_of_them: Any = partial(argparse.ArgumentParser, allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=one_of_them)
    for title, add in GROUPS.items():
        known = len(commands.choices)
        add(commands)
        parser.groups[title] = list(commands._get_subactions())[known:]
    return parser


class _Parser(argparse.ArgumentParser):
    """The parser of `hfkit`, whose help shows the commands in groups."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.groups: dict[str, list[argparse.Action]] = {}

    def format_help(self) -> str:
        page = self._get_formatter()
        page.add_usage(None, self._actions, [])
        page.add_text(self.description)
        for title, commands in self.groups.items():
            page.start_section(title)
            page.add_arguments(commands)
            page.end_section()
        page.add_text("hfkit COMMAND --help shows a command's flags; hfkit --version the version.")
        return page.format_help()
