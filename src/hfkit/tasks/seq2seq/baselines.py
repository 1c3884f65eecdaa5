"""Rivals that cost seconds: the source as it is, the answer to the most similar source, and word by word; of summaries
the first sentences.

They run on every run, on the same rows as the model. On news the first three sentences were ahead of most published
summarizers for years (See et al. 2017), and where few thousand pairs are learnt, the nearest one is hard to beat.
"""

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.tasks.rivals import Answer, best_first, drawn
from hfkit.tasks.seq2seq.metrics import metrics_of
from hfkit.tasks.seq2seq.pairs.scripts import UNSPACED, main_script
from hfkit.tasks.seq2seq.scores.rouge import WORD

MOST_PAIRS = 100_000  # of training, for the nearest one: with more, a sample that the seed draws

MOST_CELLS = 6_000_000
"""Of IBM model 1: a source word beside a target word, in one pair. With more, a sample of pairs that the seed draws.
20,000 pairs of ten words have 2 million; six take some seconds and half a gigabyte."""

ITERATIONS = 5

_TOKEN = re.compile(rf"{WORD}|\S")
_ABBREVIATED = r"(?<!\b(?:Mr|Ms|Dr|St)\.)(?<!\bMrs\.)(?<!\b[A-Z]\.)"
_SENTENCE_END = re.compile(rf"""(?:(?<=[.!?]){_ABBREVIATED}|(?<=[.!?]["'”’)]))\s+|(?<=[。！？])(?![」』”])|\n+""")


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, Answer]:
    """The rivals of a job, the `task` of the settings, fitted on `train` and asked about `test`. `seed` draws the
    training pairs that are looked at where there are too many. name -> {"prediction": (rows,) texts, "seconds"}, and
    "rows" where it was fitted on fewer than all. The one that does best on these very rows is the first: the verdict on
    a model is about it."""
    sources, targets, asked = train["source"][:], train["target"][:], test["source"][:]
    rivals: dict[str, Callable[[], Answer]]
    if settings["task"] == "summarization":
        rivals = {f"lead_{count}": partial(leads, asked, count) for count in (3, 1)}
    else:
        rivals = {
            "nearest_training_pair": partial(nearest, sources, targets, asked, seed),
            "word_by_word": partial(word_by_word, sources, targets, asked, seed),
            "copy_of_the_source": lambda: {"prediction": asked},
        }
    answers = {name: _timed(rival) for name, rival in rivals.items()}
    return best_first(answers, metrics_of(settings)[0], {"references": test["references"][:]})


def _timed(answer: Callable[[], Answer]) -> Answer:
    began = time.perf_counter()
    found = answer()
    # As objects: numpy's own texts are all as long as the longest.
    prediction = np.array(found["prediction"], dtype=object)
    return found | {"prediction": prediction, "seconds": time.perf_counter() - began}


def leads(sources: Sequence[str], count: int) -> Answer:
    """The first sentences of each text."""
    parted = ([part.strip() for part in _SENTENCE_END.split(source) if part.strip()] for source in sources)
    return {"prediction": [" ".join(sentences[:count]) for sentences in parted]}


def nearest(sources: Sequence[str], targets: Sequence[str], asked: Sequence[str], seed: int) -> Answer:
    """The target of the training pair whose source is most similar: by the cosine of the TF-IDF of its words and pairs
    of words, which are characters in scripts without spaces."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = drawn(len(sources), MOST_PAIRS, seed)
    vectorizer = TfidfVectorizer(token_pattern=_TOKEN.pattern, ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
    known = vectorizer.fit_transform([sources[row] for row in rows]).T.tocsc()
    vectors = vectorizer.transform(asked)
    best = [
        (vectors[start : start + 256] @ known).toarray().argmax(axis=1) for start in range(0, vectors.shape[0], 256)
    ]
    return {"prediction": [targets[rows[row]] for row in chain.from_iterable(best)], "rows": len(rows)}


def word_by_word(sources: Sequence[str], targets: Sequence[str], asked: Sequence[str], seed: int) -> Answer:
    """Each word by the one it most probably becomes, in the order of the source; one that training never shows, as it
    is."""
    parted = main_script(targets[:1000]) not in UNSPACED
    pairs = [
        (_TOKEN.findall(source.lower()), _TOKEN.findall(target))
        for source, target in zip(sources, targets, strict=True)
    ]
    sizes = np.array([(len(source) + 1) * len(target) for source, target in pairs])
    order = np.random.default_rng(seed).permutation(len(pairs))
    rows = order[np.cumsum(sizes[order]) <= MOST_CELLS]
    best = ibm1([pairs[row] for row in sorted(rows)])
    said = [[best.get(word.lower(), word) for word in _TOKEN.findall(source)] for source in asked]
    return {"prediction": [(" " if parted else "").join(words) for words in said], "rows": len(rows)}


def ibm1(pairs: Sequence[tuple[list[str], list[str]]], iterations: int = ITERATIONS) -> dict[str, str]:
    """Of each source word the most probable target word, by IBM model 1 (Brown et al. 1993), fitted by EM: every target
    word of a pair comes of one of its source words or of none, all of them equally likely at first."""
    source_ids: dict[str, int] = {"": 0}  # what a target word comes of that comes of none
    target_ids: dict[str, int] = {}
    cells, columns, column = [], [], 0
    for source, target in pairs:
        ids = np.array([0, *(source_ids.setdefault(word, len(source_ids)) for word in source)], dtype=np.int64)
        becomes = np.array([target_ids.setdefault(word, len(target_ids)) for word in target], dtype=np.int64)
        cells.append((ids[:, None] << 32 | becomes[None, :]).ravel())
        columns.append(np.tile(np.arange(column, column + len(target), dtype=np.int32), len(ids)))
        column += len(target)
    if not cells:
        return {}
    # A cell is a source word beside a target word in one pair; equal ones share a probability.
    known, entry = np.unique(np.concatenate(cells), return_inverse=True)
    target_word = np.concatenate(columns)
    sources, targets = known >> 32, known & 0xFFFFFFFF
    probability = np.full(len(known), 1 / len(target_ids))
    for _ in range(iterations):
        weight = probability[entry]
        weight /= np.bincount(target_word, weights=weight, minlength=column)[target_word]
        expected = np.bincount(entry, weights=weight, minlength=len(known))
        probability = expected / np.bincount(sources, weights=expected)[sources]
    order = np.lexsort((targets, -probability, sources))  # the likeliest first; of two, the one that was seen first
    first = order[np.unique(sources[order], return_index=True)[1]]
    source_words, target_words = list(source_ids), list(target_ids)
    return {source_words[sources[at]]: target_words[targets[at]] for at in first if sources[at]}
