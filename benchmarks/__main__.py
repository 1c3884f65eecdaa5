"""python -m benchmarks [NAME ...] [--data PATH]: run the named measurements, or all of them.

Each is a module of this folder with `main() -> bool`: it prints its figures, writes them to results/ and says whether
they are within its limit. Exit status 1 where one is not. Those of WITH_DATA take a file that is not hfkit's to give.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "pairing")

WITH_DATA = {"shakespeare": "Tiny Shakespeare's input.txt"}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False, description="Measure hfkit.")
    parser.add_argument("names", nargs="*", default=NAMES, help=f"which ones; all of them when not given: {NAMES}")
    parser.add_argument("--data", type=Path, help=f"the file for {', '.join(WITH_DATA)}; without it not among all")
    given = parser.parse_args()
    names = given.names if given.data or given.names != NAMES else [name for name in NAMES if name not in WITH_DATA]
    for name in names:
        if name not in NAMES:
            parser.error(f"no measurement is called {name}; there are {', '.join(NAMES)}")
        if name in WITH_DATA and given.data is None:
            parser.error(f"{name} needs --data, {WITH_DATA[name]}")
    modules = {name: import_module(f"benchmarks.{name}") for name in names}
    within = [module.main(*([given.data] if name in WITH_DATA else [])) for name, module in modules.items()]
    sys.exit(not all(within))  # all of them ran, also after a bad one
