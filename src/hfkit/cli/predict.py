"""The commands that use a trained model on files: predict and merge."""

import argparse
from typing import Any

from hfkit.cli.generate import TRUST_HELP, file_flags, file_options, until_nobody_reads


def predict_command(commands: Any) -> None:
    """Add `hfkit predict` to the parser of `hfkit`."""
    predict = commands.add_parser(
        "predict",
        allow_abbrev=False,
        help="labels for the rows of a file, the lines of standard input, or a folder of images",
    )
    predict.add_argument("run_folder", metavar="RUN", help="a run, a model folder, an adapter or a Hub id")
    predict.add_argument(
        "--input", required=True, help="CSV, JSON lines, Parquet, a folder of images; - reads a text a line"
    )
    predict.add_argument("--output", help="the file to write, in the format of its ending (default: the screen, for -)")
    predict.add_argument("--text_column", help="the column with the text; found by name when not given")
    predict.add_argument("--text_pair_column", help="the column with the second text of a pair")
    file_flags(predict)
    predict.add_argument("--skip_bad_rows", action="store_true", help="give a row without a text no answer, counted")
    predict.add_argument("--output_format", help="of names in texts: spans, or words with a tag each (default: spans)")
    predict.add_argument("--backend", default="torch", help="torch, or openvino: a text classifier's, on a CPU")
    predict.add_argument("--disable_tqdm", action="store_true", help="no progress bar")
    predict.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
    predict.set_defaults(run=_predict)


def merge_command(commands: Any) -> None:
    """Add `hfkit merge` to the parser of `hfkit`."""
    merge = commands.add_parser(
        "merge", allow_abbrev=False, help="write a LoRA run's adapter and its base as one plain model"
    )
    merge.add_argument("run_folder", metavar="RUN", help="a finished run, or an adapter's folder")
    merge.add_argument("--output", help="the folder to write (default: merged in the run)")
    merge.add_argument(
        "--dtype", default="auto", help="of its weights: float32, bfloat16 or float16 (default: the base's)"
    )
    merge.set_defaults(run=_merge)


def _predict(options: argparse.Namespace) -> None:
    from hfkit.base.hardware import forget_kernels, keep_memory

    keep_memory()  # before torch is imported, see there
    forget_kernels()
    from hfkit.inference import predict_file

    own = {} if options.output_format is None else {"output_format": options.output_format}
    with until_nobody_reads():
        predict_file(
            options.run_folder,
            options.input,
            None if options.output == "-" else options.output,
            text_column=options.text_column,
            text_pair_column=options.text_pair_column,
            **file_options(options),
            skip_bad_rows=options.skip_bad_rows,
            disable_tqdm=options.disable_tqdm,
            backend=options.backend,
            trust_remote_code=options.trust_remote_code,
            **own,
        )


def _merge(options: argparse.Namespace) -> None:
    from hfkit.models.adapting.adapters import merge

    folder, difference = merge(options.run_folder, options.output, options.dtype)
    print(
        f"{folder}: a plain model, whose logits are the adapter's (largest difference {difference:.1e} of the largest)"
    )
