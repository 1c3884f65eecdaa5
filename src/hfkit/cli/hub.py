"""The commands that speak to the Hub: push, pull and push-data."""

import argparse
from pathlib import Path
from typing import Any

OVERWRITE_HELP = "replace a README.md that was edited on the Hub (default: what people wrote there is kept)"
TRUST_HELP = "fetch Python code that the repository ships too; off unless you trust it"


def hub_commands(commands: Any) -> None:
    """Add the commands to the parser of `hfkit`."""
    push = commands.add_parser("push", allow_abbrev=False, help="publish a finished run on the Hub, verified")
    push.add_argument("run_folder", metavar="RUN", type=Path, help="a finished run")
    push.add_argument("repository", metavar="USER/NAME", help="where: your name or an organization's, and the model's")
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.add_argument("--revision", default="main", help="the branch, made where there is none (default: %(default)s)")
    push.add_argument("--tag", help="a name for the commit, such as v1")
    push.add_argument("--message", help="of the commit")
    push.add_argument("--merged", action="store_true", help="publish an adapter and its base as one model")
    push.add_argument(
        "--with_base",
        nargs="?",
        const=True,
        default=False,
        metavar="USER/BASE",
        help="publish the adapter's base first, where it is not on the Hub (default name: USER/NAME-base)",
    )
    push.add_argument("--overwrite_card", action="store_true", help=OVERWRITE_HELP)
    push.add_argument("--dry_run", action="store_true", help="list the files and show the card; nothing is sent")
    push.add_argument("--skip_verification", action="store_true", help="do not open and compare what was published")
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
    data.add_argument("--private", action="store_true", help="make a new repository private")
    data.add_argument("--message", help="of the commit")
    data.add_argument("--overwrite_card", action="store_true", help=OVERWRITE_HELP)
    data.add_argument("--dry_run", action="store_true", help="list the files and show the card; nothing is sent")
    data.set_defaults(run=_push_data)


def _push(options: argparse.Namespace) -> None:
    from hfkit.hub import push

    push(
        options.run_folder,
        options.repository,
        private=options.private,
        revision=options.revision,
        tag=options.tag,
        message=options.message,
        merged=options.merged,
        with_base=options.with_base,
        overwrite_card=options.overwrite_card,
        dry_run=options.dry_run,
        verify=not options.skip_verification,
    )


def _push_data(options: argparse.Namespace) -> None:
    from hfkit.hub import push_data

    push_data(
        options.card,
        options.repository,
        private=options.private,
        message=options.message,
        overwrite_card=options.overwrite_card,
        dry_run=options.dry_run,
    )


def _pull(options: argparse.Namespace) -> None:
    from hfkit.hub import pull

    print(pull(options.repository, options.revision, options.output, trust_remote_code=options.trust_remote_code))
