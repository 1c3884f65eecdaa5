"""Tiny tokenizers of the kinds that read a text differently, and chat templates of the kinds that models have."""

import json
from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

START, END = "<|start|>", "<|end|>"

CHATML = (
    "{% for m in messages %}" + START + "{{ m.role + '\\n' + m.content }}" + END + "\n{% endfor %}"
    "{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)
TOOLS = (
    "{% if tools %}" + START + "system\n{{ tools | tojson }}" + END + "\n{% endif %}"
    "{% for m in messages %}" + START + "{{ m.role + '\\n' + (m.content or '') }}"
    "{% for c in m.tool_calls %}<call>{{ c.function | tojson }}</call>{% endfor %}" + END + "\n{% endfor %}"
    "{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)
THINKING = (  # as Qwen3's: answers before the last question lose what they thought
    "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}"
    "{% endif %}{% endfor %}{% for m in messages %}" + START + "{{ m.role }}\n{% if m.role == 'assistant' and"
    " loop.index0 < ns.last %}{{ m.content.split('</think>')[-1].strip() }}{% else %}{{ m.content }}{% endif %}"
    + END
    + "\n{% endfor %}{% if add_generation_prompt %}"
    + START
    + "assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
)
SILENT = "{% for m in messages if m.role != 'system' %}" + CHATML.removeprefix("{% for m in messages %}")
INSTRUCT = (
    "{% for m in messages %}{% if m.role == 'user' %}<s>[INST] {{ m.content }} [/INST]"
    "{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"
)

TEXTS = [f"{a}+{b}= {a + b} say city user assistant the of name capital" for a in range(10) for b in range(10)]
LETTERS = [chr(code) for code in range(33, 127)]


@cache
def _byte_level() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[START, END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return str(tokenizer.to_str())


def byte_level(template: str | None = None) -> Any:
    """Pairs of bytes, as GPT-2's and Qwen's."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(_byte_level()), eos_token=END)
    tokenizer.chat_template = template
    return tokenizer


def sentence_piece(scheme: str = "first", template: str | None = None) -> Any:
    """A space before each text: `first` and `always` as Metaspace writes it, `legacy` as Llama-2's normalizer."""
    words = ["▁", *LETTERS, "▁say", "▁the", "say", *(f"▁{digit}" for digit in range(10))]
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>", *words])}
    tokenizer = Tokenizer(models.Unigram([(word, -len(words) / len(word)) for word in vocabulary], unk_id=0))
    if scheme == "legacy":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=False)
    steps = [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    found = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()))),
        bos_token="<s>", eos_token="</s>", unk_token="<unk>",
    )  # fmt: skip
    found.chat_template = template
    return found
