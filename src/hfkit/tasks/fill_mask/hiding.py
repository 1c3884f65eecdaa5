"""Hiding: which words of a text the model does not see, and what it is shown in their place."""

from typing import Any

import numpy as np
import torch

from hfkit.tasks.fill_mask.words import NONE

MASKED, RANDOM = 0.8, 0.1
"""Of the hidden words in training: shown as the mask token, and as random tokens; the others stay, so that the model
learns to say each word anew, whatever it sees there (Devlin et al. 2019, section 3.1)."""


def hidden_words(count: int, probability: float, seed: int, row: int) -> np.ndarray:
    """The numbers of a text's words that are hidden when it is judged, sorted: always the same for (seed, row).

    Masks that are drawn anew at each look make two looks incomparable: how hard a text is depends on its masks more
    than on an epoch of training. At least one word is hidden, where there is one.
    """
    if not count:
        return np.zeros(0, dtype=int)
    number = max(1, round(probability * count))
    return np.sort(np.random.default_rng([seed, row]).choice(count, number, replace=False))


def numbered(words: np.ndarray, hidden: list[int]) -> np.ndarray:
    """(tokens,): of each token of a hidden word the number of the word among those; NONE of the others."""
    return np.where(np.isin(words, hidden), np.searchsorted(hidden, words), NONE)


def shown(ids: np.ndarray, words: np.ndarray, mask: int, vocabulary: int, probability: float, key: list[int]) -> Any:
    """A window as training shows it, drawn by `key`.

    Returns:
        The tokens that the model sees, and whether each is hidden, (tokens,). A word has one fate: mask, random tokens,
        or itself.
    """
    rng = np.random.default_rng(key)
    there = np.unique(words[words != NONE])
    drawn = rng.choice(there, max(1, round(probability * len(there))), replace=False)
    fate = rng.random(len(drawn))
    seen = ids.copy()
    seen[np.isin(words, drawn[fate < MASKED])] = mask
    at_random = np.isin(words, drawn[(fate >= MASKED) & (fate < MASKED + RANDOM)])
    seen[at_random] = rng.integers(vocabulary, size=int(at_random.sum()))
    return seen, np.isin(words, drawn)


def told(model: Any, inputs: dict[str, torch.Tensor], kept: torch.Tensor) -> torch.Tensor:
    """(kept places, vocabulary): what the model says where `kept`, (rows, tokens), is true.

    The output layer is asked there alone. Over a vocabulary it is as much work as all the rest of a small encoder, and
    its answers to what is not hidden would be thrown away: MiniLM learns twice as fast so.
    """
    head = getattr(model, "module", model).get_output_embeddings()
    hook = head and head.register_forward_pre_hook(lambda _, given: (given[0][kept], *given[1:]))
    try:
        logits: torch.Tensor = model(**inputs).logits
    finally:
        if hook:
            hook.remove()
    return logits[kept] if logits.ndim == 3 else logits  # of a model whose output layer is elsewhere
