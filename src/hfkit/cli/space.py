"""The commands that show a run in the browser: demo and push-space."""

import argparse
from pathlib import Path
from typing import Any

from hfkit.cli.hub import call, publishing_flags


def demo_command(commands: Any) -> None:
    """Add `hfkit demo` to the parser of `hfkit`."""
    demo = commands.add_parser("demo", allow_abbrev=False, help="try a run in the browser, on this machine alone")
    demo.add_argument("run_folder", metavar="RUN", help="a run, a model folder or a Hub id")
    demo.add_argument("--port", type=int, default=7860, help="the first port to try (default: %(default)s)")
    demo.add_argument("--open", action="store_true", help="open the browser too")
    demo.set_defaults(run=_demo)


def push_space_command(commands: Any) -> None:
    """Add `hfkit push-space` to the parser of `hfkit`."""
    space = commands.add_parser("push-space", allow_abbrev=False, help="publish a run's app as a Space on the Hub")
    space.add_argument("run_folder", metavar="RUN", type=Path, help="a finished run")
    space.add_argument(
        "repository", metavar="USER/SPACE", help="where: your name or an organization's, and the Space's"
    )
    space.add_argument("--model", metavar="USER/NAME", help="a published model to open, USER/NAME@COMMIT pins it"
                       " (default: the Space holds the run's own)")  # fmt: skip
    publishing_flags(space, "Space")
    space.set_defaults(run=_push_space)


def _demo(options: argparse.Namespace) -> None:
    from hfkit.hub.space.app import demo

    demo(options.run_folder, options.port, options.open)


def _push_space(options: argparse.Namespace) -> None:
    from hfkit.hub.space.publishing import push_space

    call(push_space, options.run_folder, options)
