"""The command that holds a model's claims against figures: prove."""

import argparse
from typing import Any

PROVE_HELP = "a stranger's model: what its card claims beside what is measured"


def parse_prove(flags: list[str]) -> argparse.Namespace:
    """The options of `hfkit prove ...`, with what to run. Ends the process with status 2 on wrong usage."""
    from hfkit.cli.use import TRUST_HELP
    from hfkit.config.parsing import DataParser

    parser = DataParser("hfkit prove", "%(prog)s MODEL --dataset NAME [--flag value ...]", PROVE_HELP)
    parser.add_argument("model", metavar="MODEL", help="a Hub id, a model's folder or a run")
    parser.add_argument("--train_dataset", help="rows that cheap rivals learn from (default: the data's own)")
    parser.add_argument("--output", help="a folder for proof.json and predictions.parquet")
    parser.add_argument("--revision", help="commit, tag or branch of a Hub id")
    parser.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
    return argparse.Namespace(run=_prove, **parser.parse_data(flags))


def _prove(model: str, data: Any, **options: Any) -> None:
    from hfkit.base.hardware import forget_kernels

    forget_kernels()  # before torch is imported, see there
    from hfkit.cli.launch import quiet_libraries
    from hfkit.hub.proving import prove

    quiet_libraries()
    prove(model, data, **options)
