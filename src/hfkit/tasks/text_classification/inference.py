"""TextClassificationPipeline: transformers' own, reading texts as the model was trained to, sorted, and fast."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers

from hfkit.base.errors import HfkitError, check_known, nearest
from hfkit.inference.texts import TextPipeline, check_whole
from hfkit.models.inspection import readable
from hfkit.tasks.classifying import ClassifyingPipeline
from hfkit.tasks.text_classification.task import TextClassification

FUNCTIONS = ("sigmoid", "softmax", "none")  # what transformers can make of logits
BACKENDS = ("torch", "openvino")  # what a text classifier can be computed with


def pipeline(
    model: transformers.PreTrainedModel,
    processor: Any,
    *,
    tokens_per_batch: int | None = None,
    backend: str = "torch",
    **options: Any,
) -> TextPipeline:
    """See `hfkit.pipeline`. With `task="zero-shot-classification"` a model of pairs says which label follows."""
    options |= {"tokens_per_batch": tokens_per_batch, "backend": backend}
    if options.get("task") == "zero-shot-classification":
        from hfkit.tasks.text_classification.zero_shot import ZeroShotPipeline

        return ZeroShotPipeline(model=model, tokenizer=processor, **options)
    return TextClassificationPipeline(model=model, tokenizer=processor, **options)


class TextClassificationPipeline(TextPipeline, ClassifyingPipeline, transformers.TextClassificationPipeline):
    """transformers' pipeline, on texts read as at training: the model's config says how many tokens, head, tail, both
    or windows.

    Rows are sorted by length and batched under a token budget; answers come in the order of the input. A generator or
    torch data set is answered as a stream, in chunks of `chunk` rows: 256 on a CPU, 1,024 on an accelerator. Of
    `mixed_precision` see `ClassifyingPipeline`."""

    one = (str, Mapping)
    of = TextClassification
    reading: TextClassification
    takes = ("top_k", "function_to_apply")

    def __init__(self, *, backend: str = "torch", **options: Any) -> None:
        super().__init__(**options)
        check_known(backend, BACKENDS, f"There is no backend {backend!r}.")
        self.fast: Any = self.model  # what computes, but for rows that are decided again in float32
        if backend == "openvino":
            from hfkit.inference.backends.openvino import converted

            self.fast = converted(self)

    def _sanitize_parameters(
        self, function_to_apply: str | None = None, top_k: int | str | None = "", **tokenizer_kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Upstream's, without the tokenizer's arguments: the model says how its texts are read."""
        cut = ("truncation", "padding")
        asks = {name: v for name, v in tokenizer_kwargs.items() if name not in cut or v in (False, "do_not_truncate")}
        self.refuse(asks)
        if isinstance(function_to_apply, str) and function_to_apply.lower() not in FUNCTIONS:
            what = f"There is no function_to_apply {function_to_apply!r}."
            raise HfkitError(what, fix=nearest(function_to_apply, FUNCTIONS))
        return super()._sanitize_parameters(function_to_apply, top_k)

    def logits(self, rows: Sequence[Any], batch_size: int | None = None) -> torch.Tensor:
        """(rows, labels) in float32 on the CPU, in the order of `rows`: texts, or dicts of `text` and `text_pair`.
        Raises HfkitError: a row is no text, or the model answers with what is no number."""
        features = self._features(rows)
        return self.decided(
            lambda places, dtype: self._run(
                features if places is None else [features[place] for place in places], dtype, batch_size
            )
        )

    def _features(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Encoded rows. Pairs and single texts may be mixed; each kind goes through the tokenizer at once."""
        split = [text_and_pair(row) for row in rows]
        features: list[dict[str, Any]] = [{}] * len(rows)
        for paired in (False, True):
            places = [place for place, (_, pair) in enumerate(split) if (pair is not None) == paired]
            if not places:
                continue
            pairs = [split[place][1] or "" for place in places] if paired else None
            encoded = self.reading.truncated.encode(self.tokenizer, [split[place][0] for place in places], pairs)
            for index, place in enumerate(places):
                features[place] = {name: column[index] for name, column in encoded.items()}
        return features

    def _run(self, features: list[dict[str, Any]], dtype: torch.dtype | None, batch_size: int | None) -> torch.Tensor:
        """Logits of the rows, in their order, computed in `dtype` (None: the model's own)."""
        answers = torch.empty(len(features), len(self.reading.labels))
        for rows in self.batches(features, batch_size):
            batch = [features[row] for row in rows]
            apart = batch[0]["length"] > self.tokens_per_batch and self.reading.long_text == "windows"
            answers[rows] = self._windows(batch[0], dtype) if apart else self._batch(batch, dtype)
        return answers

    def _windows(self, feature: dict[str, Any], dtype: torch.dtype | None) -> torch.Tensor:
        """Logits (1, labels) of a text whose windows are more than a batch: the mean, a batch at a time."""
        windows = feature["input_ids"]
        size = max(1, self.tokens_per_batch // max(map(len, windows)))
        sums = torch.zeros(1, len(self.reading.labels))
        for start in range(0, len(windows), size):
            part = {name: value[start : start + size] for name, value in feature.items() if isinstance(value, list)}
            sums += self._batch([part], dtype) * len(part["input_ids"])
        return sums / len(windows)

    def batch_of(self, texts: list[str]) -> dict[str, torch.Tensor]:
        """The model's inputs for some texts."""
        return self.reading.collate(self._features(texts))

    def _batch(self, features: list[dict[str, Any]], dtype: torch.dtype | None) -> torch.Tensor:
        batch, model = self.reading.collate(features), self.fast if dtype == self.low_precision else self.model
        with self.computing(dtype), readable(lambda: self._shown(batch["input_ids"][:3]), "the batch of"):
            return self.reading.logits(model, {k: v.to(self.device) for k, v in batch.items()}).cpu()

    def _shown(self, rows: torch.Tensor) -> list[str]:
        """The beginnings of some rows, quoted."""
        return [repr(text[:60]) for text in self.tokenizer.batch_decode(rows, skip_special_tokens=True)]


def text_and_pair(row: Any) -> tuple[str, str | None]:
    """A row in any form that transformers' pipeline takes: a text, a dict, or a list of one pair."""
    if isinstance(row, list) and len(row) == 1 and isinstance(row[0], list) and len(row[0]) == 2:
        row = {"text": row[0][0], "text_pair": row[0][1]}
    text, pair = (row.get("text"), row.get("text_pair")) if isinstance(row, Mapping) else (row, None)
    if not isinstance(text, str) or not isinstance(pair, str | None):
        what = f"A row is not a text: {str(row)[:80]!r} ({type(row).__name__})."
        raise HfkitError(what, fix='give strings, or dicts such as {"text": "...", "text_pair": "..."}')
    for part in (text, pair or ""):
        check_whole(part)
    return text, pair
