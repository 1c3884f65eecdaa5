"""The command line: one file a command or a group of them."""

from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `hfkit COMMAND ...` and end the process; see `hfkit.cli.command`."""
    from hfkit.cli.command import main

    main(argv)
