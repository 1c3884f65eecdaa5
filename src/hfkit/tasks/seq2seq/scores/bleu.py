"""BLEU from sums over rows (Papineni et al. 2002), equal to sacrebleu's corpus figure in its default settings."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hfkit.tasks.seq2seq.scores.tokenizers import words

ORDER = 4


def bleu_sums(prediction: str, references: Sequence[str], tokenizer: str) -> list[int]:
    """What is summed of a row, (2 + 2 * ORDER,): its words; those of the reference that is nearest in length, of two
    the shorter one; of each order the n-grams that stand in a reference too; and all of the prediction's.

    An n-gram counts as often as it stands in the one reference that has it most often."""
    said = words(prediction, tokenizer)
    right = [words(reference, tokenizer) for reference in references]
    nearest = min(map(len, right), key=lambda length: (abs(length - len(said)), length))
    matches, totals = [], []
    for order in range(1, ORDER + 1):
        found = _ngrams(said, order)
        known: Counter[tuple[str, ...]] = Counter()
        for one in right:
            known |= _ngrams(one, order)
        matches.append((found & known).total())
        totals.append(found.total())
    return [len(said), nearest, *matches, *totals]


def bleu(sums: np.ndarray) -> np.ndarray:
    """BLEU from 0 to 100, (resamples,), of sums (resamples, 2 + 2 * ORDER).

    The geometric mean of the n-gram precisions, times a penalty where the predictions are shorter than the references.
    Orders without a match are smoothed by halving, method 3 of Chen and Cherry 2014; without any match, or where no
    prediction has four words, it is 0."""
    said, right = sums[:, 0], sums[:, 1]
    matches, totals = sums[:, 2 : 2 + ORDER], sums[:, 2 + ORDER :]
    none = matches == 0
    smoothed = np.where(none, 0.5 ** np.cumsum(none, axis=1), matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.exp(np.log(smoothed / totals).mean(axis=1))
        penalty = np.exp(np.minimum(0.0, 1 - right / said))
    defined = (matches.sum(axis=1) > 0) & (totals > 0).all(axis=1)
    return np.where(defined, 100 * penalty * precision, 0.0)


def _ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))
