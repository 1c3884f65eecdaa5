"""`hfkit train` twice at once on half of the rows each, a core for each, with nothing to say to each other.

`strangers CORES DATA DATA FLAG...`: each takes its own data set and folder; the figures are those of the slower one.
"""

import json
import subprocess
import sys

if __name__ == "__main__":
    cores, halves, flags = sys.argv[1].split(","), sys.argv[2:4], sys.argv[4:]
    started = []
    for core, data in zip(cores, halves, strict=True):
        for flag, value in (("--dataset", data), ("--output_dir", f"{data}-run")):
            flags[flags.index(flag) + 1] = value
        command = [sys.executable, "-m", "benchmarks.ours.train", "--cores", core, *flags]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
    print("\n" + json.dumps(max(said, key=lambda figures: figures["seconds"])))
