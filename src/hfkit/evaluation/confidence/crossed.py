"""Crossed: what scaling is worth on rows that it was not fitted on, and which way of it is the best."""

import numpy as np

from hfkit.evaluation.confidence.scaling import LEAST, fitted, methods, scaled

FOLDS = 5


def folds(groups: np.ndarray) -> np.ndarray:
    """(rows,) the fold of each, at random and always the same; rows of one group share it."""
    names, member = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(0).permutation(len(names)) % FOLDS)[member]


def crossed(method: str, logits: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(rows, labels) of probabilities, each row's by a calibration of the other folds."""
    found, fold = np.empty_like(logits), folds(groups)
    for held in np.unique(fold):
        there = fold == held
        calibration = fitted(method, logits[~there], labels[~there])
        found[there] = scaled(calibration, logits[there], labels.ndim == 2)
    return found


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(rows,) minus the logarithm of the right label's probability; of several labels the mean over them."""
    if labels.ndim == 2:
        return np.asarray(-np.log(np.clip(np.where(labels == 1, probabilities, 1 - probabilities), LEAST, 1)).mean(1))
    return np.asarray(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], LEAST, 1)))


def best(logits: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> str:
    """The method that lowers the log loss of rows that it was not fitted on the most, each gain less its standard
    error, less two of what is no temperature: a smaller gain is noise that is fitted. `none` where no gain is."""
    gains = {"none": 0.0}
    own = losses(scaled({"method": "none"}, logits, labels.ndim == 2), labels)
    for method in methods(labels)[1:]:
        gain = own - losses(crossed(method, logits, labels, groups), labels)
        gains[method] = float(gain.mean() - (1 + (method != "temperature")) * gain.std() / np.sqrt(len(gain)))
    return max(gains, key=lambda method: gains[method])
