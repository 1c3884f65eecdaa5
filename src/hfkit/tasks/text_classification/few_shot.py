"""Few labels: the encoder learns which texts have the same one, then a logistic regression reads its vectors. The
recipe is SetFit's (Tunstall et al. 2022, https://arxiv.org/abs/2209.11055), which draws pairs and reads both of their
texts; here a batch is read once and holds all of its pairs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset

from hfkit.evaluation.predict import evaluate
from hfkit.tasks.base import Asked
from hfkit.training.callbacks import Callback

if TYPE_CHECKING:
    from hfkit.training.engine import Engine

NEVER = -1e4
"""A logit that no label is answered with; float16 holds it."""


def pair_loss(vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The sum over rows of what their pairs cost: (rows, size), (rows,) -> a float32 scalar. The cosine of two texts
    should be 1 where their labels are the same, else 0. Squared distances are averaged over the pairs of either kind,
    so that many classes do not drown the few pairs that are alike."""
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

        asked = Asked(self.task, lambda model, batch: {"vector": self.task.represent(model, batch)[0].float()})
        found = evaluate(engine.accelerator, asked, engine.module, self.encoded, engine.config, "")
        head = LogisticRegression(max_iter=1000).fit(found["vector"], found["label"])
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
