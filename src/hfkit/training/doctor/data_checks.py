"""Checks of rows: do labels have to do with what they label, and is what is learnt what will be judged?"""

from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from hfkit.data.tables.near_copies import among
from hfkit.data.tables.table import counted
from hfkit.training.doctor.finding import Finding, Findings, fault, graded, left_out
from hfkit.training.doctor.patient import Patient

FEWEST = 60  # rows below which a bag of words says nothing

SKILL = 0.9  # accuracy from which on a confident disagreement of a linear model says something of the label


def labels_mean_something(patient: Patient) -> Findings:
    """`shuffled_labels`, `flipped_labels`: a linear model on a bag of words, or on thumbnails, judged on rows that it
    has not seen, against the same labels in random order (a permutation test)."""
    if patient.classes is None or "train" not in patient.features:
        yield left_out("shuffled_labels", "rows have not one label each")
        return
    features, labels = patient.features["train"], np.asarray(patient.sample("train")["label"][:])
    counts = np.bincount(labels, minlength=1)
    kept = np.flatnonzero(counts[labels] >= 4)
    if len(kept) < FEWEST or len(np.unique(labels[kept])) < 2:
        yield left_out("shuffled_labels", f"fewer than {FEWEST} rows of two labels")
        return
    truth = np.unique(labels[kept], return_inverse=True)[1]
    shares = _unseen(features[kept], truth, _groups(patient, "train")[kept])
    told = np.log(np.clip(shares, 1e-6, 1))
    rng = np.random.default_rng(0)
    null = np.array([told[np.arange(len(truth)), rng.permutation(truth)].mean() for _ in range(200)])
    sure = (told[np.arange(len(truth)), truth].mean() - null.mean()) / max(null.std(), 1e-9)
    right = float((shares.argmax(axis=1) == truth).mean())
    evidence = f"a linear model tells {right:.1%} of unseen rows, {sure:.1f} deviations from labels in random order"
    fix = "look at rows beside their labels: were the columns sorted apart?"
    yield fault("shuffled_labels", sure < 3, evidence, fix, "at least 3", "FAIL" if len(truth) >= 400 else "WARN")
    yield contradicted(shares, truth, right)


def _unseen(features: Any, truth: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The classes' probabilities for each row by a linear model that has not seen it, nor its group: (rows, classes).
    Three questions about one context would tell of each other."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict

    owners = None if len(np.unique(groups)) == len(groups) else groups
    folds = (StratifiedKFold if owners is None else StratifiedGroupKFold)(4, shuffle=True, random_state=0)
    model = LogisticRegression(C=10, max_iter=200, tol=1e-3)
    return cross_val_predict(model, features, truth, groups=owners, cv=folds, method="predict_proba")


def _groups(patient: Patient, split: str) -> np.ndarray:
    """What each row of a split's sample belongs to: its group, or itself."""
    rows = patient.sample(split)
    return np.asarray(list(map(str, rows["group"][:] if "group" in rows.column_names else range(len(rows)))))


def contradicted(shares: np.ndarray, truth: np.ndarray, right: float, who: str = "a linear model") -> Finding:
    """Of the surer half of the answers those that the labels contradict: a floor that no skill takes away."""
    from hfkit.evaluation.stats import wilson

    sure = np.argsort(-shares.max(axis=1))[: len(truth) // 2]
    wrong = int((shares.argmax(axis=1) != truth)[sure].sum())
    low = wilson(wrong, len(sure)).low
    if right < SKILL:
        return left_out("flipped_labels", f"{who} tells {right:.1%} of rows, too few to contradict a label")
    evidence = f"{wrong} of the {len(sure)} surest answers contradict the label: at least {low:.1%} (95 %)"
    return graded("flipped_labels", low, evidence, "look at them: hfkit labels ranks them", warn=0.015, fail=0.15)


def label_in_text(patient: Patient) -> Findings:
    """`label_in_text`: one word that tells the label by itself."""
    texts = patient.texts("train")
    if texts is None:
        yield left_out("label_in_text", "rows are no texts")
        return
    if patient.classes is None:
        yield left_out("label_in_text", "rows have not one label each")
        return
    yield _telling_word(texts, patient)


def _telling_word(texts: list[str], patient: Patient) -> Finding:
    from sklearn.feature_extraction.text import CountVectorizer

    labels, names = np.asarray(patient.sample("train")["label"][:]), patient.classes or []
    least = max(2, len(texts) // 100)
    words = CountVectorizer(binary=True, token_pattern=r"(?u)\w+", min_df=least, lowercase=False, ngram_range=(1, 2))
    try:
        held = words.fit_transform(texts)
    except ValueError:  # no word occurs as often
        return Finding("label_in_text", "PASS", "no word is in one text of a hundred")
    known, often = words.get_feature_names_out(), np.asarray(held.sum(axis=0)).ravel()
    found = []
    for place in np.unique(labels):
        own = labels == place
        if least <= own.sum() < len(own):
            both = np.asarray(held[own].sum(axis=0)).ravel()
            score = 2 * both / (often + own.sum())  # F1 of "has the word" for "has the label"
            found.append((float(score.max()), str(known[score.argmax()]), names[place]))
    found.sort(reverse=True)
    if not found:
        return left_out("label_in_text", "no label has two rows in a hundred")
    told = found[: max(1, len(found) - 1)][-1][0]  # of two classes one word is enough
    said = f"{found[0][1]!r} tells the label {found[0][2]} with an F1 of {found[0][0]:.2f}"
    return graded("label_in_text", told, said, "take what tells the label out of the text", warn=0.9, fail=0.97)


def near_copies(patient: Patient) -> Findings:
    """`near_copies`: rows of validation and test that training has too, all but; as the model reads them, `same_rows`:
    after truncation and tokenisation."""
    pairs, near = among(patient.data), None
    if pairs is not None:
        near = {split: len(pairs.get((split, "train"), [])) for split in patient.data if split != "train"}
    for name, counts in (("near_copies", near), ("same_rows", _same_rows(patient.encoded))):
        if counts is None:
            yield left_out(name, "rows are no texts")
            continue
        sizes = {split: len(patient.data[split]) for split in counts}
        share = max(many / max(sizes[split], 1) for split, many in counts.items())
        told = ", ".join(f"{many:,} of {counted(sizes[split], 'row')} of {split}" for split, many in counts.items())
        how = "half of it, or more, word for word" if name == "near_copies" else "the same tokens after truncation"
        evidence = f"{told}: {how} as one of training"
        yield graded(name, share, evidence, "take them out of train; or split by group", warn=0.01, fail=0.1)


def _same_rows(encoded: DatasetDict) -> dict[str, int] | None:
    if "input_ids" not in encoded["train"].column_names:
        return None
    rows = {split: [str(ids) for ids in each["input_ids"][:]] for split, each in encoded.items()}
    known = set(rows["train"])
    return {split: sum(ids in known for ids in each) for split, each in rows.items() if split != "train"}


def unlike_test(patient: Patient) -> Findings:
    """`class_shares`: of validation against training; `unlike_test`: whether a linear model tells rows of train from
    those of test (a classifier two-sample test, Lopez-Paz and Oquab 2017)."""
    if patient.classes is not None:
        yield _class_shares(patient.data["train"], patient.data["validation"], len(patient.classes))
    if "test" not in patient.features:
        yield left_out("unlike_test", "rows are neither texts nor pictures")
        return
    from sklearn.metrics import roc_auc_score

    sides = [patient.features[split] for split in ("train", "test")]
    size = min(1000, *(side.shape[0] for side in sides))
    if size < FEWEST:
        yield left_out("unlike_test", f"fewer than {FEWEST} rows")
        return
    origin = np.repeat([0, 1], size)
    drawn = [np.random.default_rng(1).permutation(side.shape[0])[:size] for side in sides]
    chosen = _stacked([side[rows] for side, rows in zip(sides, drawn, strict=True)])
    owners = [
        split + each
        for split, rows in zip(("train", "test"), drawn, strict=True)
        for each in _groups(patient, split)[rows]
    ]
    told = float(roc_auc_score(origin, _unseen(chosen, origin, np.asarray(owners))[:, 1]))
    evidence = f"a linear model tells {size:,} rows of train from as many of test with an AUC of {told:.2f}"
    fix = "judge on rows of the kind that is learnt, or learn from such as will be asked"
    yield graded("unlike_test", told, evidence, fix, warn=0.75)  # no fault: some tests are meant to be of another kind


def _stacked(sides: list[Any]) -> Any:
    from scipy.sparse import issparse, vstack

    return vstack(sides).tocsr() if issparse(sides[0]) else np.concatenate(sides)


def _class_shares(train: Dataset, validation: Dataset, classes: int) -> Finding:
    counts = [np.bincount(rows["label"][:], minlength=classes) for rows in (train, validation)]
    one, other = (count / max(count.sum(), 1) for count in counts)
    apart = float(abs(one - other).sum() / 2)
    # What chance alone makes of so few validation rows: twice the mean of the distance, for many classes normal.
    chance = float(np.sqrt(2 * one * (1 - one) / np.pi / max(counts[1].sum(), 1)).sum())
    place = int(abs(one - other).argmax())
    name = train.features["label"].names[place]
    evidence = (
        f"{apart:.1%} of the rows would need another label, {name} first: {one[place]:.1%} and {other[place]:.1%}"
    )
    fix = "draw the splits from the same rows"
    return graded("class_shares", apart - chance, evidence, fix, warn=0.1, fail=0.3)


def group_apart(patient: Patient) -> Findings:
    """`group_in_two_splits`: what belongs together, as a patient's pictures do, on both sides."""
    if "group" not in patient.data["train"].column_names:
        yield left_out("group_in_two_splits", "no column says which rows belong together (--group_column)")
        return
    known = set(patient.data["train"]["group"][:])
    shared = {split: known & set(patient.data[split]["group"][:]) for split in patient.data if split != "train"}
    told = ", ".join(f"{counted(len(groups), 'group')} of {split}" for split, groups in shared.items())
    evidence = f"{told} also stand in train"
    yield fault("group_in_two_splits", any(shared.values()), evidence, "split by the group: --group_column")


CHECKS = (group_apart, label_in_text, near_copies, labels_mean_something, unlike_test)
