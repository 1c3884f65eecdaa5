"""`hfkit evaluate` with the arguments that follow, and the most memory that the process ever held."""

import json
import resource
import sys
from pathlib import Path

if __name__ == "__main__":
    arguments = sys.argv[1:]
    from hfkit.cli import main

    try:
        main.main(["evaluate", *arguments])
    except SystemExit as ended:
        if ended.code:
            raise
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    written = Path(arguments[arguments.index("--output") + 1]) / "metrics.json"
    accuracy = json.loads(written.read_text(encoding="utf-8"))["accuracy"]
    print("\n" + json.dumps({"mib": mib, "rows": accuracy["n"], "accuracy": accuracy["value"]}))
