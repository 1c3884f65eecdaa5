"""Long texts: what a model with a limit gets to read of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from transformers import BatchEncoding, PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError

COLUMNS = {"input_ids", "token_type_ids"}
NO_LIMIT = 10**6  # tokenizers without a limit say 10**30
MODEL_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""What a tokenizer makes of a text, in so far as a model takes it."""

PADDED_POSITIONS = ("roberta", "camembert", "mpnet", "longformer", "data2vec-text", "esm", "luke", "ibert", "xmod")
"""Families that count positions from padding_idx + 1, and so read that many tokens less than they have positions."""


@dataclass(frozen=True)
class Truncation:
    """How texts become token ids of at most `max_length`, special tokens included.

    `head` and `tail` are the tokenizer's own truncation. `head_tail` keeps a quarter from the start and three quarters
    from the end: reviews open with their subject and close with their verdict. Of a pair the longer text is shortened
    first, until both are equally long. `windows` keeps everything: window after window of `max_length` tokens, each
    sharing `stride` tokens with the one before."""

    max_length: int | None
    long_text: str = "head"
    stride: int = 128

    @classmethod
    def settle(
        cls,
        max_length: int | None,
        long_text: str,
        stride: int,
        pair: bool,
        model_config: PreTrainedConfig,
        processor: PreTrainedTokenizerBase,
    ) -> Self:
        """What holds for this model. `max_length` None becomes the model's limit; the tokenizer is told. Raises
        HfkitError: more tokens than the model has positions; no room for text; a stride as long as the window; a
        tokenizer written in Python, for which transformers gives neither windows nor token origins."""
        longer = ", and --long_text windows to read longer texts whole"
        max_length = limit(max_length, model_config, processor, longer=longer)
        if max_length is not None:
            room = max_length - processor.num_special_tokens_to_add(pair)
            if room < 1:
                raise HfkitError("No text fits beside the special tokens.", where=f"--max_length {max_length}")
            if long_text == "windows" and stride >= room:
                what = f"Windows of {room} tokens of text cannot share {stride}."
                raise HfkitError(what, where=f"--stride {stride}", fix=f"a stride below {room}, such as {room // 2}")
        if long_text in ("head_tail", "windows") and not processor.is_fast:
            what = f"The tokenizer {type(processor).__name__} has no fast version, which {long_text} needs."
            raise HfkitError(what, where=f"--long_text {long_text}", fix="--long_text head or tail")
        processor.truncation_side = "left" if long_text == "tail" else "right"
        processor.init_kwargs["truncation_side"] = processor.truncation_side  # or save_pretrained leaves it out
        return cls(max_length, long_text, stride)

    def encode(
        self, processor: PreTrainedTokenizerBase, texts: list[str], pairs: list[str] | None = None
    ) -> dict[str, list[Any]]:
        """`input_ids` and, where the tokenizer makes them, `token_type_ids`: a list of numbers for each text, or with
        windows a list of such lists; `length`: its tokens, of all windows; `truncated`: whether any were lost."""
        encoded, lost = self._encode(processor, list(texts), None if pairs is None else list(pairs))
        columns = {name: encoded[name] for name in COLUMNS & encoded.keys()}
        windows = self.long_text == "windows" and self.max_length is not None
        lengths = [sum(map(len, row)) if windows else len(row) for row in columns["input_ids"]]
        for row in [row for row, length in enumerate(lengths) if length == 0]:
            # Without special tokens an empty text has no token at all, and a model has to read one.
            for name in columns:
                token = processor.pad_token_id if name == "input_ids" else 0
                columns[name][row] = [[token]] if windows else [token]
            lengths[row] = 1
        return {**columns, "length": lengths, "truncated": lost}

    def _encode(
        self, processor: PreTrainedTokenizerBase, texts: list[str], pairs: list[str] | None
    ) -> tuple[Mapping[str, Any], list[bool]]:
        if self.max_length is None or self.long_text == "head_tail":
            return self._head_and_tail(processor(texts, pairs, return_attention_mask=False, verbose=False))
        processor.truncation_side = "left" if self.long_text == "tail" else "right"
        cut = {"truncation": True, "max_length": self.max_length, "return_attention_mask": False}
        if self.long_text == "windows":
            encoded = processor(texts, pairs, stride=self.stride, return_overflowing_tokens=True, **cut)
            return _windows(encoded, len(texts)), [False] * len(texts)
        encoded = processor(texts, pairs, **cut)
        if processor.is_fast:
            lost = [bool(encoding.overflowing) for encoding in encoded.encodings]
        else:
            whole = processor(texts, pairs, return_attention_mask=False, verbose=False)
            lost = [len(row) > self.max_length for row in whole["input_ids"]]
        return encoded, lost

    def _head_and_tail(self, encoded: BatchEncoding) -> tuple[BatchEncoding, list[bool]]:
        """Cut the middle out of what is too long. The special tokens, wherever the tokenizer put them, stay."""
        rows = encoded["input_ids"]
        limit = self.max_length or max(map(len, rows), default=0)
        lost = [len(row) > limit for row in rows]
        for index in [index for index, cut in enumerate(lost) if cut]:
            kept = _kept(encoded.sequence_ids(index), limit)
            for name in COLUMNS & encoded.keys():
                encoded[name][index] = [encoded[name][index][place] for place in kept]
        return encoded, lost


def _kept(sequence_ids: list[int | None], limit: int) -> list[int]:
    """Places of a row that head_tail keeps; `sequence_ids` says of each token which text it is of, None for special."""
    texts = [[place for place, text in enumerate(sequence_ids) if text == number] for number in (0, 1)]
    room = limit - sum(text is None for text in sequence_ids)
    short, long = sorted(len(text) for text in texts)
    short = min(short, room // 2)
    sizes = [short, min(long, room - short)] if len(texts[0]) <= len(texts[1]) else [min(long, room - short), short]
    kept = {place for place, text in enumerate(sequence_ids) if text is None}
    for text, size in zip(texts, sizes, strict=True):
        head = size // 4
        kept.update(text[:head], text[len(text) - (size - head) :])
    return sorted(kept)


def _windows(encoded: BatchEncoding, count: int) -> dict[str, list[Any]]:
    """The tokenizer's flat list of windows, gathered by the text that each came from."""
    of_text: list[list[int]] = [[] for _ in range(count)]
    for window, text in enumerate(encoded["overflow_to_sample_mapping"]):
        of_text[text].append(window)
    return {name: [[encoded[name][i] for i in each] for each in of_text] for name in COLUMNS & encoded.keys()}


def positions_of(model_config: PreTrainedConfig) -> int | None:
    """Tokens that a model has positions for; None where it has no such limit (T5, an LSTM)."""
    config = getattr(model_config, "backbone_config", None) or model_config
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return None
    if any(family in config.model_type for family in PADDED_POSITIONS):
        return positions - config.pad_token_id - 1
    return positions


def around(processor: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before a text and after it."""
    encoded: Any = processor("a", verbose=False)
    of = encoded.word_ids()
    inside = [place for place, word in enumerate(of) if word is not None]
    ids = encoded["input_ids"]
    return list(ids[: inside[0]]), list(ids[inside[-1] + 1 :])


def limit(
    asked: int | None,
    model_config: PreTrainedConfig,
    processor: PreTrainedTokenizerBase,
    usual: int | None = None,
    tell: bool = True,
    longer: str = "; longer texts are read in windows",
) -> int | None:
    """Tokens that a model reads at once of a text: those asked for, else at most its limit and the `usual` number. The
    tokenizer is told, but for `tell`. Raises HfkitError: more are asked for than the model has positions; what becomes
    of `longer` texts is said then."""
    positions = positions_of(model_config)
    told = processor.model_max_length if processor.model_max_length < NO_LIMIT else None
    if asked and positions and asked > positions:
        fix = f"--max_length {positions}{longer}"
        raise HfkitError(f"The model reads at most {positions} tokens.", where=f"--max_length {asked}", fix=fix)
    length = asked or min((limit for limit in (positions, told, usual) if limit), default=None)
    if length is not None and tell:
        processor.model_max_length = length
    return length
