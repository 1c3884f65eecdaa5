"""Few labels: the encoder learns which texts have the same one, then a logistic regression reads its vectors.

The recipe of SetFit (Tunstall et al. 2022, https://arxiv.org/abs/2209.11055): n labelled texts make n (n - 1) / 2 pairs
to learn from. SetFit draws pairs and reads both of their texts; here a batch is read once and holds all of its pairs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset

from hfkit.data.batching import evaluation_batches
from hfkit.training.callbacks import Callback

if TYPE_CHECKING:
    from hfkit.training.engine import Engine

TOKENS = 8192
"""Padded tokens that are read together to fit the head."""

NEVER = -1e4
"""A logit that no label is answered with; float16 holds it."""


def pair_loss(vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The sum over rows of what their pairs cost: (rows, size), (rows,) -> a float32 scalar.

    The cosine of two texts should be 1 where their labels are the same, else 0. Squared distances are averaged over
    the pairs of either kind, as many as there are, so that many classes do not drown the few pairs that are alike."""
    vectors = F.normalize(vectors.float(), dim=1)
    first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
    alike = labels[first] == labels[second]
    distance = ((vectors[first] * vectors[second]).sum(dim=1) - alike.float()).square()
    kinds = [distance[kind].mean() for kind in (alike, ~alike) if bool(kind.any())]
    return torch.stack(kinds).mean() * len(labels) if kinds else vectors.sum() * 0.0


class Head(Callback):
    """Where the model is judged or saved, its linear head is a logistic regression on the vectors of the training rows.

    `task` reads them, `encoded` holds them. Fitted anew each time, to the same bits: a checkpoint need not keep it."""

    def __init__(self, task: Any, encoded: Dataset) -> None:
        self.task, self.encoded = task, encoded

    @contextmanager
    def evaluating(self, engine: "Engine") -> Iterator[None]:
        from sklearn.linear_model import LogisticRegression

        labels = np.array(self.encoded["labels"][:])
        head = LogisticRegression(max_iter=1000).fit(self._vectors(engine), labels)
        weight, bias = head.coef_, head.intercept_
        if len(weight) == 1:  # of two classes scikit-learn keeps the difference
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        model: Any = engine.module
        with torch.no_grad():
            model.classifier.weight.zero_()
            model.classifier.bias.fill_(NEVER)  # a class that no row has
            for learnt, found in ((model.classifier.weight, weight), (model.classifier.bias, bias)):
                learnt[head.classes_] = torch.tensor(found, dtype=learnt.dtype, device=learnt.device)
        yield

    def _vectors(self, engine: "Engine") -> np.ndarray:
        """(rows, size), in the order of the rows; every process computes all of them."""
        model: Any = engine.module
        device = engine.accelerator.device
        found = np.empty((len(self.encoded), model.config.hidden_size), dtype=np.float32)
        training = model.training
        model.eval()
        with torch.no_grad(), engine.accelerator.autocast():
            lengths = np.array(self.encoded["length"][:])
            for rows in evaluation_batches(lengths, len(lengths), TOKENS):
                batch = self.task.collate(self.task.read(self.encoded, rows, None))
                vectors, _ = self.task.represent(model, {name: value.to(device) for name, value in batch.items()})
                found[rows] = vectors.float().cpu().numpy()
        model.train(training)
        return found
