"""The command `hfkit card`: draft a data card, or check some."""

import argparse
import sys
from pathlib import Path

HELP = "draft a data card from data (hfkit card NAME --dataset PATH), or check cards (hfkit card check FILES)"


def parse_card(flags: list[str]) -> argparse.Namespace:
    """The options of `hfkit card ...`, with what to run. Ends the process with status 2 on wrong usage."""
    if flags[:1] == ["check"]:
        checker = argparse.ArgumentParser("hfkit card check", description="Whether data cards are complete and true.")
        checker.add_argument("cards", metavar="CARD", nargs="+", type=Path, help="files such as data_cards/*.md")
        checker.add_argument("--no_data", action="store_true", help="do not load the data that a card counts")
        checker.set_defaults(run=_check)
        return checker.parse_args(flags[1:])
    from hfkit.config import DataArguments
    from hfkit.config.parsing import ConfigParser

    parser = ConfigParser(DataArguments, "hfkit card")
    parser.usage, parser.description = (
        "%(prog)s NAME --dataset PATH [--flag value ...]\n       %(prog)s check CARD ...",
        HELP,
    )
    parser.add_argument("name", metavar="NAME", help="what --dataset will take")
    parser.add_argument("--output", type=Path, help="the file (default: data_cards/NAME.md)")
    parser.add_argument("--overwrite", action="store_true", help="replace a card that is there")
    parser.require("dataset")
    options = parser.parse_flags(flags)
    data = {name: vars(options).pop(name) for name in DataArguments.__dataclass_fields__}
    return argparse.Namespace(run=_draft, data=DataArguments(**data), **vars(options))


def _draft(options: argparse.Namespace) -> None:
    from hfkit.data.cards import draft_card
    from hfkit.data.cards.draft import MARK

    path = draft_card(options.name, options.data, options.output, options.overwrite)
    places = path.read_text(encoding="utf-8").count(MARK)
    print(f"\n{path}: drafted. {places} places marked {MARK!r} wait for you; then: hfkit card check {path}")


def _check(options: argparse.Namespace) -> None:
    from hfkit.base.errors import HfkitError
    from hfkit.data.cards import check_cards

    found = check_cards(options.cards, data=not options.no_data)
    print(*found, sep="\n")
    wrong = [str(card.path) for card in found if card.faults]
    if wrong:
        sys.stdout.flush()
        raise HfkitError(f"{len(wrong)} of {len(found)} cards have something to mend: {', '.join(wrong)}")
