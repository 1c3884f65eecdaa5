"""Taggers that cost seconds: a linear-chain CRF on features of words, for ten years the state of the art for names in
edited text (Sutton & McCallum 2012), and each word's most frequent tag.
"""

import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

ITERATIONS = 100  # steps of L-BFGS. More gain little: the regularisation holds the weights.

_SHAPES = str.maketrans(dict.fromkeys(range(65, 91), "X") | dict.fromkeys(range(97, 123), "x"))


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """Both rivals, fitted on `train` and asked about `test`, whose columns are those of `load`; neither draws anything.
    name -> {"prediction": a list of tags a text, by the model's order of the labels, "seconds"}."""
    names = train.features["label"].feature.names
    ids = {name: number for number, name in enumerate(settings["labels"])}
    tags = [[ids[names[tag]] for tag in row] for row in train["label"][:]]
    words, asked = train["tokens"][:], test["tokens"][:]
    found = {}
    for name, tagger in (("CRF", crf), ("most_frequent_tag", most_frequent_tag)):
        began = time.perf_counter()
        found[name] = {"prediction": tagger(words, tags, asked), "seconds": time.perf_counter() - began}
    return found


def most_frequent_tag(
    words: Sequence[Sequence[str]], tags: Sequence[Sequence[int]], asked: Sequence[Sequence[str]]
) -> list[list[int]]:
    """The tag that each word has most often in training; of a word that it lacks, the most frequent of all."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for text, row in zip(words, tags, strict=True):
        for word, tag in zip(text, row, strict=True):
            counts[word][tag] += 1
    every = sum(counts.values(), Counter[int]())
    other = every.most_common(1)[0][0]
    best = {word: count.most_common(1)[0][0] for word, count in counts.items()}
    return [[best.get(word, other) for word in text] for text in asked]


def crf(
    words: Sequence[Sequence[str]], tags: Sequence[Sequence[int]], asked: Sequence[Sequence[str]]
) -> list[list[int]]:
    """A linear-chain CRF (CRFsuite) on `features`, with the elastic net that its authors' tutorial has."""
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"c1": 0.1, "c2": 0.01, "max_iterations": ITERATIONS, "feature.possible_transitions": True})
    for text, row in zip(words, tags, strict=True):
        trainer.append(pycrfsuite.ItemSequence(features(text)), list(map(str, row)))
    tagger = pycrfsuite.Tagger()
    with tempfile.TemporaryDirectory() as folder:
        # From its file: a model in memory is used without being held, and is gone when Python frees it.
        trainer.train(str(Path(folder, "crf")))
        tagger.open(str(Path(folder, "crf")))
        return [list(map(int, tagger.tag(pycrfsuite.ItemSequence(features(text))))) for text in asked]


def features(text: Sequence[str]) -> list[list[str]]:
    """What the CRF sees of each word: the word, its ends, its shape, and its two neighbours on either side."""
    own = [_own(word) for word in text]
    found = []
    for place, word in enumerate(text):
        row = ["bias", *own[place]]
        for length in range(1, 5):
            row += [f"prefix={word[:length].lower()}", f"suffix={word[-length:].lower()}"]
        for step in (-2, -1, 1, 2):
            at = place + step
            row += [f"{step}:{one}" for one in own[at]] if 0 <= at < len(text) else [f"{step}:none"]
        found.append(row)
    return found


def _own(word: str) -> list[str]:
    shape = "".join("d" if one.isdigit() else one for one in word.translate(_SHAPES))
    return [f"word={word.lower()}", f"shape={shape[:12]}", f"title={word.istitle()}", f"upper={word.isupper()}"]
