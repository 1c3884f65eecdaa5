"""What does it cost to start? `hfkit --help`, `import hfkit`, and a recipe that was run before, until it trains.

Every measurement is a fresh Python process, whose files are in the page cache after the first pair. Beside the recipe
runs the tutorials' Trainer on as many of the same reviews, whose tokenized texts `datasets` has cached: ours is timed
from the process's start to the end of its first update, Trainer to the end of a process that makes one. PEFT imports
bitsandbytes where it is installed, which costs both a second: the versions in the result say whether it was.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import fresh, material
from benchmarks.pairing import FEWEST, in_turns, summary, write

HELP_LIMIT, IMPORT_LIMIT, TRAINS_LIMIT = 0.5, 0.3, 5.0
TRANSFORMERS = "from transformers import PreTrainedModel"
VERBS = "hfkit.load_data, hfkit.build_task, hfkit.build_model, hfkit.fit, hfkit.write_report"
RECIPE = Path(__file__).parents[1] / "recipes" / "bert_imdb.py"


def python(*arguments: str) -> Callable[[], float]:
    """A function that runs a fresh Python and returns its seconds."""

    def run() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    return run


def recipe() -> Callable[[], float]:
    """A function that starts the recipe's demo, and returns the seconds until its first update is written down."""
    run = fresh.WORK / "runs" / "startup"
    knobs = ["--demo", "--use_cpu", "--overwrite", "--logging_steps", "1", "--save_strategy", "no"]
    command = [sys.executable, str(RECIPE), *knobs, "--output_dir", str(run)]

    def first_update() -> float:
        (run / "timing.jsonl").unlink(missing_ok=True)
        began = time.perf_counter()
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=fresh.surroundings({}), **quiet)
        try:
            while not (run / "timing.jsonl").is_file():
                if process.poll() is not None:
                    raise RuntimeError(f"{RECIPE} ended with {process.returncode} before its first update")
                time.sleep(0.01)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()

    return first_update


def trainer() -> Callable[[], float]:
    """A function that runs the tutorials' Trainer for one update."""
    flags = {
        "data": material.reviews(2300, 500),
        "model": material.bert(),
        "max_length": 256,
        "seed": 0,
        "max_steps": 1,
    }
    flags |= {"output_dir": fresh.WORK / "runs" / "startup-trainer"}
    side = fresh.Side("Trainer", ["-m", "benchmarks.rivals.trainer_tutorial", *material.spelt(flags)])
    return lambda: float(side.run(0)["process_seconds"])


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print four comparisons; within the limits when `--help`, the import and the second run are fast enough."""
    command = str(Path(sys.executable).with_name("hfkit"))
    fresh.WORK.mkdir(exist_ok=True)
    compared = {
        "hfkit --help / python -c pass": (python(command, "--help"), python("-c", "pass")),
        f"import hfkit / {TRANSFORMERS}": (python("-c", "import hfkit"), python("-c", TRANSFORMERS)),
        f"both, then every verb of a recipe / {TRANSFORMERS}": (
            python("-c", f"{TRANSFORMERS}; import hfkit; {VERBS}"),
            python("-c", TRANSFORMERS),
        ),
        "a recipe's first update, run again / Trainer's": (recipe(), trainer()),
    }
    results = {}
    few = quick or pairs < FEWEST
    for name, (first, second) in compared.items():
        measured = (
            [(first(), second()) for _ in range(1 if quick else pairs)] if few else in_turns(first, second, pairs)
        )
        results[name] = found = summary(measured)
        low, high = found["difference_interval"]
        print(
            f"{name}: {found['first_seconds']:.2f} s / {found['second_seconds']:.2f} s = {found['ratio']:.2f},"
            f" {found['difference_seconds']:+.2f} s ({low:+.2f} to {high:+.2f})",
            flush=True,
        )
    if not few:
        write("startup", "What does it cost to start?", results)
    start, imported, _, again = results.values()
    fast = start["first_seconds"] <= HELP_LIMIT and imported["difference_seconds"] <= IMPORT_LIMIT
    return bool(fast and again["first_seconds"] <= TRAINS_LIMIT)
