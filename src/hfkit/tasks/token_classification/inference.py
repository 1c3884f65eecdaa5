"""TokenClassificationPipeline: transformers' own, on the words that the model was trained on, whole texts, sorted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers

from hfkit.base.errors import HfkitError, check_known
from hfkit.inference.answering import CLOSE
from hfkit.inference.texts import TextPipeline, check_whole
from hfkit.models.inspection import readable
from hfkit.tasks.texts import each
from hfkit.tasks.token_classification.task import TokenClassification
from hfkit.tasks.token_classification.words.schemes import names_in
from hfkit.tasks.token_classification.words.splitting import Text, split_words
from hfkit.tasks.token_classification.words.windows import Reader

STRATEGIES = ("none", "simple", "first", "average", "max")


def read(row: Any) -> Text:
    """A text, or the words of one as {"tokens": [...]}, which one space parts. Raises HfkitError: it is neither, or a
    word is empty."""
    words = row.get("tokens") if isinstance(row, Mapping) else None
    if isinstance(words, np.ndarray):  # as rows of Parquet have it
        words = words.tolist()
    check_whole(row if isinstance(row, str) else str(words))
    if isinstance(row, str):
        return Text(row, split_words(row))
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) and word for word in words):
        what = f"A row is neither a text nor a list of words: {str(row)[:80]!r} ({type(row).__name__})."
        raise HfkitError(what, fix='give strings, or {"tokens": ["One", "word", "each"]}')
    return Text.joined(words)


@dataclass(frozen=True)
class Tagged:
    """A text with what the model says of its words: tags (words,), and probabilities (words, labels)."""

    text: Text
    tags: torch.Tensor
    probabilities: torch.Tensor


class TokenClassificationPipeline(TextPipeline, transformers.TokenClassificationPipeline):
    """transformers' pipeline, on words as in training, in the windows that the model was trained with: no word is left
    out, however long the text.

    Words are answered by their first piece, so there is one way to join them: every `aggregation_strategy` but `none`
    gives whole names, as they are judged; `none` gives a word each. Words that stand apart already are given as
    {"tokens": [...]}, or with `is_split_into_words=True`. With `mixed_precision="auto"` texts that hold a word whose
    two best probabilities are less than 0.05 apart run again in float32, so tags are float32's."""

    one = (str, Mapping)
    of = TokenClassification
    reading: TokenClassification
    takes = ("aggregation_strategy", "ignore_labels", "is_split_into_words")

    def _sanitize_parameters(  # type: ignore[override]  # the arguments that it lacks are refused by name
        self, ignore_labels: Any = None, aggregation_strategy: Any = None, **others: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Upstream's, without the arguments that say how a text is read: the model says that."""
        self.refuse(others)
        given: dict[str, Any] = {} if ignore_labels is None else {"ignore_labels": list(ignore_labels)}
        if aggregation_strategy is not None:
            strategy = str(getattr(aggregation_strategy, "value", aggregation_strategy)).lower()
            check_known(strategy, STRATEGIES, f"There is no aggregation_strategy {aggregation_strategy!r}.")
            given["aggregation_strategy"] = strategy
        return {}, {}, given

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """As upstream; {"tokens": [...]} is a text given as its words."""
        if options.pop("is_split_into_words", False):
            one = not isinstance(inputs, Iterator) and all(isinstance(word, str) for word in inputs)
            inputs = {"tokens": list(inputs)} if one else [{"tokens": list(words)} for words in inputs]
        inputs = self.listed(inputs)
        return [] if inputs == [] else transformers.Pipeline.__call__(self, inputs, *args, **options)

    def answered(self, rows: Sequence[Any], batch_size: int | None = None) -> list[Tagged]:
        """The tags of each text, with the probabilities of all."""
        texts = list(map(read, rows))
        logits, tags = self._decided(texts, batch_size)
        return [Tagged(*answer) for answer in zip(texts, tags, [one.softmax(dim=1) for one in logits], strict=True)]

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.tokenizer, self.reading.max_length, self.reading.stride)

    def logits(self, rows: Sequence[Any]) -> list[torch.Tensor]:
        """(words, labels) in float32 on the CPU, of each row."""
        return self._decided(list(map(read, rows)), None)[0]

    def _decided(self, texts: list[Text], batch_size: int | None) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Logits (words, labels) and tags (words,) of each text, float32's where a word is close."""
        features = each(self._reader.columns([text.words for text in texts]))
        logits, tags = self._run(features, self.low_precision, batch_size)
        if self.low_precision is not None and self.keeps_labels:
            close = [row for row, one in enumerate(logits) if _close(one)]
            again = self._run([features[row] for row in close], None, batch_size)
            for row, *exact in zip(close, *again, strict=True):
                logits[row], tags[row] = exact
        for answer in logits:
            self.check_finite(answer)
        return logits, tags

    def _run(
        self, features: list[dict[str, Any]], dtype: torch.dtype | None, batch_size: int | None
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """What `_decided` gives, computed in `dtype` (None: the model's own). A text without a word has no answer."""
        logits = [torch.zeros(0, len(self.reading.labels))] * len(features)
        tags = [torch.zeros(0, dtype=torch.int64)] * len(features)
        full = [row for row, feature in enumerate(features) if feature["count"]]
        for places in self.batches([features[row] for row in full], batch_size):
            rows = [full[place] for place in places]
            batch = self.reading.collate([features[row] for row in rows])
            shown = [" ".join(map(str, features[row]["input_ids"][0][:8])) for row in rows[:3]]
            with self.computing(dtype), readable(lambda shown=shown: shown, "the batch of tokens"):  # type: ignore[misc]
                said = self.reading.answers(self.model, {k: v.to(self.device) for k, v in batch.items()})
            sizes = batch["counts"].tolist()
            for row, *answer in zip(rows, *(one.cpu().clone().split(sizes) for one in said), strict=True):
                logits[row], tags[row] = answer
        return logits, tags

    def said(self, answer: Tagged, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Names with their place in the text and the mean of their words' probabilities; or each word's tag."""
        ignored = options.get("ignore_labels", ["O"])
        names = [self.reading.labels[tag] for tag in answer.tags.tolist()]
        scores = answer.probabilities.gather(1, answer.tags[:, None])[:, 0].tolist()
        places, text = answer.text.places, answer.text.text
        if options.get("aggregation_strategy", "simple") == "none":
            return [
                {"entity": name, "score": score, "index": index + 1, "word": text[a:b], "start": a, "end": b}
                for index, (name, score, (a, b)) in enumerate(zip(names, scores, places, strict=True))
                if name not in ignored
            ]
        return [
            {
                "entity_group": kind,
                "score": sum(scores[first:last]) / (last - first),
                "word": text[places[first][0] : places[last - 1][1]],
                "start": places[first][0],
                "end": places[last - 1][1],
            }
            for first, last, kind in names_in(names, self.reading.scheme)
            if kind not in ignored
        ]


pipeline = TokenClassificationPipeline.over


def _close(logits: torch.Tensor) -> bool:
    """Whether a lower precision could have turned the tag of a word."""
    if logits.shape[1] < 2 or not len(logits):
        return False
    best = logits.softmax(dim=1).topk(2, dim=1).values
    return bool((best[:, 0] - best[:, 1] < CLOSE).any())
