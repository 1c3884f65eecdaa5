"""The command that watches what a run meets: monitor."""

import sys
from typing import Any

from hfkit.cli import add_command
from hfkit.cli.use import add_group
from hfkit.config import FileArguments

DRIFT = 3
"""The exit status where rows have drifted; 0 is quiet."""


def monitor_command(commands: Any) -> None:
    """Add monitor to the parser of `hfkit`."""
    page = "whether new rows are of the kind that a run knows (status 3: drift)"
    monitor = add_command(commands, "monitor", _monitor, page)
    monitor.add_argument("run_folder", metavar="RUN", help="a finished run of one label a row")
    monitor.add_argument("--input", required=True, help="a file of rows, or a folder of pictures")
    monitor.add_argument("--output", help="a folder for the page and the history (default: monitor in the run)")
    monitor.add_argument("--label_column", help="the column with the true labels, where somebody gave them")
    monitor.add_argument("--since", choices=["last"], help="look at what a growing file has more than last time")
    alpha = "the chance that any look ever is wrong where nothing changes (default: %(default)s)"
    monitor.add_argument("--alpha", type=float, default=0.05, help=alpha)
    monitor.add_argument("--text_column", help="the column with the text; found by name when not given")
    add_group(monitor, FileArguments)
    monitor.add_argument("--disable_tqdm", action="store_true", help="no progress bar")


def _monitor(run_folder: str, input: str, **options: Any) -> None:
    from hfkit.base.hardware import forget_kernels, keep_memory

    forget_kernels()  # before torch is imported, see there
    keep_memory()
    from hfkit.inference.monitor.monitor import monitor

    given = {name: value for name, value in options.items() if value not in (None, [])}
    if monitor(run_folder, input, **given)["drift"]:
        sys.exit(DRIFT)
