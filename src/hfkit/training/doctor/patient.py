"""Patient: what a doctor looks at, and the promise that it is left as it was."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from accelerate.utils import send_to_device
from datasets import Dataset, DatasetDict
from torch import nn

from hfkit.data.text.keys import folded
from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.models.inspection import trial

SAMPLE = 2000
"""Rows of a split that are looked at: a bag of words of so many takes a second, and tells 0.03 from 0.05."""

TRIED, TOKENS = 8, 600
"""Rows, and about how many tokens, of the batch that is learnt by heart."""

TEXTS = ("text", "text_pair", "source", "question", "prompt")
"""Columns with what a model reads."""

SIDE = 16  # of a thumbnail, in pixels


@dataclass(eq=False)
class Patient:
    """A job before it begins. Labels of the test split are never read."""

    config: Any
    task: Any  # fitted to the model by `for_model`
    model: nn.Module
    processor: Any
    data: DatasetDict
    encoded: DatasetDict
    optimizer: Any = None  # of a training that runs; None: as the configuration makes it
    seconds: float = 12.0  # that learning one batch by heart may take
    rows: Dataset | None = None  # training rows as batches take them; None: as the task makes them

    def sample(self, split: str, most: int = SAMPLE) -> Dataset:
        """Rows of a split all over it, in its order, without `label` where it is the test split."""
        rows = self.data[split]
        if split == "test" and "label" in rows.column_names:
            rows = rows.remove_columns("label")
        drawn = np.random.default_rng(0).permutation(len(rows))[:most]
        return rows.select(sorted(drawn.tolist()))

    @cached_property
    def learnt(self) -> Dataset:
        """Training rows as batches take them."""
        return self.task.to_train(self.encoded["train"]) if self.rows is None else self.rows

    @cached_property
    def few(self) -> list[int]:
        """Short training rows, of as many labels as there are: a batch that costs little."""
        lengths = np.asarray(self.learnt["length"][:])
        known = np.random.default_rng(0).permutation(len(lengths))[:128]
        known = known[np.argsort(lengths[known], kind="stable")][:64]
        labels = [str(one) for one in self.learnt[known.tolist()].get("labels", [0] * len(known))]
        seen: dict[str, int] = {}
        turn = [seen.update({one: seen.get(one, -1) + 1}) or seen[one] for one in labels]
        order = known[np.argsort(turn, kind="stable")].tolist()
        room = np.cumsum(lengths[order]) <= TOKENS
        return order[: max(2, min(TRIED, int(room.sum())))]

    def batch(self, rows: list[int], epoch: int | None = None, dataset: Dataset | None = None) -> dict[str, Any]:
        """Training rows as the model takes them; augmented as in an `epoch`."""
        features = self.task.read(self.learnt if dataset is None else dataset, rows, epoch)
        return send_to_device(self.task.collate(features), self.device)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def loss(self, batch: dict[str, Any]) -> torch.Tensor:
        """The mean loss that is learnt from."""
        if self.task.joint:
            total = self.task.joint_loss([self.task.represent(self.model, batch)])
        else:
            total = self.task.loss_and_predictions(self.model, batch)[0]
        return total / max(self.task.weight(batch), 1e-9)

    def answers(self, batch: dict[str, Any]) -> dict[str, list[torch.Tensor]]:
        """What the task makes of a batch in evaluation: of each kind of number one tensor a row."""
        with trial(self.model), torch.no_grad():
            found = self.task.loss_and_predictions(self.model, batch)[1]
        kept = {name: list(values) for name, values in found.items()}
        return {
            name: [row.detach().float().cpu() for row in rows]
            for name, rows in kept.items()
            if rows and all(isinstance(row, torch.Tensor) and row.is_floating_point() for row in rows)
        }

    @property
    def classes(self) -> list[str] | None:
        """The names of the labels where each row has one of them; else None."""
        names = getattr(self.data["train"].features.get("label"), "names", None)
        return list(names) if names and len(names) > 1 else None

    def texts(self, split: str) -> list[str] | None:
        """What is read of a split's rows, without outer space and case; None where it is no text."""
        rows = self.sample(split)
        columns = [rows[name][:] for name in TEXTS if name in rows.column_names]
        columns += [list(map(" ".join, rows["tokens"][:]))] if "tokens" in rows.column_names and not columns else []
        return [" ".join(map(folded, row)) for row in zip(*columns, strict=True)] if columns else None

    def thumbnails(self, split: str) -> np.ndarray | None:
        """(rows, side, side) of 0 to 255; None where there are no pictures."""
        rows = self.sample(split)
        if "image" not in rows.column_names:
            return None
        shown = (decode_again(row["image"]).convert("L").resize((SIDE, SIDE)) for row in undecoded(rows, "image"))
        return np.stack([np.asarray(one, dtype=np.float32) for one in shown])

    @cached_property
    def features(self) -> dict[str, Any]:
        """Of each split a matrix with a row of numbers an example: a bag of words, or a thumbnail's pixels."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = {split: self.texts(split) for split in self.data}
        if all(texts.values()):
            words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, token_pattern=r"(?u)\w+|[^\w\s]")
            words.fit([text[:3000] for one in texts.values() for text in one or []])
            return {split: words.transform([text[:3000] for text in one or []]) for split, one in texts.items()}
        small = {split: self.thumbnails(split) for split in self.data}
        if any(one is None for one in small.values()):
            return {}
        return {split: one.reshape(len(one), -1) / 255 for split, one in small.items() if one is not None}


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Afterwards weights, buffers, what learns, modes and all generators are what they were, to the byte."""
    weights = {name: value.detach().clone() for name, value in model.state_dict(keep_vars=True).items()}
    learns = [(one, one.requires_grad, one.grad) for one in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generator is what a library may use
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])  # noqa: NPY002
        for parameter, wanted, gradient in learns:
            parameter.requires_grad_(wanted)
            parameter.grad = gradient
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for name, value in model.state_dict(keep_vars=True).items():
                value.copy_(weights[name])
