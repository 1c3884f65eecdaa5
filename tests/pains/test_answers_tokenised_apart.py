"""Prompt and answer are tokenised apart, and a SentencePiece model learns a space that is not there.

Threads: NeMo-RL#2844
"""

from typing import Any

import pytest
from datasets import Dataset
from tiny_tokenizers import INSTRUCT, byte_level, sentence_piece

from hfkit.inference.generation.prompts import token_ids
from hfkit.tasks.text_generation import TextGeneration

pytestmark = pytest.mark.pain("answers-tokenised-apart")

SCHEMES = ("first", "always", "legacy")


def read(tokenizer: Any, row: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The tokens of a row that a model reads, and those of them that it learns."""
    task = TextGeneration(max_length=64, start_token_id=tokenizer.bos_token_id, end_token_id=tokenizer.eos_token_id)
    (encoded,) = task.encode(Dataset.from_list([row]), tokenizer)
    pairs = zip(encoded["input_ids"], encoded["learnt"], strict=True)
    return encoded["input_ids"], [id for id, learnt in pairs if learnt]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_upstream_learns_a_space(scheme: str) -> None:
    tokenizer = sentence_piece(scheme)
    ids = [id for text in ("2+2=", "4") for id in tokenizer(text, add_special_tokens=False)["input_ids"]]
    assert tokenizer.convert_ids_to_tokens(ids)[-1] == "▁4"
    assert tokenizer.decode(ids) == "2+2= 4"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_hfkit_learns_what_is_written(scheme: str) -> None:
    tokenizer = sentence_piece(scheme)
    ids, learnt = read(tokenizer, {"prompt": "2+2=", "completion": "4"})
    assert tokenizer.convert_ids_to_tokens(learnt) == ["4", "</s>"]
    assert ids[1 : -len(learnt)] == token_ids(tokenizer, "2+2=", "here")
    _, spaced = read(tokenizer, {"prompt": "2+2=", "completion": " 4"})
    assert tokenizer.convert_ids_to_tokens(spaced) == ["▁4", "</s>"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_hfkit_learns_it_where_a_tokenizer_says_no_places(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = sentence_piece(scheme, INSTRUCT)
    rows: list[dict[str, Any]] = [{"prompt": "2+2=", "completion": "4"}, {"prompt": "say", "completion": " the"}]
    rows.append({"messages": [{"role": "user", "content": "say 1"}, {"role": "assistant", "content": "1"}]})
    fast = [read(tokenizer, row) for row in rows]
    monkeypatch.setattr(type(tokenizer), "is_fast", False)
    assert [read(tokenizer, row) for row in rows] == fast


@pytest.mark.parametrize("scheme", SCHEMES)
def test_hfkit_reads_a_chat_as_it_will_be_asked(scheme: str) -> None:
    tokenizer = sentence_piece(scheme, INSTRUCT)
    said = [("user", "say 1"), ("assistant", "1"), ("user", "say 2"), ("assistant", "2")]
    messages = [{"role": role, "content": content} for role, content in said]
    ids, learnt = read(tokenizer, {"messages": messages})
    assert tokenizer.convert_ids_to_tokens(learnt) == ["1", "</s>", "2", "</s>"]
    assert ids[:-2] == token_ids(tokenizer, messages[:3], "here")


@pytest.mark.parametrize("prompt, completion", [("say: ", "the"), ("say t", "he"), ("say\n", "\nthe"), ("", "say")])
@pytest.mark.parametrize("kind", ["bytes", *SCHEMES])
def test_hfkit_cuts_where_a_token_would_run_across(kind: str, prompt: str, completion: str) -> None:
    tokenizer = byte_level() if kind == "bytes" else sentence_piece(kind)
    ids, learnt = read(tokenizer, {"prompt": prompt, "completion": completion})
    before = len(ids) - len(learnt)
    asked = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert ids[:before][-len(asked) or before :] == asked  # as it will be asked
    if "\n" not in prompt or kind == "bytes":  # the others know no line end
        assert tokenizer.decode(ids, skip_special_tokens=True).lstrip(" ") == prompt + completion
