"""The bag-of-words baselines learn what they should, for every kind of label."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from hfkit.tasks.rivals import Answer, majority, targets
from hfkit.tasks.text_classification.baselines import fit

GOOD = ["a fine film", "fine acting, a joy", "what a joy to watch", "fine and funny"]
BAD = ["a dull film", "dull acting, a bore", "what a bore to watch", "dull and slow"]


def classical(
    train: Dataset, test: Dataset, problem: str, seed: int = 0, labels: list[str] | None = None
) -> dict[str, Answer]:
    return fit(train, test, {"problem_type": problem, "labels": labels}, seed)


def films(names: list[str], text: dict[str, list[str]] | None = None) -> Dataset:
    features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    texts = text or {"bad": BAD, "good": GOOD}
    rows = [(line, names.index(name)) for name, lines in texts.items() for line in lines]
    return Dataset.from_dict({"text": [r[0] for r in rows], "label": [r[1] for r in rows]}, features=features)


TEST = {"bad": ["such a dull bore"], "good": ["fine, a joy", "a fine joy"]}


def test_classes() -> None:
    found = classical(films(["bad", "good"]), films(["bad", "good"], TEST), "single_label_classification")
    assert found["tfidf_logreg"]["prediction"].tolist() == [0, 1, 1]
    assert found["tfidf_logreg"]["probabilities"].sum(axis=1) == pytest.approx(np.ones(3))
    assert found["majority"]["prediction"].tolist() == [0, 0, 0]
    assert found["majority"]["probabilities"].tolist() == [[0.5, 0.5]] * 3
    assert found["tfidf_logreg"]["seconds"] > 0


def test_answers_come_in_the_models_order_of_labels_by_name() -> None:
    data, test = films(["bad", "good"]), films(["bad", "good"], TEST)
    found = classical(data, test, "single_label_classification", labels=["Good", "neutral", "BAD"])
    assert found["tfidf_logreg"]["prediction"].tolist() == [2, 0, 0]
    assert found["tfidf_logreg"]["probabilities"].shape == (3, 3)
    assert (found["tfidf_logreg"]["probabilities"][:, 1] == 0).all()


def test_same_seed_same_numbers() -> None:
    data, test = films(["bad", "good"]), films(["bad", "good"], TEST)
    first, second = (classical(data, test, "single_label_classification", seed=3) for _ in range(2))
    assert (first["tfidf_logreg"]["probabilities"] == second["tfidf_logreg"]["probabilities"]).all()


def test_many_labels() -> None:
    features = Features({"text": Value("string"), "label": List(ClassLabel(names=["good", "film", "never"]))})
    labels = [[1], [], [], [], [0, 1], [0], [0], [0]]
    train = Dataset.from_dict({"text": BAD + GOOD, "label": labels}, features=features)
    test = Dataset.from_dict({"text": ["fine and a joy", "dull film"], "label": [[0], []]}, features=features)
    assert targets(train, "multi_label_classification")[0].sum(axis=0).tolist() == [4, 2, 0]
    found = classical(train, test, "multi_label_classification")
    assert found["tfidf_logreg"]["prediction"].tolist()[0] == [1, 0, 0]
    assert found["tfidf_logreg"]["probabilities"].shape == (2, 3)
    assert found["majority"]["prediction"].tolist() == [[0, 0, 0]] * 2


def test_numbers_and_pairs() -> None:
    data = {"text": BAD + GOOD, "text_pair": ["x"] * 8, "label": [0.0] * 4 + [5.0] * 4}
    train = Dataset.from_dict(data)
    test = Dataset.from_dict({"text": ["dull bore", "fine joy"], "text_pair": ["x", "x"], "label": [0.0, 5.0]})
    found = classical(train, test, "regression")
    low, high = found["tfidf_logreg"]["prediction"]
    assert low < 2.5 < high
    assert "probabilities" not in found["tfidf_logreg"]
    assert found["majority"]["prediction"].tolist() == [2.5, 2.5]


def test_chinese_needs_no_spaces() -> None:
    texts = {"bad": ["这部电影很无聊", "剧情无聊极了"], "good": ["这部电影很好看", "演员好看极了"]}
    test = films(["bad", "good"], {"bad": ["太无聊"], "good": ["太好看"]})
    found = classical(films(["bad", "good"], texts), test, "single_label_classification")
    assert found["tfidf_logreg"]["prediction"].tolist() == [0, 1]


def test_texts_without_a_word() -> None:
    texts = {"bad": [":-(", ":(", "!!("], "good": [":-)", ":)", "!!)"]}
    test = films(["bad", "good"], {"bad": ["(("], "good": ["))"]})
    found = classical(films(["bad", "good"], texts), test, "single_label_classification")
    assert found["tfidf_logreg"]["prediction"].tolist() == [0, 1]


def test_training_rows_of_one_class_only() -> None:
    data = films(["bad", "good"], {"good": GOOD})
    found = classical(data, films(["bad", "good"], TEST), "single_label_classification")
    assert found["tfidf_logreg"]["prediction"].tolist() == [1, 1, 1]
    assert majority([2, 2, 0], 2, "single_label_classification", classes=4)["probabilities"].shape == (2, 4)
