"""BM25 (Robertson and Zaragoza 2009): how much the words of a query say for a document. Exact, over all documents."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hfkit.evaluation.nearest import BLOCK, highest

K1, B = 1.5, 0.75
"""How soon a word that comes again says no more, and how far a long document is held to say less."""

_CHARACTER = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_WORD = re.compile(rf"{_CHARACTER}+|(?:(?!{_CHARACTER})\w)+")
_UNSPACED = re.compile(_CHARACTER)


def words(text: str) -> list[str]:
    """The words of a text in small letters; of Chinese and Japanese each character and each pair of neighbours."""
    found = []
    for run in _WORD.findall(text.casefold()):
        if _UNSPACED.match(run):
            found += [*run, *(run[at : at + 2] for at in range(len(run) - 1))]
        else:
            found.append(run)
    return found


class BM25:
    """Scores of all documents for a query; a document's words are counted once, when it is made."""

    def __init__(self, documents: Sequence[str]) -> None:
        from scipy.sparse import csr_matrix

        counts = [Counter(words(text)) for text in documents]
        self.places: dict[str, int] = {}
        for one in counts:
            for word in one:
                self.places.setdefault(word, len(self.places))
        lengths = np.array([one.total() for one in counts], dtype=np.float64)
        rows = np.repeat(np.arange(len(counts)), [len(one) for one in counts])
        columns = np.array([self.places[word] for one in counts for word in one], dtype=np.int64)
        times = np.array([number for one in counts for number in one.values()], dtype=np.float64)
        within = np.bincount(columns, minlength=len(self.places))
        rarity = np.log(1 + (len(counts) - within + 0.5) / (within + 0.5))
        norm = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
        values = rarity[columns] * times * (K1 + 1) / (times + norm[rows])
        self.weights: Any = csr_matrix((values, (columns, rows)), shape=(len(self.places), len(counts)))

    def scores(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """(queries, documents); a word that a query has twice counts twice, one that no document has not at all."""
        from scipy.sparse import csr_matrix

        known = [[self.places[word] for word in words(text) if word in self.places] for text in queries]
        rows = np.repeat(np.arange(len(known)), list(map(len, known)))
        columns = np.array([place for row in known for place in row], dtype=np.int64)
        asked = csr_matrix((np.ones(len(columns)), (rows, columns)), shape=(len(known), len(self.places)))
        return np.asarray((asked @ self.weights).toarray())

    def highest(self, queries: Sequence[str], top_k: int) -> tuple[np.ndarray, np.ndarray]:
        """The best documents of each query and their scores, (queries, at most `top_k`), some queries at a time."""
        size = max(1, BLOCK // max(1, self.weights.shape[1]))
        found = []
        for start in range(0, len(queries), size):
            scores = self.scores(queries[start : start + size])
            places = highest(scores, top_k)
            found.append((places, np.take_along_axis(scores, places, axis=1)))
        places, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        return places, scores
