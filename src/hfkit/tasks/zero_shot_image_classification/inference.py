"""ZeroShotImagePipeline: transformers' own, looking at pictures as judging did, with the run's classes."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import transformers

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import is_missing
from hfkit.data.vision.given import picture_of
from hfkit.evaluation.nearest import unit
from hfkit.inference.looking import PicturePipeline
from hfkit.inference.texts import check_whole
from hfkit.tasks.zero_shot_image_classification.task import ImageText

ASKED = ("candidate_labels", "hypothesis_template")


class ZeroShotImagePipeline(PicturePipeline, transformers.ZeroShotImageClassificationPipeline):
    """transformers' pipeline: of a picture a list of {"score", "label"}, the best first.

    Three differences: `candidate_labels` are by default the run's classes; `hypothesis_template` is one sentence or a
    list of them, by default the run's, and a label is the mean of its sentences; and the labels' vectors are made once
    for all pictures of a call. `mixed_precision` auto is float32: vectors that are kept are compared with later ones.
    """

    of, together = ImageText, 32
    reading: ImageText

    @property
    def chunk(self) -> int:
        """Texts or pictures that an index reads at a time."""
        return 8 * self.rows

    def __call__(self, inputs: Any, candidate_labels: Any = None, **options: Any) -> Any:  # type: ignore[override]
        return super().__call__(inputs, candidate_labels=candidate_labels, **options)

    def _sanitize_parameters(
        self, tokenizer_kwargs: Any = None, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Raises HfkitError: an argument that is none, no label, one twice, or a template without {}."""
        candidate_labels, hypothesis_template = (options.pop(name, None) for name in ASKED)
        if tokenizer_kwargs is not None or options:
            raise HfkitError(f"The pipeline has no argument {next(iter(options), 'tokenizer_kwargs')}")
        asked: dict[str, Any] = {}
        if candidate_labels is not None:
            asked["candidate_labels"] = checked(candidate_labels)
        if hypothesis_template is not None:
            told = [hypothesis_template] if isinstance(hypothesis_template, str) else list(hypothesis_template)
            if not told or not all(isinstance(one, str) and "{}" in one for one in told):
                what = f"hypothesis_template={hypothesis_template!r} has no {{}} for the label"
                raise HfkitError(what, fix="such as 'a photo of a {}.'")
            asked["hypothesis_template"] = told
        return {}, asked, {}

    def answered(
        self,
        rows: Sequence[Any],
        batch_size: int | None = None,
        candidate_labels: list[str] | None = None,
        hypothesis_template: list[str] | None = None,
    ) -> Iterable[tuple[list[str], torch.Tensor]]:
        """The labels, and of each picture how well they fit, as the model's `logits_per_image`."""
        labels = candidate_labels or self.reading.labels
        if not labels:
            raise HfkitError("There are no candidate_labels", fix='candidate_labels=["a cat", "a dog"]')
        classes = torch.from_numpy(self.of_labels(labels, hypothesis_template))
        own: Any = self.model
        scale, bias = own.logit_scale.detach().float().exp().cpu(), getattr(own, "logit_bias", None)
        logits = torch.from_numpy(self.looked_at(rows)) @ classes.T * scale
        logits = logits if bias is None else logits + bias.detach().float().cpu()
        return ((labels, row) for row in logits)

    def said(self, answer: tuple[list[str], torch.Tensor], options: dict[str, Any]) -> list[dict[str, Any]]:
        labels, logits = answer
        siglip = "siglip" in self.model.config.model_type  # whose probabilities are each label's own, as upstream
        scores = logits.sigmoid() if siglip else logits.softmax(dim=0)
        order = scores.argsort(descending=True, stable=True).tolist()
        return [{"score": float(scores[at]), "label": labels[at]} for at in order]

    def of_labels(self, labels: list[str], templates: list[str] | None = None) -> np.ndarray:
        """(labels, numbers) of length 1: of each the mean of its sentences."""
        key = (tuple(labels), tuple(templates or self.reading.templates))
        if getattr(self, "_known", None) != key:
            every = self.read(self.reading.prompts(labels, templates))
            self._classes = unit(every.reshape(len(labels), -1, every.shape[1]).mean(axis=1))
            self._known = key
        return self._classes

    def vectors(
        self, texts: Sequence[str], kind: str | None = None, truncate_dim: int | None = None,
        batch_size: int | None = None, normalize: bool | None = None,
    ) -> np.ndarray:  # fmt: skip
        """(texts, numbers) of length 1, to search pictures by. `kind` and `normalize` change nothing: there is one kind
        of text, and vectors are as training had them. Raises HfkitError: a text is none; `truncate_dim`."""
        if truncate_dim is not None:
            raise HfkitError("The model's vectors are whole or nothing", where=f"truncate_dim={truncate_dim}")
        return self.read(texts, batch_size)

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> np.ndarray:
        """(texts, numbers) of length 1."""
        for text in texts:
            if not isinstance(text, str) or is_missing(text):
                raise HfkitError(f"A text is empty or none: {str(text)[:80]!r}", fix="give some text")
            check_whole(text)
        seen: Any = self.reading.seen
        picture = torch.zeros(1, seen.channels, seen.height, seen.width)
        step, found = batch_size or self.rows, []
        for at in range(0, len(texts), step):
            filled = self.reading.filled(self.reading.tokens(list(texts[at : at + step]))["input_ids"])
            found.append(self._run({"pixel_values": picture} | filled, 1))
        return np.concatenate(found)

    def looked_at(self, pictures: Sequence[Any]) -> np.ndarray:
        """(pictures, numbers) of length 1: of paths, bytes, addresses or PIL images. Raises HfkitError: one is none."""
        seen, found = self.reading.seen, []
        assert seen is not None
        word = self.reading.filled(self.reading.tokens(["a"])["input_ids"])
        for at in range(0, len(pictures), self.rows):
            pixels = seen.look([picture_of(one, seen.pixel_range) for one in pictures[at : at + self.rows]])
            found.append(self._run({"pixel_values": pixels} | word, 0))
        return np.concatenate(found)

    def _run(self, batch: dict[str, torch.Tensor], which: int) -> np.ndarray:
        """Of a batch the vectors of the pictures (0) or of the texts (1)."""
        moved = {name: value.to(self.device) for name, value in batch.items()}
        with self.computing(self.low_precision):
            vectors = self.reading.vectors(self.model, moved)[which].cpu().clone()
        self.check_finite(vectors)
        return np.asarray(vectors.numpy())


pipeline = ZeroShotImagePipeline.over


def checked(asked: Any) -> list[str]:
    """The candidates, of a list or of one text with commas. Raises HfkitError: none, an empty one, or one twice."""
    given = asked.split(",") if isinstance(asked, str) else list(asked)
    labels = [one.strip() if isinstance(one, str) else "" for one in given]
    if not labels or "" in labels or len(set(labels)) < len(labels):
        held = "an empty one" if "" in labels else "one twice" if labels else "none"
        raise HfkitError(
            f"candidate_labels={asked!r} holds {held}", fix='give different ones: candidate_labels=["a cat", "a dog"]'
        )
    return labels
