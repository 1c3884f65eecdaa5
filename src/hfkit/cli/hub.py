"""The commands that speak to the Hub: push, pull and push-data."""

import argparse
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

OVERWRITE_HELP = "replace a README.md that was edited on the Hub (default: what people wrote there is kept)"
TRUST_HELP = "fetch Python code that the repository ships too; off unless you trust it"


def hub_commands(commands: Any) -> None:
    """Add the commands to the parser of `hfkit`."""
    push = commands.add_parser("push", allow_abbrev=False, help="publish a finished run on the Hub, verified")
    push.add_argument("run_folder", metavar="RUN", type=Path, help="a finished run")
    push.add_argument("repository", metavar="USER/NAME", help="where: your name or an organization's, and the model's")
    push.add_argument("--revision", default="main", help="the branch, made where there is none (default: %(default)s)")
    push.add_argument("--tag", help="a name for the commit, such as v1")
    push.add_argument("--merged", action="store_true", help="publish an adapter and its base as one model")
    push.add_argument(
        "--with_base",
        nargs="?",
        const=True,
        default=False,
        metavar="USER/BASE",
        help="publish the adapter's base first, where it is not on the Hub (default name: USER/NAME-base)",
    )
    publishing_flags(push)
    skip = "do not open and compare what was published"
    push.add_argument("--skip_verification", dest="verify", action="store_false", help=skip)
    push.set_defaults(run=_push)

    pull = commands.add_parser("pull", allow_abbrev=False, help="fetch a published run or model, verified")
    pull.add_argument("repository", metavar="USER/NAME", help="the repository")
    pull.add_argument("--revision", help="commit, tag or branch (default: main, and the commit is printed)")
    pull.add_argument("--output", type=Path, help="a folder to copy it to (default: it stays in the Hub's cache)")
    pull.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
    pull.set_defaults(run=_pull)


def push_data_command(commands: Any) -> None:
    """Add `hfkit push-data` to the parser of `hfkit`."""
    data = commands.add_parser("push-data", allow_abbrev=False, help="publish a data set with its card, as Parquet")
    data.add_argument("card", metavar="CARD", help="the card's name, such as imdb, or demo:imdb")
    data.add_argument("repository", metavar="USER/NAME", help="where: your name or an organization's, and the data's")
    publishing_flags(data)
    data.set_defaults(run=_push_data)


def publishing_flags(parser: argparse.ArgumentParser, what: str = "repository") -> None:
    """Add what every command that publishes takes."""
    parser.add_argument("--private", action="store_true", help=f"make a new {what} private")
    parser.add_argument("--message", help="of the commit")
    parser.add_argument("--overwrite_card", action="store_true", help=OVERWRITE_HELP)
    parser.add_argument("--dry_run", action="store_true", help="list the files and show the card; nothing is sent")


def call(function: Callable[..., Any], first: Any, options: argparse.Namespace) -> Any:
    """Call a function with `first`, and what the command line says for its other parameters."""
    return function(first, **{name: getattr(options, name) for name in [*signature(function).parameters][1:]})


def _push(options: argparse.Namespace) -> None:
    from hfkit.hub.upload.publishing import push

    call(push, options.run_folder, options)


def _push_data(options: argparse.Namespace) -> None:
    from hfkit.hub.upload.data import push_data

    call(push_data, options.card, options)


def _pull(options: argparse.Namespace) -> None:
    from hfkit.hub.fetching import pull

    print(call(pull, options.repository, options))
