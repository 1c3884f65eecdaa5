"""Prompts: texts to continue and chats to answer, as a file holds them and as a model reads them."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from hfkit.config import FileArguments
from hfkit.data.columns import TEXT_NAMES
from hfkit.data.readers import open_bytes
from hfkit.errors import HfkitError, nearest
from hfkit.inference.readers import STDIN, STDIN_NAME, Source, open_rows, stream_rows
from hfkit.models.loading import quiet

Prompt = str | list[dict[str, Any]]
"""A text, or a chat: messages of a role and a content, oldest first."""

MESSAGES = "messages"
ROLES = {"system", "user", "assistant"}
"""Every chat template is written for these."""


@contextmanager
def open_prompts(path: str | Path, how: FileArguments | None = None) -> Iterator[Source]:
    """A file of prompts: a .txt file or `-` with a prompt a line, blank lines left out; or any file of `open_rows`.

    Raises:
        HfkitError: As `open_rows`; bytes that are not text, with the line; a file without prompts.
    """
    how = how or FileArguments()
    if str(path) == STDIN:
        yield _lines(sys.stdin.buffer, STDIN_NAME, how.encoding)
        return
    if Path(path).suffix.lower() != ".txt":
        with open_rows(path, how) as source:
            yield source
        return
    with open_bytes(Path(path)) as stream:
        yield _lines(stream, str(path), how.encoding)


def _lines(stream: BinaryIO, name: str, encoding: str) -> Source:
    rows = ((at, row["text"]) for at, row in stream_rows(stream, name, encoding))
    return Source(name, ["prompt"], ((at, {"prompt": text}) for at, text in rows if text.strip()))


def choose_column(source: Source, wanted: str | None = None) -> str:
    """The column with the prompts: the one asked for, else `messages`, `prompt` or a usual name, else the only one.

    Raises:
        HfkitError: There is no such column, or none can be told from the others.
    """
    if wanted is not None:
        if wanted not in source.columns:
            raise HfkitError(f"There is no column {wanted!r}", where=source.name, fix=nearest(wanted, source.columns))
        return wanted
    usual = [name for name in (MESSAGES, "prompt", *TEXT_NAMES) if name in source.columns]
    if usual or len(source.columns) == 1:
        return (usual or source.columns)[0]
    raise HfkitError(
        f"It cannot be told which column is the prompt; there are {', '.join(source.columns)}",
        where=source.name,
        fix="say --prompt_column NAME",
    )


def token_ids(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, where: str) -> list[int]:
    """The tokens that a model is to continue, as it was trained to read them.

    An empty text is the token that begins a text, or the one that ends the text before. A chat goes through the
    tokenizer's template, up to where the assistant speaks.

    Raises:
        HfkitError: It is no text and no chat, holds half a character, or the template does not take it.
    """
    if isinstance(prompt, str):
        _check_whole(prompt, where)
        begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        ids = _tokens(tokenizer, prompt) or ([] if begin is None else [begin])
        if not ids:
            raise HfkitError("The prompt is empty, and the model has no token that begins a text", where=where)
        return ids
    if not isinstance(prompt, list):
        raise HfkitError(f"A prompt is no text, but {type(prompt).__name__}: {str(prompt)[:80]!r}", where=where)
    return _chat_ids(tokenizer, prompt, where)


def _chat_ids(tokenizer: PreTrainedTokenizerBase, messages: list[Any], where: str) -> list[int]:
    template = tokenizer.chat_template
    if not template:
        raise HfkitError(
            "The tokenizer has no chat template: the model has not learnt to chat",
            where=where,
            fix="let it continue a text instead: hfkit generate RUN --prompt TEXT",
        )
    if not messages:
        raise HfkitError("The chat has no messages", where=where)
    known = ROLES | set(re.findall(r"""role['"]?\]?\s*[!=]=\s*['"](\w+)['"]""", str(template)))
    for message in messages:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            fix = 'write each as {"role": "user", "content": "..."}'
            raise HfkitError(f"A message lacks its role or its text: {str(message)[:80]}", where=where, fix=fix)
        if role not in known:
            raise HfkitError(f"The chat template knows no role {role!r}", where=where, fix=nearest(role, known))
        _check_whole(content, where)
    try:
        text: Any = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    except TemplateError as error:
        raise HfkitError(f"The chat template does not take these messages: {error}", where=where) from error
    lost = next((message for message in messages if message["content"].strip() not in text), None)
    if lost is not None:
        raise HfkitError(
            f"The chat template leaves out what {lost['role']} says: {lost['content'][:80]!r}",
            where=where,
            fix=f"give this text to another role: {', '.join(sorted(known))}",
        )
    return _tokens(tokenizer, text, add_special_tokens=False)  # the template has written them


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str, **options: Any) -> list[int]:
    with quiet():  # how long a text may be is told in a sentence of our own
        return list(tokenizer(text, **options)["input_ids"])


def _check_whole(text: str, where: str) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise HfkitError(f"A text holds half a character: {text[:80]!r}", where=where, fix="write it whole, or cut it")
