"""The command `hfkit`: train, evaluate, predict, generate, chat, merge, report, compare, card, push and others.

Each command is one call of the Python function of the same name. The flags of `hfkit train` are the recipes' own. Only
the command that runs is imported, so `hfkit --help` needs neither torch nor transformers.
"""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from hfkit import __version__
from hfkit.base.processes import forget_launch
from hfkit.base.sanitize import line
from hfkit.cli.card import HELP as CARD_HELP
from hfkit.cli.card import parse_card
from hfkit.cli.generate import TRUST_HELP, file_flags, file_options, generation_commands, until_nobody_reads
from hfkit.cli.hub import hub_commands
from hfkit.cli.names import look_for
from hfkit.cli.space import space_commands

EXAMPLES = """hfkit train: --dataset is missing: what is there to learn from? For example:
  hfkit train --dataset reviews.csv --model distilbert/distilbert-base-uncased
  hfkit train --dataset photos/ --task image-classification --model timm/resnet50.a1_in1k
  hfkit train --demo        (the embedded model and data, without a network)
  what to do: name a file, a folder, a data card or a Hub id; hfkit train --help lists every flag"""

# What `hfkit train --demo` changes, by task: with a --dataset of your own it tries your data on the embedded model.
TRAIN_DEMO: dict[str, dict[str, Any]] = {
    "text-classification": {
        "dataset": "demo:rotten_tomatoes",
        "model": "demo:minilm",
        "pooling": "mean",
        "max_length": 128,
        "learning_rate": 1e-4,
        "num_train_epochs": 2,
        "warmup_steps": 0.1,
    },
    "image-classification": {  # as in recipes/resnet_cifar10.py
        "dataset": "demo:digits",
        "model": "demo:efficientnet_lite0",
        "image_size": 64,
        "augment": ["crop"],
        "learning_rate": 2e-3,
        "num_train_epochs": 5,
        "per_device_train_batch_size": 32,
        "load_best_model_at_end": False,
        "warmup_steps": 0.1,
        "lr_scheduler_type": "cosine",
    },
    "text-generation": {  # as in recipes/gpt2_wikitext.py
        "dataset": "demo:imdb",
        "max_train_samples": 160,
        "max_eval_samples": 30,
        "max_test_samples": 100,
        "model": "demo:smollm2",
        "max_length": 512,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 2,
        "per_device_eval_batch_size": 8,
        "warmup_steps": 0.05,
    },
}

TRAIN_HELP = "fine-tune a model on any data; hfkit train --help lists every flag"
EVALUATE_HELP = "a run's figures on another data set"


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `hfkit COMMAND ...` and end the process.

    Exit status: 0 done, 1 a mistake to mend, 2 wrong usage, 130 stopped by Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["train"]:
        _train(arguments[1:])
    if arguments[:1] != ["evaluate"]:
        forget_launch()
    options = _options(arguments)
    from hfkit.cli.launch import exit_cleanly

    def run() -> None:
        look_for(arguments[0], options)
        options.run(options)

    sys.exit(exit_cleanly(run))


def _options(arguments: list[str]) -> argparse.Namespace:
    if arguments[:1] == ["evaluate"]:
        return _parse_evaluate(arguments[1:])
    if arguments[:1] == ["card"]:
        return parse_card(arguments[1:])
    parser, known = _parser()
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        close = get_close_matches(arguments[0], known, n=2)
        hint = f"did you mean {' or '.join(close)}?" if close else "hfkit --help lists them"
        parser.exit(2, f"hfkit: there is no command {line(arguments[0], 80)}; {hint}\n")
    return parser.parse_args(arguments)


def _train(flags: list[str]) -> NoReturn:
    given = _peek(flags)
    if not (given.dataset or given.demo or given.help):
        print(EXAMPLES, file=sys.stderr)
        sys.exit(2)
    from hfkit.cli.launch import main as launch
    from hfkit.config import TrainConfig

    def job(config: TrainConfig) -> None:
        import hfkit

        data = hfkit.load_data(config)
        task = hfkit.build_task(config, data)
        model, processor = hfkit.build_model(config, task, data)
        run = hfkit.fit(config, task, model, processor, data)
        hfkit.write_report(run)

    launch(job, TrainConfig, _demo(flags), argv=flags, recipe="hfkit")


def _demo(flags: list[str]) -> dict[str, Any]:
    """What `--demo` changes for the task that `flags` name. Another task is refused later, by those who know them."""
    return TRAIN_DEMO.get(_peek(flags).task, TRAIN_DEMO["text-classification"])


def _peek(flags: list[str]) -> argparse.Namespace:
    """The flags of `hfkit train` that have to be known before its parser is there."""
    few = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    few.add_argument("-h", "--help", action="store_true")
    for name in ("task", "dataset", "demo"):
        few.add_argument(f"--{name}", nargs="?", const=True)
    return few.parse_known_args(flags)[0]


def _parse_evaluate(flags: list[str]) -> argparse.Namespace:
    from hfkit.config import DataArguments
    from hfkit.config.parsing import ConfigParser

    parser = ConfigParser(DataArguments, "hfkit evaluate")
    parser.usage, parser.description = "%(prog)s RUN --dataset NAME [--flag value ...]", EVALUATE_HELP
    parser.add_argument("run_folder", metavar="RUN", help="a finished run, or user/name of a published one")
    parser.add_argument("--output", help="a folder for metrics.json and predictions.parquet")
    parser.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
    parser.require("dataset")
    options = parser.parse_flags(flags)
    data = {name: vars(options).pop(name) for name in DataArguments.__dataclass_fields__}
    return argparse.Namespace(run=_evaluate, data=DataArguments(**data), **vars(options))


def _evaluate(options: argparse.Namespace) -> None:
    from hfkit.base.hardware import forget_kernels

    forget_kernels()  # before torch is imported, see there
    from hfkit.hub.fetching import local
    from hfkit.training.judge import evaluate

    run = local(options.run_folder)
    # The Hub's cache is not ours to write to.
    apart = None if run == Path(options.run_folder) else Path("evaluations") / options.run_folder.replace("/", "--")
    evaluate(run, options.data, options.output, options.trust_remote_code, evaluations=apart)


def _predict(options: argparse.Namespace) -> None:
    from hfkit.base.hardware import forget_kernels, keep_memory

    keep_memory()  # before torch is imported, see there
    forget_kernels()
    from hfkit.inference import predict_file

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
        )


def _merge(options: argparse.Namespace) -> None:
    from hfkit.models.adapting.adapters import merge

    folder, difference = merge(options.run_folder, options.output, options.dtype)
    print(
        f"{folder}: a plain model, whose logits are the adapter's (largest difference {difference:.1e} of the largest)"
    )


def _report(options: argparse.Namespace) -> None:
    from hfkit import write_report

    write_report(options.run_folder, options.license)


def _compare(options: argparse.Namespace) -> None:
    from hfkit import compare
    from hfkit.hub.fetching import local

    print(compare([local(run) for run in options.run_folders], options.output))
    if options.output:
        print(f"\nWritten to {options.output / 'compare.html'} and compare.json")


def _runs(options: argparse.Namespace) -> None:
    from hfkit.training.health import table

    print(table(options.folder))


def _verify(options: argparse.Namespace) -> None:
    from hfkit.base.errors import HfkitError
    from hfkit.training.health import verify

    count, damaged = verify(options.run_folder)
    if damaged:
        fix = "an unfinished run goes on from its newest whole checkpoint; a finished one: --overwrite makes it anew"
        raise HfkitError("\n".join(damaged), fix=fix)
    print(f"{options.run_folder}: {count} files, all as they were written")


def _parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser, and the names of its commands."""
    parser = argparse.ArgumentParser(prog="hfkit", description="From a data card to a published, proven model.")
    parser.add_argument("--version", action="version", version=f"hfkit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands.add_parser("train", help=TRAIN_HELP, add_help=False)

    commands.add_parser("evaluate", help=EVALUATE_HELP, add_help=False)

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
    predict.add_argument("--backend", default="torch", help="torch, or openvino: a text classifier's, on a CPU")
    predict.add_argument("--disable_tqdm", action="store_true", help="no progress bar")
    predict.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
    predict.set_defaults(run=_predict)

    generation_commands(commands)

    merge = commands.add_parser(
        "merge", allow_abbrev=False, help="write a LoRA run's adapter and its base as one plain model"
    )
    merge.add_argument("run_folder", metavar="RUN", help="a finished run, or an adapter's folder")
    merge.add_argument("--output", help="the folder to write (default: merged in the run)")
    merge.add_argument(
        "--dtype", default="auto", help="of its weights: float32, bfloat16 or float16 (default: the base's)"
    )
    merge.set_defaults(run=_merge)

    report = commands.add_parser(
        "report", allow_abbrev=False, help="write report.html and the model card again, from a run's files"
    )
    report.add_argument("run_folder", metavar="RUN", type=Path)
    report.add_argument("--license", help="of the weights, for the model card, such as apache-2.0; kept in the run")
    report.set_defaults(run=_report)

    compare = commands.add_parser(
        "compare", allow_abbrev=False, help="rank runs on the examples that they share, with paired tests"
    )
    compare.add_argument(
        "run_folders", metavar="RUN", nargs="+", type=Path, help="runs, or user/name of published ones"
    )
    compare.add_argument("--output", type=Path, help="a folder for compare.json and compare.html")
    compare.set_defaults(run=_compare)

    runs = commands.add_parser("runs", allow_abbrev=False, help="the runs of a folder, each with its state")
    runs.add_argument("folder", metavar="FOLDER", nargs="?", default="runs", type=Path, help="default: %(default)s")
    runs.set_defaults(run=_runs)

    verify = commands.add_parser("verify", allow_abbrev=False, help="whether a run's files are those written, by hash")
    verify.add_argument("run_folder", metavar="RUN", type=Path)
    verify.set_defaults(run=_verify)
    commands.add_parser("card", help=CARD_HELP, add_help=False)
    hub_commands(commands)
    space_commands(commands)
    return parser, list(commands.choices)


if __name__ == "__main__":
    main()
