"""Layouts: which columns of a table a language model reads, and as what: a text, a prompt's completion, or a chat."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from hfkit.data.text.chats import Message, holds_messages, is_learnt, messages_of, tools_of

CHATS = ("messages", "conversations", "conversation")
PAIRS = (
    ("instruction", "output"), ("question", "answer"), ("prompt", "response"), ("query", "response"),
    *product(("instruction", "question", "query", "prompt", "input"), ("output", "response", "answer", "completion")),
)  # fmt: skip
"""What the user says and what is answered: first those that belong together, then any two."""

INPUTS = ("input", "context")  # beside a question: what it is about. May be empty.
SYSTEM = ("system", "system_prompt")

Prompt = str | list[Message] | dict[str, Any]
"""A text; a chat, oldest message first; or `{"messages": ..., "tools": ...}`."""


@dataclass(frozen=True)
class Layout:
    """The columns of a table that a language model reads."""

    # What they hold: a text; a prompt and its completion; one of the two or both as lists of messages (turns), as TRL
    # has them; a chat; or a question and its answer (pair), which is a chat of two messages
    kind: Literal["text", "completion", "turns", "chat", "pair"]
    columns: tuple[str, ...]  # what must be there: the text; prompt and completion; the chat; question and answer
    beside: tuple[str, ...] = ()  # what may be empty or missing: the system's message, tools, a question's input
    listed: tuple[str, ...] = ()  # which of `columns` hold lists of messages

    @property
    def used(self) -> tuple[str, ...]:
        """All its columns."""
        return (*self.columns, *self.beside)

    @property
    def stores(self) -> tuple[str, ...]:
        """The columns that its chats become."""
        return ("messages", *("tools" for name in self.beside if name.casefold() == "tools"))

    def read_as(self) -> list[str]:
        """What is said of columns that do not say it by their names."""
        user = " and ".join([*self.columns[:1], *(name for name in self.beside if name.casefold() in INPUTS)])
        told = f"read as chats: {user} is what the user says, {self.columns[-1]} the answer that is learnt"
        return [told] if self.kind == "pair" else []

    def settled(self, values: Callable[[str], list[Any]]) -> "Layout":
        """With `turns` for a completion or a pair where some of a column's values are lists of messages."""
        if self.kind not in ("completion", "pair"):
            return self
        listed = tuple(name for name in self.columns if any(map(holds_messages, values(name))))
        if not listed:
            return self if self.kind == "pair" else replace(self, beside=())
        beside = tuple(name for name in self.beside if name.casefold() not in INPUTS)
        return replace(self, kind="turns", listed=listed, beside=beside)

    def chat(self, row: dict[str, Any], where: str) -> tuple[list[Message], list[Any]]:
        """The messages of a row, the answer last if there is one, and the tools. Of a prompt that is a chat nothing is
        learnt. Raises as `messages_of` and `tools_of`."""

        def said(name: str, role: str, *about: str) -> list[Message]:
            value = row.get(name)
            if name in self.listed:
                return messages_of(value or [], where)
            texts = [text for text in (str(value or ""), *about) if text.strip()]
            return [{"role": role, "content": "\n".join(texts)}] if texts else []

        beside = {name.casefold(): row.get(name) for name in self.beside}
        messages = said(self.columns[0], "user", *(str(beside[name] or "") for name in INPUTS if name in beside))
        if self.kind == "turns":
            messages = [{**message, "weight": 0} if is_learnt(message) else message for message in messages]
        messages += said(self.columns[1], "assistant") if len(self.columns) == 2 else []
        system = next((beside[name] for name in SYSTEM if beside.get(name)), None)
        if system and messages and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": str(system)}, *messages]
        return messages, tools_of(beside.get("tools"), where)

    def prompt(self, row: dict[str, Any], where: str) -> Prompt:
        """What a model is to continue or to answer: of a question and its answer the question. Raises as `chat`."""
        value = row[self.columns[0]]
        layout = replace(self.settled(lambda name: [row.get(name)]), columns=self.columns[:1])
        if layout.kind in ("text", "completion"):
            return value
        messages, tools = layout.chat(row, where)
        return {"messages": messages, "tools": tools}


def layout_of(names: Iterable[str], asking: bool = False) -> Layout | None:
    """The layout that the names of a table's columns tell; None where it is a table of texts. Where they are `asking`,
    completions and answers need not be there."""
    named = {name.casefold(): name for name in reversed(list(names))}

    def layout(kind: Any, columns: tuple[str, ...], *beside: str) -> Layout:
        there = tuple(named[name] for name in columns if name in named)
        about = tuple(named[name] for name in (*beside, "tools") if name in named and name not in columns)
        return Layout(kind, there, about, there if kind == "chat" else ())

    for name in CHATS:
        if name in named:
            return layout("chat", (name,), *SYSTEM)
    if {"prompt", "completion"} <= named.keys():
        return layout("completion", ("prompt", "completion"))
    for question, answer in () if "text" in named else PAIRS:
        alone = asking and question in ("instruction", "question", "query")
        if question in named and (answer in named or alone):
            return layout("pair", (question, answer), *SYSTEM, *INPUTS)
    return layout("completion", ("prompt",)) if asking and "prompt" in named else None
