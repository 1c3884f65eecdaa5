"""Tool calls and tools of a chat are dropped without a word, and an empty answer is learnt in their place.

Threads: axolotl#3824 Megatron-Bridge#4072
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_tokenizers import CHATML, TOOLS, byte_level

from hfkit import HfkitError, load_data
from hfkit.inference.generation.prompts import token_ids
from hfkit.tasks.text_generation import TextGeneration

pytestmark = pytest.mark.pain("tool-calls-dropped")

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def chat(content: str | None, number: int = 0, arguments: Any = None) -> list[dict[str, Any]]:
    function = {"name": "weather", "arguments": arguments or {"city": f"city {number}"}}
    return [
        {"role": "user", "content": f"the city {number}?"},
        {"role": "assistant", "content": content, "tool_calls": [{"type": "function", "function": function}]},
        {"role": "tool", "content": f"{number} degrees"},
        {"role": "assistant", "content": f"say {number}"},
    ]


def write(contents: str | None, arguments: Any = None) -> str:
    rows = [{"messages": chat(contents, number, arguments), "tools": [TOOL]} for number in range(12)]
    Path("calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "calls.jsonl"


def test_upstream_learns_an_empty_answer() -> None:
    """Role and content of each message alone, as the threads show it."""
    tokenizer = byte_level(TOOLS)
    bare = [{"role": message["role"], "content": message["content"]} for message in chat("")]
    text = tokenizer.apply_chat_template(bare, tokenize=False)
    assert "assistant\n<|end|>" in text
    assert "weather" not in text


@pytest.mark.parametrize("content", ["", None])
@pytest.mark.parametrize("arguments", [None, '{"city": "as JSON"}'])
def test_hfkit_learns_the_call(content: str | None, arguments: Any) -> None:
    tokenizer = byte_level(TOOLS)
    data = load_data(write(content, arguments), task="text-generation")
    task = TextGeneration(max_length=400, end_token_id=tokenizer.eos_token_id)
    row = task.encode(data["train"], tokenizer)[0]
    text = tokenizer.decode(row["input_ids"])
    assert text.startswith(f"<|start|>system\n{json.dumps([TOOL])}")
    pairs = zip(row["input_ids"], row["learnt"], strict=True)
    learnt = tokenizer.decode([id for id, counts in pairs if counts])
    city = '"as JSON"' if arguments else '"city '
    assert learnt.startswith('<call>{"name": "weather", "arguments": {"city": ' + city)
    assert "</call><|end|>\nsay " in learnt and "degrees" not in learnt and row["bytes"] > 60
    assert text == tokenizer.apply_chat_template(*_read(data["train"][0]), tokenize=False)


def _read(row: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    from hfkit.data.text.chats import unpacked

    return unpacked(row["messages"]), json.loads(row["tools"])


def test_hfkit_asks_with_the_tools_too() -> None:
    asked = token_ids(byte_level(TOOLS), {"messages": chat(None)[:3], "tools": [TOOL]}, "here")
    text = byte_level(TOOLS).decode(asked)
    assert text.count("weather") == 2 and text.endswith("0 degrees<|end|>\n<|start|>assistant\n")


def test_hfkit_refuses_a_template_that_drops_them() -> None:
    data = load_data(write(""), task="text-generation")
    with pytest.raises(HfkitError, match="leaves out the tool 'weather'"):
        TextGeneration(end_token_id=1).encode(data["train"], byte_level(CHATML))
    with pytest.raises(HfkitError, match="leaves out the call of the tool 'weather'"):
        token_ids(byte_level(CHATML), chat("")[:3], "here")
