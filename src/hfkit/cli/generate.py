"""The commands `hfkit generate` and `hfkit chat`: a language model answers at the command line."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hfkit.config import FileArguments, GenerationArguments

TRUST_HELP = "run Python code that the model ships; off unless you trust it, whatever the run says"


def generation_commands(commands: Any) -> None:
    """Add the commands to the parser of `hfkit`."""
    generate = commands.add_parser(
        "generate", allow_abbrev=False, help="continue a text, or every prompt of a file, with a language model"
    )
    _add_generation(generate)
    prompts = generate.add_mutually_exclusive_group(required=True)
    prompts.add_argument("--prompt", help="the text to continue; it is shown as it grows")
    prompts.add_argument("--input", help="prompts: .txt (one a line), JSON lines, CSV, Parquet; - reads one a line")
    generate.add_argument("--output", help="of --input: the file to write (default: JSON lines on the screen)")
    generate.add_argument("--prompt_column", help="the column with the prompts or chats; found by name when not given")
    file_flags(generate)
    generate.add_argument("--disable_tqdm", action="store_true", help="no progress bar")
    generate.set_defaults(run=_generate)

    chat = commands.add_parser("chat", allow_abbrev=False, help="talk with a chat model; Ctrl-D ends")
    _add_generation(chat)
    chat.add_argument("--system", help="what the model is told before all")
    chat.set_defaults(run=_chat)


def file_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `FileArguments`."""
    hints = get_type_hints(FileArguments)
    for field in fields(FileArguments):
        choices = get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else None
        several = get_origin(hints[field.name]) is list
        default = [] if several else field.default
        how: dict[str, Any] = {"nargs": "+"} if several else {"choices": choices}
        parser.add_argument(f"--{field.name}", default=default, help=field.metadata["help"], **how)


def file_options(options: argparse.Namespace) -> dict[str, Any]:
    """What these flags say."""
    return {field.name: getattr(options, field.name) for field in fields(FileArguments)}


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """`hfkit predict ... | head` has seen enough."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
        sys.exit(141)  # as the shell counts a program that SIGPIPE ended


def _generate(options: argparse.Namespace) -> None:
    from hfkit.base.hardware import keep_memory

    keep_memory()
    from hfkit.base.errors import HfkitError
    from hfkit.inference.generation.files import generate, generate_file

    loading = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
    how = _generation(options)
    if options.prompt is not None and options.output:
        raise HfkitError("--output has no effect with --prompt", fix="give the prompt in a file, with --input")
    with until_nobody_reads():
        if options.prompt is not None:
            generate(options.run_folder, options.prompt, how, **loading)
            return
        generate_file(
            options.run_folder,
            options.input,
            options.output,
            how,
            prompt_column=options.prompt_column,
            how=FileArguments(**file_options(options)),
            disable_tqdm=options.disable_tqdm,
            **loading,
        )


def _chat(options: argparse.Namespace) -> None:
    from hfkit.inference.generation.files import chat

    chat(
        options.run_folder,
        _generation(options),
        options.system,
        revision=options.revision,
        trust_remote_code=options.trust_remote_code,
    )


def _generation(options: argparse.Namespace) -> GenerationArguments:
    return GenerationArguments(**{field.name: getattr(options, field.name) for field in fields(GenerationArguments)})


def _add_generation(parser: argparse.ArgumentParser) -> None:
    """The model's name and the flags of `GenerationArguments`."""
    parser.add_argument("run_folder", metavar="RUN", help="a run, a model folder, an adapter or a Hub id")
    hints = get_type_hints(GenerationArguments)
    for field in fields(GenerationArguments):
        kind = (get_args(hints[field.name]) or (hints[field.name],))[0]
        if kind is bool:
            parser.add_argument(f"--{field.name}", action="store_true", default=None, help=field.metadata["help"])
            off = f"turn --{field.name} off where the model's own config turns it on"
            parser.add_argument(f"--no_{field.name}", dest=field.name, action="store_false", default=None, help=off)
        else:
            several = {"nargs": "+", "default": []} if get_origin(hints[field.name]) is list else {}
            settings = {"type": kind, "default": field.default, "help": field.metadata["help"]} | several
            parser.add_argument(f"--{field.name}", **settings)
    parser.add_argument("--revision", help="commit, tag or branch of a Hub id")
    parser.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)
