"""SentencePipeline: vectors of texts, and how near a sentence is to others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import transformers

from hfkit.base.errors import HfkitError, nearest
from hfkit.data.tables.table import is_missing
from hfkit.inference.answering import Alone, check_count
from hfkit.inference.texts import TextPipeline, check_whole
from hfkit.models.inspection import readable
from hfkit.tasks.sentence_similarity.task import SentenceSimilarity
from hfkit.tasks.texts import each

KINDS = ("query", "document")


def pipeline(
    model: transformers.PreTrainedModel, processor: Any, *, tokens_per_batch: int | None = None, **options: Any
) -> "SentencePipeline":
    """See `hfkit.pipeline`."""
    task = (getattr(model.config, "hfkit", None) or {}).get("task", "sentence-similarity")
    return SentencePipeline(model=model, tokenizer=processor, task=task, tokens_per_batch=tokens_per_batch, **options)


class SentencePipeline(TextPipeline, Alone):
    """A text's vector, (numbers,) of float32; of a mapping how near its `source_sentence` is to each of its
    `sentences`, as cosines: what the Hub's inference takes for sentence similarity.

    Arguments of a call: `prompt_name`, `query` or `document`, puts the model's prefix in front of the texts, as
    sentence-transformers has it (of a mapping the sentence is a query and the others are documents); `truncate_dim`
    takes a vector's first numbers, at length 1 again.

    It computes in float32 unless `mixed_precision` says otherwise: vectors that are kept are compared with later ones.

    >>> embed = hfkit.pipeline("runs/minilm_retrieve")                                 # doctest: +SKIP
    >>> embed("Who wrote it?", prompt_name="query").shape                              # doctest: +SKIP
    (384,)
    >>> embed({"source_sentence": "A cat.", "sentences": ["A tiger.", "A tax."]})      # doctest: +SKIP
    [0.52, 0.04]
    """

    one = (str, Mapping)
    of, exact = SentenceSimilarity, True
    reading: SentenceSimilarity
    takes = ("prompt_name", "truncate_dim")

    def _sanitize_parameters(
        self, prompt_name: str | None = None, truncate_dim: int | None = None, **others: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Which prefix texts get, and how many numbers of a vector are wanted."""
        self.refuse(others)
        if prompt_name is not None and prompt_name not in KINDS:
            raise HfkitError(f"There is no prompt_name {prompt_name!r}", fix=nearest(prompt_name, KINDS))
        self._check_dimensions(truncate_dim)
        given = {"prompt_name": prompt_name, "truncate_dim": truncate_dim}
        return {}, {name: value for name, value in given.items() if value is not None}, {}

    def _check_dimensions(self, asked: int | None) -> None:
        if asked is None:
            return
        check_count("truncate_dim", asked)
        if asked > self.model.config.hidden_size:
            what = f"The model's vectors have {self.model.config.hidden_size:,} numbers"
            raise HfkitError(what, where=f"truncate_dim={asked}", fix="ask for fewer")

    def vectors(
        self,
        texts: Sequence[str],
        kind: str | None = None,
        truncate_dim: int | None = None,
        batch_size: int | None = None,
        normalize: bool | None = None,
    ) -> np.ndarray:
        """(texts, numbers) in float32. `kind` is `query`, `document`, or None for no prefix; `normalize` is by default
        as the model was trained. Raises HfkitError: a text is none, or the model answers with NaN."""
        unit = self.reading.normalize if normalize is None else normalize
        found = np.zeros((len(texts), truncate_dim or self.model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(texts), self.chunk):
            part = [_checked(text) for text in texts[start : start + self.chunk]]
            features = each(self.reading.tokens(part, self.tokenizer, kind))
            for chosen in self.batches(features, batch_size):
                values = self._run([features[row] for row in chosen])[:, :truncate_dim]
                values = torch.nn.functional.normalize(values, dim=1) if unit else values
                found[[start + row for row in chosen]] = values.numpy()
        return found

    def _run(self, features: list[dict[str, Any]]) -> torch.Tensor:
        batch = self.reading.collate(features)["texts"]
        moved = {name: value.to(self.device) for name, value in batch.items()}
        with self.computing(self.low_precision), readable(lambda: [len(features)], "a batch of texts, so many:"):
            vectors = self.reading.vectors(self.model, moved).float().cpu()
        self.check_finite(vectors)
        return vectors

    def answered(
        self,
        rows: Sequence[Any],
        batch_size: int | None = None,
        prompt_name: str | None = None,
        truncate_dim: int | None = None,
    ) -> Iterator[Any]:
        """A vector a text, a list of cosines a mapping, in the order of the rows."""
        plain = [row for row in rows if not isinstance(row, Mapping)]
        found = iter(self.vectors(plain, prompt_name, truncate_dim, batch_size))
        for row in rows:
            yield self._beside(row, truncate_dim, batch_size) if isinstance(row, Mapping) else next(found)

    def _beside(self, row: Mapping[str, Any], truncate_dim: int | None, batch_size: int | None) -> list[float]:
        """How near a sentence is to each of some others."""
        first, others = row.get("source_sentence"), row.get("sentences")
        if not isinstance(first, str) or not isinstance(others, list | tuple) or not others:
            what = f"A row has no sentence, or no others: {str(dict(row))[:80]}"
            raise HfkitError(what, fix='give {"source_sentence": "...", "sentences": ["...", "..."]}')
        second = "query" if self.reading.graded else "document"
        query = self.vectors([first], "query", truncate_dim, normalize=True)
        return [float(one) for one in self.vectors(others, second, truncate_dim, batch_size, normalize=True) @ query[0]]

    def said(self, answer: Any, options: dict[str, Any]) -> Any:
        """The answer as it is."""
        return answer


def _checked(text: Any) -> str:
    """A text that says something."""
    if not isinstance(text, str) or is_missing(text):
        raise HfkitError(f"A text is empty or none: {str(text)[:80]!r} ({type(text).__name__})", fix="give some text")
    check_whole(text)
    return text
