"""The commands that speak to the Hub: push, pull, push-data and push-space."""

import argparse
from pathlib import Path
from typing import Any

from hfkit.cli import add_command, late
from hfkit.cli.card import HELP as CARD_HELP


def hub_commands(commands: Any) -> None:
    run = late("hfkit.hub.upload.publishing", "push")
    push = add_command(commands, "push", run, "publish a finished run on the Hub, verified")
    push.add_argument("run_folder", metavar="RUN", type=Path, help="a finished run")
    _add_publishing(push, "USER/NAME", "the model's")
    push.add_argument("--revision", default="main", help="the branch, made where there is none (default: %(default)s)")
    push.add_argument("--tag", help="a name for the commit, such as v1")
    push.add_argument("--merged", action="store_true", help="publish an adapter and its base as one model")
    base = "publish the adapter's base first, where it is not on the Hub (default name: USER/NAME-base)"
    push.add_argument("--with_base", nargs="?", const=True, default=False, metavar="USER/BASE", help=base)
    bare = "make the report without the pictures of the data that it shows"
    push.add_argument("--without_pictures", dest="pictures", action="store_false", help=bare)
    skip = "do not open and compare what was published"
    push.add_argument("--skip_verification", dest="verify", action="store_false", help=skip)

    run = late("hfkit.hub.fetching", "pull", show=True)
    pull = add_command(commands, "pull", run, "fetch a published run or model, verified")
    pull.add_argument("repository", metavar="USER/NAME", help="the repository")
    pull.add_argument("--revision", help="commit, tag or branch (default: main, and the commit is printed)")
    pull.add_argument("--output", type=Path, help="a folder to copy it to (default: it stays in the Hub's cache)")
    trust = "fetch Python code that the repository ships too; off unless you trust it"
    pull.add_argument("--trust_remote_code", action="store_true", help=trust)

    run = late("hfkit.hub.space.publishing", "push_space")
    space = add_command(commands, "push-space", run, "publish a run's app as a Space on the Hub")
    space.add_argument("run_folder", metavar="RUN", type=Path, help="a finished run")
    _add_publishing(space, "USER/SPACE", "the Space's")
    model = "a published model to open, USER/NAME@COMMIT pins it (default: the Space holds the run's own)"
    space.add_argument("--model", metavar="USER/NAME", help=model)


def data_commands(commands: Any) -> None:
    """Add card, whose flags `parse_card` reads, and push-data to the parser of `hfkit`."""
    commands.add_parser("card", help=CARD_HELP, add_help=False)
    run = late("hfkit.hub.upload.data", "push_data")
    data = add_command(commands, "push-data", run, "publish a data set with its card, as Parquet")
    data.add_argument("card", metavar="CARD", help="the card's name, such as imdb, or demo:imdb")
    _add_publishing(data, "USER/NAME", "the data's")


def _add_publishing(parser: argparse.ArgumentParser, form: str, whose: str) -> None:
    """The repository, and how it is made and written to."""
    parser.add_argument("repository", metavar=form, help=f"where: your name or an organization's, and {whose}")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.add_argument("--message", help="of the commit")
    card = "replace a README.md that was edited on the Hub (default: what people wrote there is kept)"
    parser.add_argument("--overwrite_card", action="store_true", help=card)
    parser.add_argument("--dry_run", action="store_true", help="list the files and show the card; nothing is sent")
