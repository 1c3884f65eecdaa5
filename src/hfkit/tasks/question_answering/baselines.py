"""Rivals that cost seconds and learn next to nothing: the sentence nearest to the question, and a rule on it.

They run on every run, on the same rows as the model. On a few hundred questions the rule beats small models that have
never seen any others, and the report says so.
"""

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.tasks.question_answering.spans.overlap import CHARACTER, by_character

_SENTENCE = re.compile(r"[^.!?。！？\n]*(?:[.!?](?!\s|$)[^.!?。！？\n]*)*[.!?。！？]*")
_WORD = rf"{CHARACTER}|(?:(?!{CHARACTER})\w)+"
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"[^\W\d_a-z][\w'’-]*(?:\s+[^\W\d_a-z][\w'’-]*)*")
_RUN = re.compile(r"\w+")
_COUNTS = re.compile(
    r"\bhow (many|much|old|long|far|tall|big|large|high)\b|\bwhen\b|\b(what|which) (year|date|percent\w*|number|day)\b"
    r"|多少|何时|什么时候|哪一?年|几|何年|いつ|いくつ|何人",
    re.IGNORECASE,
)


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """Both rivals, asked about `test`, whose columns are those of `load`; neither draws anything. How rare a word
    is, is counted in the sentences of the training contexts and in the questions. name -> {"prediction": a text a row,
    "seconds"}."""
    began = time.perf_counter()
    questions = test["text"][:]
    nearest = nearest_sentences(train["text_pair"][:], questions, test["text_pair"][:])
    seconds = time.perf_counter() - began
    ruled = [by_rule(question, sentence) for question, sentence in zip(questions, nearest, strict=True)]
    return {
        "rule_on_nearest_sentence": {"prediction": ruled, "seconds": time.perf_counter() - began},
        "nearest_sentence": {"prediction": nearest, "seconds": seconds},
    }


def sentences(context: str) -> Iterator[str]:
    """The sentences of a text, without the space around them."""
    yield from (part.strip() for part in _SENTENCE.findall(context) if part.strip())


def nearest_sentences(learnt: Sequence[str], questions: Sequence[str], contexts: Sequence[str]) -> list[str]:
    """Of each context the sentence whose words are most like the question's, by the cosine of their TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = [sentence for context in dict.fromkeys(learnt) for sentence in sentences(context)]
    vectorizer = TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True).fit([*known, *questions])
    parts = {context: list(sentences(context)) or [context] for context in contexts}
    vectors = {context: vectorizer.transform(found) for context, found in parts.items()}
    asked = vectorizer.transform(questions)
    return [
        parts[context][int(np.argmax((vectors[context] @ asked[row].T).toarray()))]
        for row, context in enumerate(contexts)
    ]


def by_rule(question: str, sentence: str) -> str:
    """The first number of a sentence where the question asks for one; else the longest run of words with a capital, or
    in Chinese the longest run of characters, that the question does not hold; else the sentence."""
    numbers = _NUMBER.findall(sentence)
    if numbers and _COUNTS.search(question):
        return str(next((one for one in numbers if one not in question), numbers[0]))
    if by_character(sentence):
        found = _unasked(question, sentence)
    else:
        found = [one for one in _NAME.findall(sentence) if one.casefold() not in question.casefold()]
        found = found or numbers
    return max(found, key=len, default=sentence)


def _unasked(question: str, sentence: str) -> list[str]:
    """The longest runs of characters no two neighbours of which stand in the question."""
    found = []
    for run in _RUN.findall(sentence):
        place = 0
        for at in range(len(run) - 1):
            if run[at : at + 2] in question:
                found.append(run[place:at])
                place = at + 2
        found.append(run[place:])
    return [one for one in found if one]
