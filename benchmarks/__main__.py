"""python -m benchmarks [NAME ...]: run the named measurements, or all of them.

Each is a module of this folder with `main() -> bool`: it prints its figures, writes them to results/ and says whether
they are within its limit. Exit status 1 where one is not.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "pairing")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False, description="Measure hfkit.")
    parser.add_argument("names", nargs="*", default=NAMES, help=f"which ones; all of them when not given: {NAMES}")
    names = parser.parse_args().names
    for name in names:
        if name not in NAMES:
            parser.error(f"no measurement is called {name}; there are {', '.join(NAMES)}")
    within = [import_module(f"benchmarks.{name}").main() for name in names]  # all of them run, also after a bad one
    sys.exit(not all(within))
