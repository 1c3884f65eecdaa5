"""generate and chat: a language model at the command line, its words shown as they are made."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.progress import Bar
from hfkit.base.sanitize import clean, flat
from hfkit.config import FileArguments, GenerationArguments
from hfkit.data.tables.columns import ID_NAMES
from hfkit.data.tables.table import counted
from hfkit.data.text.layouts import Layout
from hfkit.inference.generation.generator import TextGenerator
from hfkit.inference.generation.prompts import choose_layout, open_prompts
from hfkit.inference.readers import Row
from hfkit.inference.rows import free_name
from hfkit.inference.writers import open_writer

CHUNK = 256  # prompts that are sorted by length together


def generate(model: str | Path, prompt: str, options: GenerationArguments | None = None, **loading: Any) -> list[str]:
    """Continue one text, and print it while it is made.

    The answers are returned without the prompt. Arguments, and what is raised, as of `TextGenerator` and its `ids`."""
    generator = TextGenerator(model, options, **loading)
    ids = generator.ids(prompt)
    if generator.config.num_beams > 1:
        answers = generator.complete([ids])[0]
        for text in answers:
            _print(prompt + text + "\n")
        return answers
    answers = []
    for number in range(generator.config.num_return_sequences):
        _print(prompt)
        answers.append(generator.tell(ids, _print, sequence=number))
        _print("\n")
    return answers


def generate_file(
    model: str | Path,
    input: str | Path,
    output: str | Path | None = None,
    options: GenerationArguments | None = None,
    *,
    prompt_column: str | None = None,
    how: FileArguments | None = None,
    disable_tqdm: bool = False,
    **loading: Any,
) -> int:
    """Continue every prompt of a file, in batches that change no answer; returns how many.

    A row an answer: the prompt's row with `completion` beside it (`predicted_completion` where the file has one), so
    what comes out can be trained on. The input is a .txt file with a prompt a line, `-` for standard input, or a
    .jsonl, .csv, .tsv or .parquet file, read as `how` says; the output one of these but .txt, or None, JSON lines on
    standard output. `prompt_column` is by default `messages` (chats), a question or `prompt` as in training, or a usual
    name. The other arguments are those of `TextGenerator`. Raises HfkitError, with the file and the row: what is no
    prompt, or too long a one; and what `TextGenerator`, the readers and the writers raise. No output is left then."""
    how = how or FileArguments()
    with ExitStack() as stack:
        source = stack.enter_context(open_prompts(input, how))
        layout = choose_layout(source, prompt_column)
        unread = [name for name in source.columns if name not in layout.used and name.casefold() not in ID_NAMES]
        if unread:
            print(f"columns not read: {flat(', '.join(unread))}", file=sys.stderr)
        added = free_name(source.columns, "completion")
        write = _show
        if output is not None:
            write = stack.enter_context(open_writer(output, source.columns, [added], source.schema)).write
        generator = TextGenerator(model, options, **loading)
        hidden = disable_tqdm or (output is None and sys.stdout.isatty())
        bar = stack.enter_context(Bar("generate", "prompt", None, hidden=hidden))
        while chunk := list(islice(source.rows, CHUNK)):
            write(_answered(generator, chunk, layout, added, bar.count, how.missing_values))
            bar.update(len(chunk))
        if not bar.count:
            raise HfkitError("There are no prompts", where=source.name, fix="write one a line")
    for note in source.notes:
        print(flat(note), file=sys.stderr)
    if output is not None:
        print(f"{counted(bar.count, 'prompt')} answered in {flat(output)}", file=sys.stderr)
    return bar.count


def chat(
    model: str | Path, options: GenerationArguments | None = None, system: str | None = None, **loading: Any
) -> list[dict[str, str]]:
    """Talk with a model, which by default may fill its context with an answer: a line of standard input is a message,
    and the answer is printed while it is made. Arguments as of `TextGenerator`; `system` is what the model is told
    before all. Returns the messages. Raises HfkitError: the model has no chat template, it does not take the roles, or
    the chat fills the context."""
    options = options or GenerationArguments()
    generator = TextGenerator(model, options, **loading)
    if options.max_new_tokens is None:
        generator.config.max_new_tokens = generator.context or 512
    if generator.config.num_return_sequences > 1:
        raise HfkitError("A chat has one answer to each message", fix="drop --num_return_sequences")
    messages = [{"role": "system", "content": system}] if system else []
    tried = [{"role": role, "content": "Hello"} for role in ("user", "assistant", "user")]
    generator.ids([*messages, *tried], str(model))  # before anything is typed
    for line in _typed():
        messages.append({"role": "user", "content": line})
        ids = generator.ids(messages, "the chat")
        answer = generator.tell(ids, _print, place=len(messages))
        _print("\n")
        messages.append({"role": "assistant", "content": answer})
    return messages


def _typed() -> Iterator[str]:
    """Lines with something in them, up to Ctrl-D."""
    shown = sys.stdin.isatty()
    while True:
        if shown:
            _print("> ")
        try:
            line = sys.stdin.readline()
        except UnicodeDecodeError as error:
            raise HfkitError("A line is not UTF-8 text", where="standard input") from error
        if not line:
            if shown:
                _print("\n")
            return
        if line.strip():
            yield line.strip()


def _print(text: str) -> None:
    """What a model says may hold anything; on the screen it moves no cursor."""
    print(clean(text), end="", flush=True)


def _answered(
    generator: TextGenerator, chunk: list[Row], layout: Layout, added: str, first: int, missing: Sequence[str]
) -> list[dict[str, Any]]:
    ids = []
    for place, row in chunk:
        if (value := row.get(layout.columns[0])) is None or str(value).strip() in missing:
            raise HfkitError(f"There is nothing in the column {layout.columns[0]!r}", where=place)
        ids.append(generator.ids(layout.prompt(row, place), place))
    answers = generator.complete(ids, first)
    return [row | {added: text} for (_, row), texts in zip(chunk, answers, strict=True) for text in texts]


def _show(rows: list[dict[str, Any]]) -> None:
    """Rows as JSON lines on standard output."""
    safe: Callable[[str], str] = clean if sys.stdout.isatty() else str
    for row in rows:
        print(safe(json.dumps(row, ensure_ascii=False, default=str)), flush=True)
