"""python -m benchmarks [NAME ...] [--pairs N] [--quick] [--data PATH]: run the named measurements, or all of them.

Each is a module of this folder with `main() -> bool`: it prints its figures, writes them to results/ and says whether
they are within its limit. Exit status 1 where one is not. Those of WITH_DATA take a file that is not hfkit's to give.
Without a name all the others run, which takes hours.
"""

import argparse
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path

HELPERS = {"fresh", "gpu", "material", "pairing"}
NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem not in HELPERS)

WITH_DATA = {"shakespeare": "Tiny Shakespeare's input.txt"}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False, description="Measure hfkit.")
    parser.add_argument("names", nargs="*", default=NAMES, help=f"which ones; all of them when not given: {NAMES}")
    parser.add_argument("--pairs", type=int, help="turns that count; fewer than 5 write no result")
    parser.add_argument("--quick", action="store_true", help="a trial on a handful of rows; writes no result")
    parser.add_argument("--data", type=Path, help=f"the file for {', '.join(WITH_DATA)}; without it not among all")
    options = vars(parser.parse_args())
    names = options.pop("names")
    given = {name: value for name, value in options.items() if value}
    if names == NAMES and "data" not in given:
        names = [name for name in NAMES if name not in WITH_DATA]
    for name in names:
        if name not in NAMES:
            parser.error(f"no measurement is called {name}; there are {', '.join(NAMES)}")
        if name in WITH_DATA and "data" not in given:
            parser.error(f"{name} needs --data, {WITH_DATA[name]}")
    within = []
    for name in names:  # all of them run, also after one that is not within its limit
        main = import_module(f"benchmarks.{name}").main
        within.append(main(**{key: value for key, value in given.items() if key in signature(main).parameters}))
    sys.exit(not all(within))
