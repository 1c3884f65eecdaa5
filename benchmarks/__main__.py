"""python -m benchmarks [NAME ...] [--all] [--pairs N | --quick] [--data PATH]: run the named measurements.

Each is a module of this folder with `main() -> bool`: it prints its figures, writes them to results/ and says whether
they are within its limit. Exit status 1 where one is not. Without a name those of QUICK run. A flag that a named
measurement does not take is refused.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

HELPERS = {"fresh", "gpu", "material", "pairing"}
NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem not in HELPERS)

QUICK = ["engine_overhead", "lm_packing", "vision_input"]
"""One to four minutes each on 2 cores. The others train or answer in turns for 15 minutes to more than an hour."""

WITH_DATA = {"shakespeare": "Tiny Shakespeare's input.txt"}
"""These take a file that is not hfkit's to give."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False, description="Measure hfkit.")
    made.add_argument("names", nargs="*", help=f"which ones, of {', '.join(NAMES)}; none: {', '.join(QUICK)}")
    made.add_argument("--all", action="store_true", help=f"all but {', '.join(WITH_DATA)}, which takes hours")
    size = made.add_mutually_exclusive_group()
    size.add_argument("--pairs", type=int, help="turns that count; fewer than 5 write no result")
    size.add_argument("--quick", action="store_const", const=True, help="one trial on a few rows; writes no result")
    made.add_argument("--data", type=Path, help=f"the file for {', '.join(WITH_DATA)}")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 0 when all of it is within its limits, else 1.

    Raises:
        SystemExit: With 2: a name that is not known, or a flag that one of the named does not take or lacks.
    """
    line = parser()
    options = vars(line.parse_args(arguments))
    names, everything = options.pop("names"), options.pop("all")
    given = {flag: value for flag, value in options.items() if value is not None}
    if everything and names:
        line.error("--all names them all: leave the names out")
    if given.get("pairs", 1) < 1:
        line.error("--pairs has to be 1 or more")
    names = names or ([name for name in NAMES if name not in WITH_DATA] if everything else QUICK)
    measurements = [_measurement(line, name, given) for name in names]
    within = [measure(**given) for measure in measurements]  # all of them, also after one that misses its limit
    return 0 if all(within) else 1


def _measurement(line: argparse.ArgumentParser, name: str, given: dict[str, Any]) -> Any:
    """The `main` of a measurement, which takes just what is given."""
    if name not in NAMES:
        line.error(f"no measurement is called {name}; there are {', '.join(NAMES)}")
    if name in WITH_DATA and "data" not in given:
        line.error(f"{name} needs --data, {WITH_DATA[name]}")
    measure = import_module(f"benchmarks.{name}").main
    for flag in given:
        if flag not in signature(measure).parameters:
            line.error(f"{name} takes no --{flag}")
    return measure


if __name__ == "__main__":
    sys.exit(main())
