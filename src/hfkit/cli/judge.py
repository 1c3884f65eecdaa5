"""The commands that judge runs and models: evaluate, calibrate, labels, prove, compare, monitor and others."""

import argparse
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.cli import add_command, late
from hfkit.cli.calibrate import calibrate_command
from hfkit.cli.doctor import HELP as DOCTOR_HELP
from hfkit.cli.labels import HELP as LABELS_HELP
from hfkit.cli.monitor import monitor_command
from hfkit.cli.prove import PROVE_HELP
from hfkit.cli.summary import summary_command
from hfkit.cli.use import TRUST_HELP

EVALUATE_HELP = "a run's figures on another data set"


def judge_commands(commands: Any) -> None:
    commands.add_parser("doctor", help=DOCTOR_HELP, add_help=False)
    commands.add_parser("evaluate", help=EVALUATE_HELP, add_help=False)
    commands.add_parser("labels", help=LABELS_HELP, add_help=False)
    calibrate_command(commands)
    commands.add_parser("prove", help=PROVE_HELP, add_help=False)
    run = late("hfkit", "write_report")
    report = add_command(commands, "report", run, "write report.html and the model card again, from a run's files")
    report.add_argument("run_folder", metavar="RUN", type=Path)
    report.add_argument("--license", help="of the weights, for the model card, such as apache-2.0; kept in the run")

    compare = add_command(commands, "compare", _compare, "rank runs on the examples that they share, with paired tests")
    several = "runs, or user/name of published ones"
    compare.add_argument("run_folders", metavar="RUN", nargs="+", type=Path, help=several)
    compare.add_argument("--output", type=Path, help="a folder for compare.json and compare.html")
    compare.add_argument("--ensemble", action="store_true", help="the mean of their answers as one more among them")

    run = late("hfkit.cli.runs", "table", show=True)
    runs = add_command(commands, "runs", run, "the runs of a folder, each with its state")
    runs.add_argument("folder", metavar="FOLDER", nargs="?", default="runs", type=Path, help="default: %(default)s")

    verify = add_command(commands, "verify", _verify, "whether a run's files are those written, by hash")
    verify.add_argument("run_folder", metavar="RUN", type=Path)
    summary_command(commands)
    monitor_command(commands)


def parse_evaluate(flags: list[str]) -> argparse.Namespace:
    """The options of `hfkit evaluate ...`, with what to run. Ends the process with status 2 on wrong usage."""
    from hfkit.config.parsing import DataParser

    usage = "%(prog)s RUN --dataset NAME [--flag value ...], or %(prog)s RUN --split validation"
    parser = DataParser("hfkit evaluate", usage, EVALUATE_HELP)
    parser.add_argument("run_folder", metavar="RUN", help="a finished run, or user/name of a published one")
    own = "the run's own validation rows, into its validation.parquet: what hfkit calibrate reads, for an old run"
    parser.add_argument("--split", choices=("validation",), help=own)
    if any(flag.partition("=")[0] == "--split" for flag in flags):
        parser._option_string_actions["--dataset"].required = False
    parser.add_argument("--output", help="a folder for metrics.json and predictions.parquet")
    parser.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
    options = parser.parse_data(flags)
    if options["split"] and (options["output"] or options["data"] != type(options["data"])()):
        parser.error("--split validation reads the run's own data, as the run read it: drop the flags of data")
    return argparse.Namespace(run=_evaluate, **options)


def _evaluate(run_folder: str, data: Any, split: str | None, output: str | None, trust_remote_code: bool) -> None:
    from hfkit.base.hardware import forget_kernels

    forget_kernels()  # before torch is imported, see there
    from hfkit.cli.launch import quiet_libraries
    from hfkit.hub.fetching import local
    from hfkit.training.judging.judge import evaluate, validate

    quiet_libraries()

    run = local(run_folder)
    if split:
        if run != Path(run_folder):
            raise HfkitError(f"{run_folder} is in the Hub's cache", fix="hfkit pull it to a folder of your own first")
        validate(run, trust_remote_code)
        return
    # The Hub's cache is not ours to write to.
    apart = None if run == Path(run_folder) else Path("evaluations") / run_folder.replace("/", "--")
    evaluate(run, data, output, trust_remote_code, evaluations=apart)


def _compare(run_folders: list[Path], output: Path | None, ensemble: bool) -> None:
    from hfkit import compare
    from hfkit.hub.fetching import local

    print(compare([local(run) for run in run_folders], output, ensemble))
    if output:
        print(f"\nWritten to {output / 'compare.html'} and compare.json")


def _verify(run_folder: Path) -> None:
    from hfkit.cli.runs import verify

    count, damaged = verify(run_folder)
    if damaged:
        fix = "an unfinished run goes on from its newest whole checkpoint; a finished one: --overwrite makes it anew"
        raise HfkitError("\n".join(damaged), fix=fix)
    print(f"{run_folder}: {count} files, all as they were written")
