"""Chats as text: what a tokenizer's template makes of messages, the same in training and in inference."""

import json
import re
from itertools import pairwise
from typing import Any

from transformers import PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError, nearest
from hfkit.data.text.chats import Message, functions, is_learnt, unpacked
from hfkit.data.text.packing import Segment, segments
from hfkit.data.text.special_tokens import BREAK, WRITTEN, parted, special_tokens

ROLES = {"system", "user", "assistant", "tool"}
"""Every chat template is written for these, or says what it does not take."""

FOLDED = "the chat template has no system role: what it says stands before the first user's message"
BARE = "the tokenizer has no chat template: the question, a line end, then the answer"
APART = "the chat template rewrites earlier turns: one sample an answer"
CHANGED = "the chat template leaves out a part of an answer, such as its thinking"


def samples(row: dict[str, Any], processor: PreTrainedTokenizerBase) -> tuple[list[list[Segment]], str]:
    """What is read of a row (`text`; `prompt` and `completion`; or `messages`, perhaps with `tools`): one document, or
    where a chat's template rewrites earlier turns one an answer; and what is to be said of that, if anything. Raises
    HfkitError: as `rendered`, or the template does not begin an answer as it asks for one."""
    if "messages" not in row:
        return _plain(segments(row), processor)
    messages, tools = unpacked(row["messages"]), json.loads(row.get("tools") or "[]")
    question = bare(messages[:1], tools) if [is_learnt(message) for message in messages] == [False, True] else None
    if question and not processor.chat_template and not functions(messages[1]):
        return _plain([Segment(question, False), Segment(messages[1]["content"], True)], processor, BARE)
    where, turns, notes = f"row {row.get('id', '')}, column messages", [], []
    for place in (place for place, message in enumerate(messages) if is_learnt(message)):
        asked, folded = rendered(processor, messages[:place], tools, where, add_generation_prompt=True)
        told, _ = rendered(processor, messages[: place + 1], tools, where)
        if not told.startswith(asked):
            what = f"The chat template asks for an answer with {asked[-40:]!r} and does not begin it so"
            raise HfkitError(what, where=where, fix="give each answer as a row of prompt and completion")
        turns.append((asked, told))
        notes += [note for note, holds in ((FOLDED, folded), (WRITTEN, BREAK in asked)) if holds]
        notes += [] if _within(messages[place]["content"] or "", told[len(asked) :]) else [CHANGED]
    apart = any(not asked.startswith(told) for (_, told), (asked, _) in pairwise(turns))
    starts = [0] * len(turns) if apart else [0, *(len(told) for _, told in turns[:-1])]
    found = [
        [Segment(asked[start:], False, special=True), Segment(told[len(asked) :], True, special=True)]
        for start, (asked, told) in zip(starts, turns, strict=True)
    ]
    notes += [APART] if apart else []
    return (found if apart else [[part for turn in found for part in turn]]), "; ".join(dict.fromkeys(notes))


def _plain(parts: list[Segment], processor: PreTrainedTokenizerBase, *notes: str) -> tuple[list[list[Segment]], str]:
    """What no template writes, as one document."""
    written = any(special_tokens(processor).search(part.text) for part in parts)
    return [parts], "; ".join([*notes, *([WRITTEN] if written else [])])


def bare(messages: list[Message], tools: list[Any]) -> str | None:
    """The prompt of a single question, which needs no template; None for other chats."""
    lone = len(messages) == 1 and messages[0]["role"] == "user" and not tools
    return f"{messages[0]['content']}\n" if lone else None


def rendered(
    processor: PreTrainedTokenizerBase, messages: list[Message], tools: list[Any], where: str, **how: Any
) -> tuple[str, bool]:
    """Messages as the chat template writes them, and whether the system's message was moved.

    A system message that it refuses or leaves out stands before the first user's message, as Gemma's template has it.
    What others than the assistant write like a special token is `parted`, so that none of theirs ends a turn. `how` is
    `add_generation_prompt` or `continue_final_message`. Raises HfkitError: there is no template, it knows no such role,
    does not take these messages, or leaves out what somebody says, a tool or a tool call."""
    template = processor.chat_template
    if not template:
        fix = "choose a chat model (an -Instruct), or let it continue texts: prompt and completion, or text;"
        fix += " hfkit generate RUN --prompt TEXT"
        raise HfkitError("The tokenizer has no chat template: the model has not learnt to chat", where=where, fix=fix)
    known = ROLES | set(re.findall(r"""role['"]?\]?\s*[!=]=\s*['"](\w+)['"]""", str(template)))
    if odd := next((message["role"] for message in messages if message["role"] not in known), None):
        raise HfkitError(f"The chat template knows no role {odd!r}", where=where, fix=nearest(odd, known))
    problems = [] if messages else [HfkitError("The chat has no messages before its answer", where=where)]
    messages = [parted(processor, message) for message in messages]
    for turns in (messages, _folded(messages)):
        if not turns:
            continue
        try:
            text = str(processor.apply_chat_template(turns, tools=tools or None, tokenize=False, **how))
        except Exception as error:  # templates raise what they like
            problems.append(HfkitError(f"The chat template does not take these messages: {error}", where=where))
            continue
        lost = _lost(turns, tools, text)
        if lost is None:
            return text, turns is not messages
        fix = f"choose a model whose template knows it, or give the text to another role: {', '.join(sorted(known))}"
        problems.append(HfkitError(f"The chat template leaves out {lost}", where=where, fix=fix))
    raise problems[0]


def _folded(messages: list[Message]) -> list[Message]:
    """The system's message before the first user's; nothing where they do not follow each other."""
    if [message["role"] for message in messages[:2]] != ["system", "user"]:
        return []
    system, user, *rest = messages
    return [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *rest]


def _lost(messages: list[Message], tools: list[Any], text: str) -> str | None:
    """What others than the assistant say, whose answers may be rewritten, or a function, that is not in the text."""
    for message in messages:
        content = message["content"] or ""
        escaped = json.dumps(content, ensure_ascii=False)[1:-1]
        if message["role"] != "assistant" and not (_within(content, text) or escaped in text):
            return f"what {message['role']} says: {content[:80]!r}"
    called = [(name, "call of the tool") for message in messages for name in functions(message)]
    given = [tool.get("function", tool) for tool in tools if isinstance(tool, dict)]
    called += [(tool["name"], "tool") for tool in given if isinstance(tool, dict) and "name" in tool]
    return next((f"the {what} {name!r}" for name, what in called if name not in text), None)


def _within(content: str, text: str) -> bool:
    """Whether it stands in the text; templates trim."""
    return content.strip() in text or "".join(content.split()) in "".join(text.split())
