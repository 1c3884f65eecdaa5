"""The command `hfkit card`: draft a data card, or check some."""

import argparse
import sys
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError

HELP = "draft a data card from data (hfkit card NAME --dataset PATH), or check cards (hfkit card check FILES)"


def parse_card(flags: list[str]) -> argparse.Namespace:
    """The options of `hfkit card ...`, with what to run. Ends the process with status 2 on wrong usage."""
    if flags[:1] == ["check"]:
        checker = argparse.ArgumentParser("hfkit card check", description="Whether data cards are complete and true.")
        checker.add_argument("cards", metavar="CARD", nargs="+", type=Path, help="files such as data_cards/*.md")
        unread = "do not load the data that a card counts"
        checker.add_argument("--no_data", action="store_false", dest="data", help=unread)
        checker.set_defaults(run=_check)
        return checker.parse_args(flags[1:])
    from hfkit.config.parsing import DataParser

    usage = "%(prog)s NAME --dataset PATH [--flag value ...]\n       %(prog)s check CARD ..."
    parser = DataParser("hfkit card", usage, HELP)
    parser.add_argument("name", metavar="NAME", help="what --dataset will take")
    parser.add_argument("--output", type=Path, help="the file (default: data_cards/NAME.md)")
    parser.add_argument("--overwrite", action="store_true", help="replace a card that is there")
    return argparse.Namespace(run=_draft, **parser.parse_data(flags))


def _draft(**options: Any) -> None:
    from hfkit.data.cards.draft import MARK, draft_card

    path = draft_card(**options)
    places = path.read_text(encoding="utf-8").count(MARK)
    print(f"\n{path}: drafted. {places} places marked {MARK!r} wait for you; then: hfkit card check {path}")


def _check(cards: list[Path], data: bool) -> None:
    from hfkit.data.cards.check import check_cards

    found = check_cards(cards, data)
    print(*found, sep="\n")
    wrong = [str(card.path) for card in found if card.faults]
    if wrong:
        sys.stdout.flush()
        raise HfkitError(f"{len(wrong)} of {len(found)} cards have something to mend: {', '.join(wrong)}")
