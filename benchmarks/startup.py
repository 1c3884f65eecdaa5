"""What does it cost to start? `hfkit --help`, and `import hfkit` beside `from transformers import PreTrainedModel`.

Every measurement is a fresh Python process, whose files are in the page cache after the first pair.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.pairing import in_turns, summary, write

HELP_LIMIT, IMPORT_LIMIT = 0.5, 0.3
TRANSFORMERS = "from transformers import PreTrainedModel"
VERBS = "hfkit.load_data, hfkit.build_task, hfkit.build_model, hfkit.fit, hfkit.write_report"


def python(*arguments: str) -> Callable[[], float]:
    """A function that runs a fresh Python and returns its seconds."""

    def run() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    return run


def main() -> bool:
    """Print three comparisons; within the limits when `--help` and the import are fast enough."""
    command = str(Path(sys.executable).with_name("hfkit"))
    compared = {
        "hfkit --help / python -c pass": (python(command, "--help"), python("-c", "pass")),
        f"import hfkit / {TRANSFORMERS}": (python("-c", "import hfkit"), python("-c", TRANSFORMERS)),
        f"both, then every verb of a recipe / {TRANSFORMERS}": (
            python("-c", f"{TRANSFORMERS}; import hfkit; {VERBS}"),
            python("-c", TRANSFORMERS),
        ),
    }
    results = {name: summary(in_turns(*pair, pairs=5)) for name, pair in compared.items()}
    for name, found in results.items():
        low, high = found["difference_interval"]
        print(
            f"{name}: {found['first_seconds']:.2f} s / {found['second_seconds']:.2f} s = {found['ratio']:.2f},"
            f" {found['difference_seconds']:+.2f} s ({low:+.2f} to {high:+.2f})"
        )
    write("startup", "What does it cost to start?", results)
    start, imported, _ = results.values()
    return start["first_seconds"] <= HELP_LIMIT and imported["difference_seconds"] <= IMPORT_LIMIT
