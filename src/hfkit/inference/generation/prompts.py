"""Prompts: texts to continue and chats to answer, as a file holds them and as a model reads them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from transformers import PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError, nearest
from hfkit.config import FileArguments
from hfkit.data.readers import open_bytes
from hfkit.data.text.chat_samples import BARE, FOLDED, bare, rendered
from hfkit.data.text.chats import Message, messages_of, said
from hfkit.data.text.layouts import Layout, Prompt, layout_of
from hfkit.data.text.packing import Segment, read_texts, tokenised
from hfkit.data.text.special_tokens import BREAK, WRITTEN, special_tokens
from hfkit.inference.readers import STDIN, STDIN_NAME, Source, column_of, open_rows, stream_rows
from hfkit.inference.texts import check_whole
from hfkit.models.loading import quiet


@contextmanager
def open_prompts(path: str | Path, how: FileArguments | None = None) -> Iterator[Source]:
    """A file of prompts: a .txt file or `-` with a prompt a line, blank lines left out; or any file of `open_rows`.
    Raises HfkitError: as `open_rows`; bytes that are not text, with the line; a file without prompts."""
    how = how or FileArguments()
    if str(path) == STDIN:
        yield _lines(sys.stdin.buffer, STDIN_NAME, how)
        return
    if Path(path).suffix.lower() != ".txt":
        with open_rows(path, how) as source:
            yield source
        return
    with open_bytes(Path(path)) as stream:
        yield _lines(stream, str(path), how)


def _lines(stream: BinaryIO, name: str, how: FileArguments) -> Source:
    rows = ((at, row["text"]) for at, row in stream_rows(stream, name, how))
    return Source(name, ["prompt"], ((at, {"prompt": text}) for at, text in rows if text.strip()))


def choose_layout(source: Source, wanted: str | None = None) -> Layout:
    """The columns with the prompts: the one asked for, else chats, questions and prompts as training knows them, else a
    usual name, else the only one. Raises HfkitError: there is no such column, or none can be told from the others."""
    if wanted is not None and wanted not in source.columns:
        raise HfkitError(f"There is no column {wanted!r}", where=source.name, fix=nearest(wanted, source.columns))
    if found := layout_of([wanted] if wanted else source.columns, asking=True):
        return found
    return Layout("text", (column_of(source, wanted, None, what="prompt"),))


def token_ids(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, where: str) -> list[int]:
    """The tokens that a model is to continue, as it was trained to read them.

    An empty text is the token that begins a text, or the one that ends the text before. What somebody wrote like a
    special token in a text is the characters that it is made of. A chat goes through the tokenizer's template, up to
    where the assistant speaks; where it has the last word already, that is continued. Raises HfkitError: it is no text
    and no chat, holds half a character, or the template does not take it."""
    if isinstance(prompt, str):
        check_whole(prompt, where=where)
        if special_tokens(tokenizer).search(prompt):
            _say_once(f"{WRITTEN}; a chat's messages get their own")
        begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        with quiet():  # how long a text may be is told in a sentence of our own
            ids = list(read_texts(tokenizer, [prompt], special=False, add_special_tokens=True)["input_ids"][0])
        ids = ids[: len(ids) - (ids[-1:] == [tokenizer.eos_token_id])]  # some end each text, and this one goes on
        ids = ids or ([] if begin is None else [begin])
        if not ids:
            raise HfkitError("The prompt is empty, and the model has no token that begins a text", where=where)
        return ids
    if not isinstance(prompt, list | dict):
        raise HfkitError(f"A prompt is no text, but {type(prompt).__name__}: {str(prompt)[:80]!r}", where=where)
    given = prompt if isinstance(prompt, dict) else {"messages": prompt}
    return _chat_ids(tokenizer, messages_of(given.get("messages"), where), given.get("tools") or [], where)


def _chat_ids(tokenizer: PreTrainedTokenizerBase, messages: list[Message], tools: list[Any], where: str) -> list[int]:
    if not messages:
        raise HfkitError("The chat has no messages", where=where)
    for message in messages:
        check_whole(said(message), where=where)
    if not tokenizer.chat_template and (question := bare(messages, tools)):
        _say_once(BARE)
        return token_ids(tokenizer, question, where)
    last = "continue_final_message" if messages[-1]["role"] == "assistant" else "add_generation_prompt"
    text, folded = rendered(tokenizer, messages, tools, where, **{last: True})
    if folded:
        _say_once(FOLDED)
    if BREAK in text:
        _say_once(WRITTEN)
    with quiet():
        return tokenised([[Segment(text, False, special=True)]], tokenizer)[0][0]


@cache
def _say_once(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
