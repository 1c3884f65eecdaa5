"""What a command names: runs and models, looked for before anything heavy is imported."""

import argparse
from pathlib import Path

from hfkit.data.sources import embedded
from hfkit.models.names import locate
from hfkit.runs.run import Run

NEED_RUNS = ("evaluate", "report", "compare", "verify", "push", "push-space")
"""Commands about runs. The others that name one take any model."""


def look_for(command: str, options: argparse.Namespace) -> None:
    """Find the runs and models that a command names before anything heavy is imported: a wrong one is told at once.

    Raises:
        HfkitError: There is none of that name, or it is a run that is not finished.
    """
    one = getattr(options, "run_folder", None)
    names = getattr(options, "run_folders", None) or ([one] if one is not None else [])
    for name in map(str, names):
        if name.startswith("demo:"):
            embedded.check_name(name.removeprefix("demo:"))
            continue
        published = command in ("evaluate", "compare") and name.count("/") == 1 and not name.startswith("runs/")
        here = Path(name).exists() or (command in NEED_RUNS and not published)
        if here and (command in NEED_RUNS or (Path(name) / "run.json").is_file()):
            run = Run(name)
            if command != "verify":
                run.check_finished()
        else:
            locate(name, getattr(options, "revision", None), getattr(options, "trust_remote_code", False))
