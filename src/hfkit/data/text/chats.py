"""Chats as files write them, in one form for training and inference: messages as a chat template reads them."""

import ast
import json
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json

Message = dict[str, Any]
"""`role`, `content` (None where there are only `tool_calls`), and whatever else a template may read."""

ROLES = {"human": "user", "gpt": "assistant", "observation": "tool", "function_response": "tool"}
"""What ShareGPT's files call the roles, where their name is another one."""

FORM = 'messages are objects with role and content: [{"role": "user", "content": "..."}, {"role": "assistant", ...}]'


def holds_messages(value: Any) -> bool:
    """Whether a cell is a list, or as in a CSV the text of one of messages."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return isinstance(value, list)
    try:
        found = _spelled(value, "", "The chat")
    except HfkitError:
        return False
    return bool(found) and all(isinstance(message, dict) and {"role", "from"} & message.keys() for message in found)


def _spelled(text: str, where: str, what: str) -> Any:
    """What a text spells as JSON, or as Python prints it: pandas writes a column of lists so into a CSV. Refuses, as an
    HfkitError, what is neither."""
    try:
        return read_json(text, where, what, "write the column with json.dumps")
    except HfkitError as error:
        if not isinstance(error.__cause__, json.JSONDecodeError):
            raise
        try:
            printed = json.dumps(ast.literal_eval(text.strip()))
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise error from error.__cause__
    return read_json(printed, where, what)


def messages_of(value: Any, where: str) -> list[Message]:
    """The messages of a cell: a list, or the JSON of one; `role` and `content`, or ShareGPT's `from` and `value`. Parts
    of text are joined, arguments of tool calls that are JSON become objects, and keys that are null are left out, as
    Parquet fills them in. Raises HfkitError: it is no list of messages, one lacks its role or its text, or holds other
    parts than text."""
    found = _spelled(value, where, "The chat") if isinstance(value, str) else value
    if not isinstance(found, list):
        raise HfkitError(f"A chat is no list of messages: {str(value)[:80]!r}", where=where, fix=FORM)
    return [_message(message, where) for message in found]


def tools_of(value: Any, where: str) -> list[Any]:
    """The tools of a row: a list of their descriptions, or a text that spells one. Refuses others."""
    found = _spelled(value, where, "The column tools") if isinstance(value, str) and value.strip() else value or []
    if not isinstance(found, list):
        raise HfkitError(f"The tools are no list: {str(value)[:80]!r}", where=where, fix="a list of JSON schemas")
    return [_without_nulls(tool) for tool in found]


def _message(given: Any, where: str) -> Message:
    message = {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else {}
    role, content = message.pop("role", message.pop("from", None)), message.pop("content", message.pop("value", None))
    if role == "function_call" and isinstance(content, str):
        call = {"type": "function", "function": read_json(content, where, "The function call")}
        role, content, message["tool_calls"] = "assistant", None, [call]
    calls = [_call(call, where) for call in message.pop("tool_calls", [])]
    if isinstance(content, list):
        content = "".join(_part(part, where) for part in content)
    if not isinstance(role, str) or not (isinstance(content, str) or (content is None and calls)):
        raise HfkitError(f"A message lacks its role or its text: {str(given)[:80]}", where=where, fix=FORM)
    rest = {key: _without_nulls(value) for key, value in message.items()} | ({"tool_calls": calls} if calls else {})
    return {"role": ROLES.get(role, role), "content": content, **rest}


def _part(part: Any, where: str) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    if not isinstance(text, str):
        what = f"A part of a message is no text: {str(part)[:80]}"
        raise HfkitError(what, where=where, fix="language models read texts alone")
    return text


def _call(call: Any, where: str) -> Message:
    """A tool call with its arguments as an object: templates write JSON of them, and would write that of a string."""
    found = _without_nulls(call)
    function = found.get("function", found) if isinstance(found, dict) else {}
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        fix = '{"type": "function", "function": {"name": "...", "arguments": {...}}}'
        raise HfkitError(f"A tool call names no function: {str(call)[:80]}", where=where, fix=fix)
    if isinstance(arguments := function.get("arguments"), str) and arguments.strip():
        function["arguments"] = read_json(arguments, where, "The arguments of a tool call")
    return dict(found)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def functions(message: Message) -> list[str]:
    """The names of the functions that a message calls."""
    return [call.get("function", call)["name"] for call in message.get("tool_calls", [])]


def said(message: Message) -> str:
    """What a message says, its tool calls as JSON behind its text."""
    calls = message.get("tool_calls")
    return (message["content"] or "") + (json.dumps(calls, ensure_ascii=False) if calls else "")


def is_learnt(message: Message) -> bool:
    """Whether it is an answer that counts: OpenAI's files say `"weight": 0` of those that do not."""
    return bool(message["role"] == "assistant" and message.get("weight", 1))


def packed(messages: list[Message]) -> list[dict[str, str | None]]:
    """Messages as rows of a table: tool calls have no columns of their own, and go as JSON into `extra`."""
    rows = []
    for message in messages:
        rest = {key: value for key, value in message.items() if key not in ("role", "content")}
        extra = {"extra": json.dumps(rest, ensure_ascii=False)} if rest else {}
        rows.append({"role": message["role"], "content": message["content"], **extra})
    return rows


def unpacked(rows: list[dict[str, Any]]) -> list[Message]:
    """The messages that `packed` made rows of."""
    return [{"role": row["role"], "content": row["content"], **json.loads(row.get("extra") or "{}")} for row in rows]
