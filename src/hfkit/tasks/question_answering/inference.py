"""QuestionAnsweringPipeline: answers and their places in the user's text, as of transformers 4, which 5 has no more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import is_missing
from hfkit.inference.answering import Alone, check_count
from hfkit.inference.texts import TextPipeline, check_whole
from hfkit.models.inspection import readable
from hfkit.tasks.question_answering.spans.search import Scores
from hfkit.tasks.question_answering.spans.windows import Reader
from hfkit.tasks.question_answering.task import QuestionAnswering
from hfkit.tasks.texts import each


@dataclass(frozen=True)
class Asked:
    """A question about a context."""

    question: str
    context: str

    @classmethod
    def of(cls, row: Any) -> "Asked":
        """A row: {"question": ..., "context": ...}, or {"text": ..., "text_pair": ...} as rows are loaded. Raises
        HfkitError: one of the two is no text, or holds none."""
        known = row if isinstance(row, Mapping) else {}
        texts = known.get("question", known.get("text")), known.get("context", known.get("text_pair"))
        for name, text in zip(("question", "context"), texts, strict=True):
            if not isinstance(text, str) or is_missing(text):
                what = f"A row has no {name}: {str(row)[:80]!r} ({type(row).__name__})."
                raise HfkitError(what, fix='give {"question": "...", "context": "..."}, each with some text')
            check_whole(text, f"The {name}")
        return cls(*texts)


@dataclass(frozen=True)
class Answered:
    """A row with what the model says of its windows."""

    asked: Asked
    scores: Scores


class QuestionAnsweringPipeline(TextPipeline, Alone):
    """Answers as transformers 4's pipeline gives them: {"score", "start", "end", "answer"}, places in characters of the
    context as it was given.

    Two things are better. The answer is the best one over all windows of a long context, of any length. And where a
    question may have no answer, it is empty where the model's threshold says so, which its training chose; other models
    are asked with `handle_impossible_answer=True`.

    It computes in float32 unless `mixed_precision` says otherwise: a lower precision could turn an answer.

    >>> answer = hfkit.pipeline("runs/bert_squad")                                     # doctest: +SKIP
    >>> answer(question="Who wrote it?", context="It was written by Ada.", top_k=3)    # doctest: +SKIP
    """

    one = (Mapping,)
    of, exact = QuestionAnswering, True
    reading: QuestionAnswering
    chunks, budgets = (64, 512), (4096, 65536)  # on a CPU some ten windows
    takes = ("top_k", "max_answer_length", "handle_impossible_answer")

    def _sanitize_parameters(
        self,
        top_k: int | None = None,
        max_answer_length: int | None = None,
        handle_impossible_answer: bool | None = None,
        **others: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """How many answers, of how many tokens at most, and whether there may be none."""
        self.refuse(others)
        given = {"top_k": top_k, "max_answer_length": max_answer_length}
        for name, value in given.items():
            if value is not None:
                check_count(name, value)
        given["no_answer"] = handle_impossible_answer
        return {}, {}, {name: value for name, value in given.items() if value is not None}

    def __call__(self, inputs: Any = None, *args: Any, **options: Any) -> Any:
        """Answers to one row or many; `question` and `context` may be given by name, a text or a list each."""
        question, context = options.pop("question", None), options.pop("context", None)
        if isinstance(question, str) and isinstance(context, str):
            inputs = {"question": question, "context": context}
        elif question is not None or context is not None:
            both = [[texts] if isinstance(texts, str) else list(texts or ()) for texts in (question, context)]
            most = max(map(len, both))
            both = [texts * most if len(texts) == 1 else texts for texts in both]
            if len(both[0]) != len(both[1]):
                raise HfkitError(f"There are {len(both[0])} questions and {len(both[1])} contexts", fix="give as many")
            inputs = [{"question": one, "context": other} for one, other in zip(*both, strict=True)]
        return super().__call__(inputs, *args, **options)

    def answered(self, rows: Sequence[Any], batch_size: int | None = None) -> list[Answered]:
        """What the model says of each row."""
        asked = [Asked.of(row) for row in rows]
        contexts, ids = [one.context for one in asked], [repr(one.question[:60]) for one in asked]
        reader = Reader(self.tokenizer, self.reading.max_length, self.reading.stride)
        features = each(reader.columns(reader.read([one.question for one in asked], contexts, ids), contexts))
        found: list[Any] = [None] * len(asked)
        for chosen in self.batches(features, batch_size):
            for row, scores in zip(chosen, self._run([features[row] for row in chosen]), strict=True):
                found[row] = Answered(asked[row], scores)
        return found

    def _run(self, features: list[dict[str, Any]]) -> Iterator[Scores]:
        batch = self.reading.collate(features)
        moved = {key: value.to(self.device) if torch.is_tensor(value) else value for key, value in batch.items()}
        with (
            self.computing(self.low_precision),
            readable(lambda: [one["context"][:60] for one in features[:3]], "the batch of"),
        ):
            logits = self.reading.logits(self.model, moved)
        here = batch["attention_mask"].bool()
        for end in logits:
            self.check_finite(end.cpu()[here])
        yield from self.reading.scores(batch, logits)

    def logits(self, rows: Sequence[Any]) -> list[torch.Tensor]:
        """(tokens, 2) in float32 on the CPU of each row's first window: of where an answer begins and where it ends."""
        found = [self.answered([row])[0].scores for row in rows]
        return [torch.stack([scores.start[0], scores.end[0]], dim=1) for scores in found]

    def said(self, answer: Answered, options: dict[str, Any]) -> Any:
        """The answer, or a list of the `top_k` best; an empty one where there is none."""
        how = replace(self.reading, **{name: options[name] for name in options if name != "top_k"})
        scores, context, count = answer.scores, answer.asked.context, int(options.get("top_k", 1))
        found = scores.best(context, how.max_answer_length, count)
        told: list[dict[str, Any]] = [
            {"score": one.score, "start": one.begin, "end": one.end, "answer": context[one.begin : one.end]}
            for one in found
        ]
        if how.no_answer or not found:
            none = {"score": scores.probability(scores.no_answer), "start": 0, "end": 0, "answer": ""}
            first = not found or not how.decided(scores.no_answer - found[0].logit, "an answer")
            below = (place for place, one in enumerate(told) if one["score"] < none["score"])
            told.insert(0 if first else max(next(below, len(told)), 1), none)
        return told[0] if count == 1 else told[:count]


pipeline = QuestionAnsweringPipeline.over
