"""Rivals that learn nothing: BM25, which counts words, and the model as it was before it was tuned.

On 1,190 English questions over 240 paragraphs BM25 is ahead of a small model of sentences, and a tuned one has to show
on its own rows that it is not.
"""

import time
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import AutoModel

from hfkit.data.text.keys import key_of
from hfkit.evaluation.bm25 import BM25
from hfkit.evaluation.metric import as_lists
from hfkit.evaluation.nearest import nearest
from hfkit.models.loading import read_config, read_tokenizer, read_weights
from hfkit.models.names import locate
from hfkit.tasks.rivals import best_first
from hfkit.tasks.sentence_similarity.inference import SentencePipeline, pipeline
from hfkit.tasks.sentence_similarity.metrics import metrics_of
from hfkit.tasks.sentence_similarity.task import SentenceSimilarity
from hfkit.tasks.sentence_similarity.vectors.ranking import KEPT


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """Both rivals, asked about `test`; neither draws anything, nor looks at `train`.

    Args:
        train, test: As `load` gives them.
        settings: The task's; `untuned` names the model before training, and the rest says how it reads texts.
        seed: Of no use.

    Returns:
        name -> {"prediction": the ids of the documents found, or a similarity a pair, "seconds"}. The one that does
        best on these very rows is the first: the verdict on a model is about it.
    """
    rivals = {"bm25": by_words} | ({"untuned": by_untuned} if settings["untuned"] else {})
    found = {}
    for name, rival in rivals.items():
        began = time.perf_counter()
        found[name] = {"prediction": rival(test, settings), "seconds": time.perf_counter() - began}
    given = {"label": test["score"][:]} if "score" in test.column_names else _right(test)
    return best_first(found, metrics_of(settings)[0], given)


def _right(test: Dataset) -> dict[str, list[Any]]:
    """The ids of each query's right documents, as `candidates` names them, and their grades."""
    first: dict[int, str] = {}
    references, grades = [], []
    for texts, ids, row in zip(test["documents"], test["document_ids"], test["grades"], strict=True):
        names = [first.setdefault(key_of(text), id) for text, id in zip(texts, ids, strict=True)]
        right = {name: grade for name, grade in zip(names, row, strict=True) if grade > 0}
        references.append(list(right))
        grades.append(list(right.values()))
    return {"reference": references, "grades": grades}


def by_words(test: Dataset, settings: dict[str, Any]) -> np.ndarray:
    """What BM25 finds; of pairs with a score the score of the second text for the first, as a share of its own."""
    if "score" in test.column_names:
        first, second = test["text"][:], test["text_pair"][:]
        counted = BM25([*first, *second])
        places = range(len(first), 2 * len(first))
        values = [
            counted.scores([one])[0, [own, place]] for own, (one, place) in enumerate(zip(first, places, strict=True))
        ]
        return np.array([value / max(most, 1e-9) for most, value in values])
    names, documents = candidates(test)
    return as_lists(names[row] for row in BM25(documents).highest(test["text"][:], KEPT)[0])


def by_untuned(test: Dataset, settings: dict[str, Any]) -> np.ndarray:
    """What the model found before it was tuned, reading as it does now."""
    before = _untuned(settings)
    queries = before.vectors(test["text"][:], "query")
    if "score" in test.column_names:
        return np.asarray((queries * before.vectors(test["text_pair"][:], "query")).sum(axis=1))
    names, documents = candidates(test)
    return as_lists(names[row] for row in nearest(queries, before.vectors(documents, "document"), KEPT)[0])


def _untuned(settings: dict[str, Any]) -> SentencePipeline:
    folder = locate(settings["untuned"], settings["revision"])
    config = read_config(folder, settings["untuned"])
    config.hfkit = SentenceSimilarity.from_settings(settings).model_kwargs()["hfkit"] | {"normalize": True}
    model, _ = read_weights(folder, config, auto_model=AutoModel)
    return pipeline(model.eval(), read_tokenizer(folder, settings["untuned"]))


def candidates(test: Dataset) -> tuple[np.ndarray, list[str]]:
    """The ids and texts of the documents to search in, each once, in the order in which the model has them."""
    found: dict[int, tuple[str, str]] = {}
    for ids, texts in zip(test["document_ids"], test["documents"], strict=True):
        for id, text in zip(ids, texts, strict=True):
            found.setdefault(key_of(text), (id, text))
    names, documents = zip(*found.values(), strict=True)
    return np.array(names, dtype=object), list(documents)
