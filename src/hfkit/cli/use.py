"""The commands that make and use a model: train, merge, predict, generate, chat and demo."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from typing import Any, get_type_hints

from hfkit.base.errors import HfkitError
from hfkit.cli import add_command, late
from hfkit.config import FileArguments, GenerationArguments
from hfkit.config.knobs import add_flag, default_of

TRUST_HELP = "run Python code that the model ships; off unless you trust it, whatever the run says"


def use_commands(commands: Any) -> None:
    what = "labels for the rows of a file, the lines of standard input, or a folder of images"
    predict = add_command(commands, "predict", _predict, what)
    predict.add_argument("run_folder", metavar="RUN", help="a run, a model folder, an adapter or a Hub id")
    read = "CSV, JSON lines, Parquet, a folder of images; - reads a text a line"
    predict.add_argument("--input", required=True, help=read)
    predict.add_argument("--output", help="the file to write, in the format of its ending (default: the screen, for -)")
    predict.add_argument("--text_column", help="the column with the text; found by name when not given")
    predict.add_argument("--text_pair_column", help="the column with the second text of a pair")
    add_group(predict, FileArguments)
    predict.add_argument("--skip_bad_rows", action="store_true", help="give a row without a text no answer, counted")
    predict.add_argument(
        "--output_format",
        default=argparse.SUPPRESS,
        help="of names: spans, or words with a tag each; of answers: rows, or squad; of objects: boxes, coco or yolo",
    )
    predict.add_argument(
        "--candidate_labels",
        nargs="+",
        default=argparse.SUPPRESS,
        help="of a model of pairs with a label entailment, or of images and texts: labels of your own, the likeliest is"
        " written",
    )
    predict.add_argument(
        "--hypothesis_template",
        default=argparse.SUPPRESS,
        help='the sentence around such a label (default: "This example is {}."; of images the run\'s)',
    )
    _add_confidence(predict)
    predict.add_argument("--backend", default="torch", help="torch, or openvino: a text classifier's, on a CPU")
    predict.add_argument("--disable_tqdm", action="store_true", help="no progress bar")
    predict.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)

    _search_commands(commands)
    what = "continue a text, or every prompt of a file, with a language model"
    generate = add_command(commands, "generate", _generate, what)
    _add_generation(generate)
    prompts = generate.add_mutually_exclusive_group(required=True)
    prompts.add_argument("--prompt", help="the text to continue; it is shown as it grows")
    prompts.add_argument("--input", help="prompts: .txt (one a line), JSON lines, CSV, Parquet; - reads one a line")
    generate.add_argument("--output", help="of --input: the file to write (default: JSON lines on the screen)")
    generate.add_argument("--prompt_column", help="the column with the prompts or chats; found by name when not given")
    add_group(generate, FileArguments)
    generate.add_argument("--disable_tqdm", action="store_true", help="no progress bar")

    chat = add_command(commands, "chat", _chat, "talk with a chat model; Ctrl-D ends")
    _add_generation(chat)
    chat.add_argument("--system", help="what the model is told before all")

    run = late("hfkit.hub.space.app", "demo")
    demo = add_command(commands, "demo", run, "try a run in the browser, on this machine alone")
    demo.add_argument("run_folder", metavar="RUN", help="a run, a model folder or a Hub id")
    demo.add_argument("--port", type=int, default=7860, help="the first port to try (default: %(default)s)")
    demo.add_argument("--open", action="store_true", dest="open_browser", help="open the browser too")


def _add_confidence(predict: argparse.ArgumentParser) -> None:
    """How sure a classifier's answer must be."""
    unset: Any = {"type": float, "default": argparse.SUPPRESS}
    predict.add_argument("--min_confidence", **unset, help="leave a label empty that is less probable, such as 0.9")
    what = (
        "leave labels empty until the others are right so often, such as 0.95; of a run that hfkit calibrate has read"
    )
    predict.add_argument("--accuracy", **unset, help=what)
    predict.add_argument("--sets", **unset, help="add labels, which hold the right one so often, such as 0.9; likewise")
    how = "of --sets: lac, the smallest, some empty; or aps, larger where a row is hard (default: lac)"
    predict.add_argument("--set_method", default=argparse.SUPPRESS, help=how)


def _search_commands(commands: Any) -> None:
    """Add index and retrieve, which is predict for a search."""
    index = commands.add_parser("index", help="the vectors of a corpus in a folder, to be searched in")
    index.add_argument(
        "run_folder", metavar="RUN", help="a run, a model folder or a Hub id that makes vectors of texts"
    )
    index.add_argument(
        "--input",
        required=True,
        help="JSON lines, CSV, Parquet: a text a row, perhaps an id and a title; a folder of images",
    )
    index.add_argument("--output", required=True, help="the folder to write")
    index.add_argument("--dtype", default="float32", help="float32, or float16: half as large")
    index.add_argument("--truncate_dim", type=int, help="numbers of a vector that are kept (default: all)")
    index.add_argument("--graph", action="store_true", help="for millions of texts: a graph to look along (faiss-cpu)")
    index.add_argument("--skip_bad_rows", action="store_true", help="leave out rows without a text, counted")
    retrieve = commands.add_parser("retrieve", help="the nearest texts of an index for each query of a file")
    retrieve.add_argument("index_folder", metavar="INDEX", help="a folder that hfkit index wrote")
    retrieve.add_argument("--input", required=True, help="JSON lines, CSV, Parquet; - reads a query a line")
    retrieve.add_argument("--output", help="the file to write, in the format of its ending (default: the screen)")
    retrieve.add_argument("--top_k", type=int, default=10, help="texts for each query (default: %(default)s)")
    retrieve.add_argument("--model", help="the model of the queries (default: the one that made the index)")
    retrieve.add_argument("--by", default="vectors", help="vectors: all of them; graph: along --graph's; words: BM25")
    retrieve.add_argument("--reranker", metavar="RUN", help="a classifier of pairs, which orders what was found anew")
    retrieve.add_argument(
        "--reranker_label", help="which of its labels says that a text is right (default: of two the second)"
    )
    retrieve.add_argument(
        "--candidates", type=int, default=100, help="texts that it orders for each query (default: %(default)s)"
    )
    retrieve.add_argument("--qrels", help="judgements, as BEIR has them: shows the figures of what was found")
    for name, parser in (("index", index), ("retrieve", retrieve)):
        parser.add_argument("--text_column", help="the column with the text; found by name when not given")
        add_group(parser, FileArguments)
        parser.add_argument("--disable_tqdm", action="store_true", help="no progress bar")
        parser.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
        parser.set_defaults(run=partial(_search, name))


def train_commands(commands: Any) -> None:
    """Add train, whose flags are a configuration's, and merge to the parser of `hfkit`."""
    commands.add_parser("train", help="fine-tune a model on any data", add_help=False)
    merge = add_command(commands, "merge", _merge, "write a LoRA run's adapter and its base as one plain model")
    merge.add_argument("run_folder", metavar="RUN", help="a finished run, or an adapter's folder")
    merge.add_argument("--output", help="the folder to write (default: merged in the run)")
    kinds = "of its weights: float32, bfloat16 or float16 (default: the base's)"
    merge.add_argument("--dtype", default="auto", help=kinds)


def _add_generation(parser: argparse.ArgumentParser) -> None:
    """What both commands of language models take."""
    parser.add_argument("run_folder", metavar="RUN", help="a run, a model folder, an adapter or a Hub id")
    add_group(parser, GenerationArguments)
    parser.add_argument("--revision", help="commit, tag or branch of a Hub id")
    parser.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)


def add_group(parser: argparse.ArgumentParser, group: type) -> None:
    """The flags of a group of knobs. A switch takes no value, which may be the command's RUN; none is the model's."""
    hints = get_type_hints(group)
    for field in fields(group):
        flag, hint = f"--{field.name}", hints[field.name]
        if hint == bool | None:
            parser.add_argument(flag, action="store_true", default=None, help=field.metadata["help"])
            off = f"turn {flag} off where the model's own config turns it on"
            parser.add_argument(f"--no_{field.name}", dest=field.name, action="store_false", default=None, help=off)
        else:
            add_flag(parser, field, hint, default_of(field))


def _taken(options: dict[str, Any], group: type) -> Any:
    """A group of knobs out of a command's options."""
    return group(**{field.name: options.pop(field.name) for field in fields(group)})


@contextmanager
def _at_work() -> Iterator[None]:
    """A model is used, its memory kept; torch is imported inside. `hfkit predict ... | head` has seen enough."""
    from hfkit.base.hardware import keep_memory

    keep_memory()
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
        sys.exit(141)  # as the shell counts a program that SIGPIPE ended


def _predict(run_folder: str, input: str, output: str | None, **options: Any) -> None:
    from hfkit.base.hardware import forget_kernels

    forget_kernels()  # before torch is imported, see there
    with _at_work():
        from hfkit.inference import predict_file

        predict_file(run_folder, input, None if output == "-" else output, **options)


def _search(command: str, run_folder: str = "", index_folder: str = "", **options: Any) -> None:
    read = _taken(options, FileArguments)
    with _at_work():
        from hfkit.inference import search

        getattr(search, command)(run_folder or index_folder, how=read, **options)


def _generate(run_folder: str, prompt: str | None, input: str | None, output: str | None, **options: Any) -> None:
    if prompt is not None and output:
        raise HfkitError("--output has no effect with --prompt", fix="give the prompt in a file, with --input")
    how, read = _taken(options, GenerationArguments), _taken(options, FileArguments)
    with _at_work():
        from hfkit.inference.generation.files import generate, generate_file

        if input is not None:
            generate_file(run_folder, input, output, how, how=read, **options)
        elif prompt is not None:
            generate(run_folder, prompt, how, **{name: options[name] for name in ("revision", "trust_remote_code")})


def _chat(run_folder: str, system: str | None, revision: str | None, trust_remote_code: bool, **how: Any) -> None:
    from hfkit.inference.generation.files import chat

    chat(run_folder, GenerationArguments(**how), system, revision=revision, trust_remote_code=trust_remote_code)


def _merge(run_folder: str, **options: Any) -> None:
    from hfkit.models.adapting.adapters import merge

    folder, difference = merge(run_folder, **options)
    far = f"largest difference {difference:.1e} of the largest"
    print(f"{folder}: a plain model, whose logits are the adapter's ({far})")
