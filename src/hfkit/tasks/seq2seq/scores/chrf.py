"""chrF from sums over rows (Popovic 2015), equal to sacrebleu's corpus figure in its default settings (chrF2)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hfkit.evaluation.metric import ratio

ORDER = 6
BETA = 2  # how much more recall weighs than precision


def chrf_sums(prediction: str, references: Sequence[str]) -> list[int]:
    """What is summed of a row, (3 * ORDER,): of each order of n-grams of characters, spaces left out, how many the
    prediction has, how many the reference has, and how many are in both. Of several references the one with the
    highest chrF counts."""
    found = _all_ngrams(prediction)
    rows = []
    for reference in references:
        right = _all_ngrams(reference)
        row = []
        for said, there in zip(found, right, strict=True):
            # sacrebleu counts no prediction where the reference is too short to have any.
            row += [said.total() if there else 0, there.total(), (said & there).total()]
        rows.append(row)
    if len(rows) == 1:
        return rows[0]
    return rows[int(np.argmax(chrf(np.array(rows, dtype=np.float64))))]


def chrf(sums: np.ndarray) -> np.ndarray:
    """chrF from 0 to 100, (resamples,), of sums (resamples, 3 * ORDER).

    The F of the mean precision and the mean recall, over the orders that both sides have."""
    said, there, both = sums.reshape(len(sums), ORDER, 3).transpose(2, 0, 1)
    defined = (said > 0) & (there > 0)
    orders = np.maximum(defined.sum(axis=1), 1)
    precision, recall = (ratio(both, side).sum(axis=1) / orders for side in (said, there))
    return 100 * ratio((1 + BETA**2) * precision * recall, BETA**2 * precision + recall)


def _all_ngrams(text: str) -> list[Counter[str]]:
    text = "".join(text.split())
    return [
        Counter(text[place : place + order] for place in range(len(text) - order + 1)) for order in range(1, ORDER + 1)
    ]
