"""ClassifyingPipeline: what the pipelines for texts and for images share, a lower precision and float32's labels."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import torch

from hfkit.data.labels.problem import MULTI, REGRESSION
from hfkit.inference.answering import CLOSE, AnsweringPipeline
from hfkit.tasks.classification import Classification


def answer_types(problem_type: str) -> dict[str, pa.DataType]:
    """The columns of answers and what they are stored as in Parquet: a first chunk may hold none, or no label, to take
    their types from."""
    if problem_type == REGRESSION:
        return {"value": pa.float64()}
    label, score = pa.string(), pa.float64()
    several = problem_type == MULTI
    return {"label": pa.list_(label) if several else label, "score": pa.list_(score) if several else score}


def answer_of(ranked: Sequence[Mapping[str, Any]], problem_type: str) -> dict[str, Any]:
    """What these columns hold of labels with their scores, the best first: it, or those of at least a half."""
    if problem_type == REGRESSION:
        return {"value": ranked[0]["score"]}
    if problem_type == MULTI:
        kept = [one for one in ranked if one["score"] >= 0.5]
        return {key: [one[key] for one in kept] for key in ("label", "score")}
    return dict(ranked[0])


class ClassifyingPipeline(AnsweringPipeline):
    """Stands before transformers' pipeline of a kind, which says how rows become `logits`.

    With `mixed_precision="auto"` the model runs under bf16 autocast where the hardware computes it, and the rows whose
    decision is close (the two best probabilities less than 0.05 apart; for a multi-label model, a probability less than
    0.025 from a half) run again in float32: so labels are float32's, and other rows' scores differ in the second or
    third digit. Regressions, which have no labels to keep, run in float32."""

    reading: Classification

    def settle(self, reading: Classification, mixed_precision: str, exact: bool = False) -> None:
        super().settle(reading, mixed_precision, exact or reading.problem_type == REGRESSION)

    def logits(self, rows: Sequence[Any], batch_size: int | None = None) -> torch.Tensor:
        """(rows, labels) in float32 on the CPU, in the order of `rows`."""
        raise NotImplementedError

    def answered(self, rows: Sequence[Any], batch_size: int | None = None) -> Iterable[torch.Tensor]:
        """The logits of each row."""
        return self.logits(rows, batch_size)

    def said(self, answer: torch.Tensor, options: dict[str, Any]) -> Any:
        """Labels with their scores, as upstream makes them of logits."""
        outputs: Any = {"logits": answer[None]}  # declared to be a ModelOutput, of which upstream reads this alone
        return self.postprocess(outputs, **options)

    def decided(self, run: Callable[[list[int] | None, torch.dtype | None], torch.Tensor]) -> torch.Tensor:
        """The logits, float32's where a lower precision could have turned a label. `run` computes the rows at these
        places (None: all) in this format (None: the model's own). Raises HfkitError: the model answers with what is no
        number."""
        answers = run(None, self.low_precision)
        if self.low_precision is not None and self.keeps_labels and (close := self._close(answers)):
            answers[close] = run(close, None)
        self.check_finite(answers)
        return answers

    def _close(self, logits: torch.Tensor) -> list[int]:
        """Rows whose label a lower precision could have turned."""
        probabilities = self.reading.predictions(logits)["probabilities"]
        if self.reading.problem_type == MULTI:
            close = ((probabilities - 0.5).abs() < CLOSE / 2).any(dim=1)
        else:
            best = probabilities.topk(2, dim=1).values
            close = best[:, 0] - best[:, 1] < CLOSE
        return close.nonzero().flatten().tolist()
