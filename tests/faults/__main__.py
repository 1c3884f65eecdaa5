"""python -m tests.faults --count 1000 --seed 0: break runs in every way, and compare what they end with.

Prints a table and every failure; --json keeps it. Exit status 1 where a run could not go on, or ended differently.
"""

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Before torch is imported: no threads in a process that forks.
os.environ.update(
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
    CUDA_VISIBLE_DEVICES="",
    HF_HUB_OFFLINE="1",
)

from tqdm import tqdm

from hfkit.cli.main import main as hfkit

from .injections import Injector, Outcome, Reference, plan, summary
from .sessions import command, fingerprint, session, write_rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__, allow_abbrev=False)
    parser.add_argument("--count", type=int, default=60, help="injections (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="a file for the table and every injection")
    options = parser.parse_args()
    began = time.monotonic()
    # A disk in memory: a process that dies loses nothing that was written, so what counts is the order, not the sync.
    folder = Path(tempfile.mkdtemp(prefix="hfkit-faults-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    os.environ["HF_HOME"] = str(folder / "home")
    try:
        outcomes, reference = inject(folder, options.count, options.seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = summary(outcomes)
    failures = [outcome.to_json() for outcome in outcomes if outcome.faults]
    found = {
        "injections": len(outcomes),
        "seed": options.seed,
        "steps_on_the_disk": reference.steps,
        "failures": len(failures),
        "longest_notice_seconds": round(max(outcome.notice for outcome in outcomes), 3),
        "wall_seconds": round(time.monotonic() - began, 1),
        "kinds": table,
    }
    print(json.dumps(found, indent=2))
    for failure in failures:
        print(json.dumps(failure, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found | {"failed": failures}, indent=2) + "\n")
    return 1 if failures else 0


def warm_up(arguments: list[str]) -> None:
    """Do the job once here: what the libraries import and compile at first use takes ten times as long as the job."""
    tqdm.monitor_interval = 0  # no thread that watches bars
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        hfkit(arguments)


def inject(folder: Path, count: int, seed: int) -> tuple[list[Outcome], Reference]:
    """The reference, by a fresh process and by a fork of this one, and then the injections."""
    rows = folder / "rows.csv"
    write_rows(rows)
    fresh = [sys.executable, "-m", "hfkit.cli.main", *command(rows, folder / "fresh")]
    subprocess.run(fresh, check=True, stdout=subprocess.DEVNULL)
    warm_up(command(rows, folder / "warm"))
    forked = session(command(rows, folder / "forked"))
    expected = fingerprint(folder / "fresh")
    if fingerprint(folder / "forked") != expected:
        raise SystemExit(f"a forked run is not that of a fresh process:\n{forked.output}")
    steps = int(forked.notes[-1].split()[1])
    reference = Reference(expected, steps, forked.seconds)
    injector = Injector(folder / "place", rows, reference, random.Random(seed))
    outcomes = []
    for number, kind in enumerate(plan(count, seed), 1):
        outcomes.append(injector.inject(kind))
        mark = "failed" if outcomes[-1].faults else outcomes[-1].began
        lines = [f"{number}/{count} {kind}: {outcomes[-1].happened} -> {mark}", *outcomes[-1].faults]
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    return outcomes, reference


if __name__ == "__main__":
    sys.exit(main())
