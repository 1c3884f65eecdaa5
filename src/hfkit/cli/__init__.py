"""The command line: one file a command or a group of them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `hfkit COMMAND ...` and end the process; see `hfkit.cli.command`."""
    from hfkit.cli.command import main

    main(argv)


def late(module: str, function: str) -> Callable[..., None]:
    """What calls a function with a command's flags, positional ones first; its module is imported only then."""

    def run(**options: Any) -> None:
        first = [options.pop(name) for name in ("run_folder", "card", "repository") if name in options]
        getattr(import_module(module), function)(*first, **options)

    return run
