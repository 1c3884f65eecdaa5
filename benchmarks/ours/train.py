"""`hfkit train` with the flags that follow, and then its figures.

`--cores 0,1` before them gives each process of a launch one of these cores; `--give_back` leaves glibc's habits alone.
"""

import json
import os
import sys

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[0] == "--cores":
        cores = arguments[1].split(",")
        os.sched_setaffinity(0, {int(cores[int(os.environ.get("LOCAL_RANK", "0"))])})  # before torch counts them
        arguments = arguments[2:]
    from hfkit import Run
    from hfkit.base import hardware
    from hfkit.cli import main

    if arguments[0] == "--give_back":
        arguments = arguments[1:]
        hardware.keep_memory = lambda use_cpu=False: None

    try:
        main.main(["train", *arguments])
    except SystemExit as ended:
        if ended.code:
            raise
    import torch  # not before the command, which prepares the memory for it

    run = Run(arguments[arguments.index("--output_dir") + 1])
    if os.environ.get("RANK", "0") == "0":
        training = run.info["training"]
        figures = {
            # From the first update's beginning to the last one's end; nothing is validated or saved on the way.
            "seconds": sum(line["seconds"] for line in run.timing() if "step" in line),
            "rows": training["examples"],
            "updates": training["steps"],
            "tokens": training["tokens"],
            "parameters": run.info["model"]["parameters"],
            "test_rows": run.metrics["accuracy"]["n"],
            "accuracy": run.metrics["accuracy"]["value"],
            "gpu_mib": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None,
            "loss": [line["loss"] for line in run.log() if "loss" in line][-1],
        }
        print("\n" + json.dumps(figures))
