"""What a tokenizer loses: tokens that stand for a text it has no words for, and texts that it cannot tell apart."""

from collections import defaultdict
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

MUCH = 0.1  # share from which the tokenizer does not know the texts' script


def lost_in_tokens(processor: PreTrainedTokenizerBase, split: Dataset, encoded: Dataset) -> dict[str, Any]:
    """What is lost of a split's texts, whatever their length, by the same rows as the task has `encoded` them.

    Returns:
        `unknown`: the share of the texts' tokens that are the unknown token; `equal` and `equal_share`: different texts
        that became the tokens of another one. Texts that differ in case or spaces alone, which many tokenizers mean
        to lose, count as one; those that were cut are left out. Nothing of what has no tokens.
    """
    if "input_ids" not in encoded.column_names:
        return {}
    ids = _flat(encoded)
    roles = {getattr(processor, f"{role}_token_id") for role in ("bos", "eos", "pad", "cls", "sep", "mask")}
    unknown = None if processor.unk_token_id in roles else processor.unk_token_id  # GPT-2's is its end token
    special = sorted(set(processor.all_special_ids) - {unknown})
    written = ids.size - np.isin(ids, special).sum()
    share = 0.0 if unknown is None else float((ids == unknown).sum() / max(written, 1))
    equal, texts = _equal(split, encoded, ids) if "text" in split.column_names else (0, 0)
    return {"unknown": share, "equal": equal, "equal_share": equal / max(texts, 1)}


def _flat(encoded: Dataset) -> np.ndarray:
    """The token ids of all rows, one after the other."""
    parts = [np.zeros(0, dtype=np.int32)]
    for chunk in encoded.with_format("arrow")[:]["input_ids"].chunks:
        while chunk.type.num_fields:  # lists of numbers; of lists, for windows
            chunk = chunk.flatten()
        parts.append(chunk.to_numpy(zero_copy_only=False))
    return np.concatenate(parts)


def _equal(split: Dataset, encoded: Dataset, ids: np.ndarray) -> tuple[int, int]:
    """Different texts that share their tokens with another one, and all different texts."""
    lengths = np.asarray(encoded["length"][:], dtype=np.int64)
    if len(split) != len(encoded) or lengths.sum() != ids.size:
        return 0, 0  # a language model's rows, which keep every text apart
    ends = np.cumsum(lengths)
    texts = [split[name][:] for name in ("text", "text_pair") if name in split.column_names]
    found: dict[int, set[int]] = defaultdict(set)
    for row, cut in enumerate(encoded["truncated"][:]):
        if not cut:
            words = [" ".join((column[row] or "").casefold().split()) for column in texts]
            found[hash(ids[ends[row] - lengths[row] : ends[row]].tobytes())].add(hash(tuple(words)))
    sizes = [len(same) for same in found.values()]
    return sum(size for size in sizes if size > 1), sum(sizes)
