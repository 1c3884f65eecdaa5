"""The command line: one file a command or a group of them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `hfkit COMMAND ...` and end the process; see `hfkit.cli.command`."""
    from hfkit.cli.command import main

    main(argv)


def add_command(commands: Any, name: str, run: Callable[..., None], help: str) -> Any:
    """The parser of a command, which calls `run` with its flags by name."""
    parser = commands.add_parser(name, help=help)
    parser.set_defaults(run=run)
    return parser


def late(module: str, function: str, show: bool = False) -> Callable[..., None]:
    """What calls a function with a command's flags, positional ones first, and shows what it gives; its module is
    imported only then."""

    def run(**options: Any) -> None:
        first = [options.pop(name) for name in ("run_folder", "card", "repository") if name in options]
        found = getattr(import_module(module), function)(*first, **options)
        if show:
            print(found)

    return run
