"""ZeroShotPipeline: labels that nobody trained, by a model of pairs that says what follows from a text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import transformers

from hfkit.base.errors import HfkitError
from hfkit.inference.texts import TextPipeline
from hfkit.tasks.text_classification.inference import TextClassificationPipeline, text_and_pair
from hfkit.tasks.text_classification.task import TextClassification

TEMPLATE = "This example is {}."
"""transformers' own sentence around a label."""


class ZeroShotPipeline(TextPipeline, transformers.ZeroShotClassificationPipeline):  # type: ignore[misc]
    """transformers' pipeline, on texts read as the model was trained to read them.

    Each label becomes a sentence, and the model says whether it follows from the text (Yin et al. 2019,
    https://arxiv.org/abs/1909.00161), in batches sorted by length. What speaks against a label is found by its name,
    `contradiction`, where transformers' takes the first or the last."""

    one = (str, Mapping)
    of = TextClassification
    takes = ("candidate_labels", "hypothesis_template", "multi_label")

    def __init__(self, *, backend: str = "torch", **options: Any) -> None:
        super().__init__(**options)
        how = {name: options[name] for name in ("model", "tokenizer", "mixed_precision", "tokens_per_batch", "device")}
        self.pairs = TextClassificationPipeline(backend=backend, **how)
        names = [label.lower() for label in self.reading.labels]
        if sum(name.startswith("entail") for name in names) != 1:
            what = f"The model answers {', '.join(self.reading.labels[:6])}: none or several mean that a text follows"
            fix = "train on pairs (text_column, text_pair_column) with a label named entailment, or choose such a model"
            raise HfkitError(what, fix=fix)
        against = [at for at, name in enumerate(names) if name.startswith("contra")]
        self.against = against or [at for at in range(len(names)) if at != self.entailment_id]

    def _sanitize_parameters(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        self.refuse({name: value for name, value in options.items() if name not in self.takes})
        if "{}" not in options.get("hypothesis_template", TEMPLATE):
            what = f"hypothesis_template={options['hypothesis_template']!r} has no {{}} for the label"
            raise HfkitError(what, fix=f"such as {TEMPLATE!r}")
        if "candidate_labels" in options:
            options["candidate_labels"] = checked(options["candidate_labels"])
        asked, _, said = super()._sanitize_parameters(**options)
        return {}, asked, said | {name: asked[name] for name in ("candidate_labels",) if name in asked}

    def at_once(self, batch_size: int | None) -> int:
        return max(1, self.chunk // 8)  # each row stands there once a label

    def answered(
        self,
        rows: Sequence[Any],
        batch_size: int | None = None,
        candidate_labels: Sequence[str] = (),
        hypothesis_template: str = TEMPLATE,
    ) -> Iterable[tuple[str, torch.Tensor]]:
        """Each text, and the logits of it beside each label's sentence: (labels, what the model answers)."""
        if not candidate_labels:
            raise HfkitError("There are no candidate_labels", fix='candidate_labels=["sports", "politics"]')
        asked = []
        for row in rows:
            text, pair = text_and_pair(row)
            if pair is not None:
                raise HfkitError(f"A row is a pair, and a label would be a third text: {str(row)[:80]}", fix="drop one")
            asked += [{"text": text, "text_pair": hypothesis_template.replace("{}", one)} for one in candidate_labels]
        texts = [pair["text"] for pair in asked[:: len(candidate_labels)]]
        return zip(texts, self.pairs.logits(asked, batch_size).split(len(candidate_labels)), strict=True)

    def said(self, answer: tuple[str, torch.Tensor], options: dict[str, Any]) -> dict[str, Any]:
        """As upstream: the labels, the likeliest first, of which one holds, or with `multi_label` each on its own."""
        text, logits = answer
        if options.get("multi_label") or len(logits) == 1:
            scores = logits[:, [self.entailment_id, *self.against]].softmax(dim=1)[:, 0]
        else:
            scores = logits[:, self.entailment_id].softmax(dim=0)
        order = scores.argsort(descending=True, stable=True).tolist()
        labels = [options["candidate_labels"][place] for place in order]
        return {"sequence": text, "labels": labels, "scores": scores[order].tolist()}


def checked(asked: str | Sequence[str]) -> list[str]:
    """The candidates, of a list or of one text with commas. Raises HfkitError: none, an empty one, or one twice."""
    labels = [label.strip() for label in (asked.split(",") if isinstance(asked, str) else asked)]
    if not labels or "" in labels or len(set(labels)) < len(labels):
        held = "an empty one" if "" in labels else "one twice" if labels else "none"
        raise HfkitError(
            f"candidate_labels={asked!r} holds {held}",
            fix='give different ones: candidate_labels=["sports", "politics"]',
        )
    return labels
