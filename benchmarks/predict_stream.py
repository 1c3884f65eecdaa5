"""How fast is a long file of short texts read, and in how much memory? hfkit beside `pipeline(KeyDataset(...))`.

Each is timed for two minutes on the same file, and 1,000 rows are what the figures are of. Then `hfkit predict` reads
the file to its end, while its memory is looked at twice a second: what it holds at the end must not be more than 5 %
above what it held after a tenth of the time.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import fresh, material
from benchmarks.pairing import report, summary
from benchmarks.predict_text import CHANGED, changed

NAME, LIMIT, GROWTH = "predict_stream", 2.5, 0.05
SECONDS, ROWS = 120, 100_000


def resident(process: int) -> float:
    """MiB of memory that a process holds now; 0 where that cannot be seen."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def memory(run: Path, file: Path) -> dict[str, Any]:
    """`hfkit predict` to the file's end: MiB after a tenth of the time, and the most after that."""
    output = fresh.WORK / "answers.csv"
    flags = ["predict", str(run), "--input", str(file), "--output", str(output), "--disable_tqdm"]
    process = subprocess.Popen([sys.executable, "-m", "hfkit.cli.main", *flags], env=fresh.surroundings({}))
    seen = []
    while process.poll() is None:
        seen.append(resident(process.pid))
        time.sleep(0.5)
    if process.returncode:
        raise RuntimeError(f"hfkit predict ended with {process.returncode}")
    with output.open(encoding="utf-8") as answers:
        rows = sum(1 for _ in answers) - 1
    early = max(seen[: len(seen) // 10 + 1])
    most = max(seen[len(seen) // 10 :])
    return {"rows": rows, "early_mib": early, "most_mib": most, "growth": most / early - 1}


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print the ratio and the growth; within the limit when both are."""
    run = material.trained_run(quick)
    file = material.many_texts(600 if quick else ROWS)
    flags = material.spelt({"model": run / "model", "data": file, "for_seconds": 2 if quick else SECONDS})
    sides = [
        fresh.Side("pipeline(KeyDataset)", ["-m", "benchmarks.rivals.pipeline_stream", *flags]),
        fresh.Side("hfkit", ["-m", "benchmarks.ours.stream", *flags]),
    ]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    found = summary(fresh.pairs_of(turns, sides[0].name, "hfkit"))
    found["labels_changed"] = max(changed(turn, sides[0].name, "hfkit") for turn in turns)
    found["memory"] = kept = memory(run, file)
    print(f"labels that differ: {found['labels_changed']:.2%}")
    print(f"memory: {kept['early_mib']:.0f} MiB early, {kept['most_mib']:.0f} MiB at most ({kept['growth']:+.1%})")
    ratio = f"{sides[0].name} / hfkit, 1,000 rows"
    reached = report(NAME, "How fast is a long file read?", ratio, found, LIMIT, quick, turns)
    return reached and found["labels_changed"] <= CHANGED and kept["growth"] <= GROWTH
