"""Baselines that cost seconds: the majority class, and TF-IDF with logistic regression. A fine-tuned model that a bag
of words can match should not be shown without it.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.tasks import rivals
from hfkit.tasks.rivals import Answer, linear, majority, targets

# A word is a run of letters and digits, one letter included; Chinese and Japanese, written without spaces, go
# character by character, so that their 1-2-grams are the usual strong features.
_CJK = "぀-ヿ㐀-鿿豈-﫿"
_TOKEN = rf"(?u)[{_CJK}]|[^\W{_CJK}]+"
# Below so many rows a word that occurs once still has to count.
_FEW_ROWS = 500


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, Answer]:
    problem, labels = settings["problem_type"], settings["labels"]
    truth, classes = targets(train, problem, labels)
    words = tfidf_logreg(train, test, problem, labels, seed)
    return {"tfidf_logreg": words, "majority": majority(truth, len(test), problem, classes)}


def tfidf_logreg(
    train: Dataset, test: Dataset, problem_type: str, labels: Sequence[str] | None = None, seed: int = 0
) -> Answer:
    """TF-IDF of words and word pairs, and logistic regression (one a label for multi-label, ridge for regression).

    The setting is the common strong one, not tuned on these rows: sublinear counts, words that occur at least twice,
    C = 10. `train` and `test` have columns text[, text_pair] and label, `problem_type` is as in a transformers config,
    `seed` that of the solver. Answers are in the order of `labels`, by default the data set's own."""
    start = time.perf_counter()
    truth, classes = targets(train, problem_type, labels)
    vectorizer, seen = _vectorized(train)
    unseen = vectorizer.transform(_texts(test))
    answer = linear(seen, truth, unseen, problem_type, classes, seed)
    return answer | {"seconds": time.perf_counter() - start}


def out_of_fold(rows: Dataset, settings: dict[str, Any], seed: int) -> np.ndarray:
    """Probabilities (rows, classes) for each row by `tfidf_logreg` of others; words are weighed over all rows."""
    truth, classes = targets(rows, settings["problem_type"], settings["labels"])
    return rivals.out_of_fold(_vectorized(rows)[1], truth, classes, seed)


def _vectorized(train: Dataset) -> tuple[Any, Any]:
    """What makes numbers of texts, fitted on these, and theirs (rows, features)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        min_df=2 if len(train) >= _FEW_ROWS else 1,
        token_pattern=_TOKEN,
        dtype=np.float32,
    )
    try:
        seen = vectorizer.fit_transform(_texts(train))
    except ValueError:  # not a word in the texts ("!!", ":-)"): what is left is characters
        vectorizer.set_params(analyzer="char", token_pattern=None, min_df=1)
        seen = vectorizer.fit_transform(_texts(train))
    return vectorizer, seen


def _texts(data: Dataset) -> list[str]:
    if "text_pair" not in data.column_names:
        return list(data["text"])
    return [f"{first} {second}" for first, second in zip(data["text"], data["text_pair"], strict=True)]
