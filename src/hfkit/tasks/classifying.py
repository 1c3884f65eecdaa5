"""ClassifyingPipeline: what the pipelines for texts and for images share, a lower precision and float32's labels."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import torch

from hfkit.data.labels.problem import MULTI, REGRESSION
from hfkit.inference.answering import CLOSE, AnsweringPipeline
from hfkit.models.inspection import refusing
from hfkit.tasks.classification import Classification


class ClassifyingPipeline(AnsweringPipeline):
    """Stands before transformers' pipeline of a kind, which says how rows become `logits`.

    With `mixed_precision="auto"` the model runs under bf16 autocast where the hardware computes it, and the rows whose
    decision is close (the two best probabilities less than 0.05 apart; for a multi-label model, a probability less than
    0.025 from a half) run again in float32: so labels are float32's, and other rows' scores differ in the second or
    third digit. Regressions, which have no labels to keep, run in float32, and so do models with thresholds.

    Scores are as `hfkit calibrate` made them, unless a call names its function. Where thresholds were chosen, the label
    that is answered comes first; of several labels, `holds` says of each whether it is."""

    reading: Classification
    usual: ClassVar[int | None] = None  # labels that upstream gives by default; None: the first, and not in a list

    def settle(self, reading: Classification, mixed_precision: str, exact: bool = False) -> None:
        where, fix = f"config.json of {self.model.name_or_path}, hfkit.calibration", "hfkit calibrate RUN makes it anew"
        with refusing("The model's calibration cannot be read", where, fix, (KeyError, TypeError, ValueError)):
            tried = reading.predictions(torch.zeros(2, len(reading.labels)))
            if not all(bool(one.isfinite().all()) for one in tried.values()):
                raise ValueError("it makes what is no number")
        ruled = bool({"thresholds", "costs"} & set(reading.calibration or ()))
        super().settle(reading, mixed_precision, exact or reading.problem_type == REGRESSION or ruled)

    def logits(self, rows: Sequence[Any], batch_size: int | None = None) -> torch.Tensor:
        """(rows, labels) in float32 on the CPU, in the order of `rows`."""
        raise NotImplementedError

    def answered(self, rows: Sequence[Any], batch_size: int | None = None) -> Iterable[torch.Tensor]:
        """The logits of each row."""
        return self.logits(rows, batch_size)

    def said(self, answer: torch.Tensor, options: dict[str, Any]) -> Any:
        """Labels with their scores, as upstream makes them of logits."""
        if self.reading.calibration and options.get("function_to_apply") is None:
            return self.calibrated(answer, options)
        outputs: Any = {"logits": answer[None]}  # declared to be a ModelOutput, of which upstream reads this alone
        return self.postprocess(outputs, **options)

    def calibrated(self, answer: torch.Tensor, options: dict[str, Any]) -> Any:
        """As `said`, of the calibrated probabilities."""
        found, several = self.reading.predictions(answer[None]), self.reading.problem_type == MULTI
        chosen, scores = found["prediction"][0].tolist(), found["probabilities"][0].tolist()
        names = self.reading.labels
        ranked = [{"label": names[k], "score": score} for k, score in enumerate(scores)]
        if several:
            ranked = [one | {"holds": bool(held)} for one, held in zip(ranked, chosen, strict=True)]
        order = sorted(range(len(ranked)), key=lambda k: (several or k != chosen, -scores[k]))
        ranked = [ranked[k] for k in order]
        if "top_k" not in options and self.usual is None:
            return ranked[0]
        return ranked[: options.get("top_k", self.usual)]

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
        probabilities = self.reading.calibrated(None).predictions(logits)["probabilities"]
        if self.reading.problem_type == MULTI:
            close = ((probabilities - 0.5).abs() < CLOSE / 2).any(dim=1)
        else:
            best = probabilities.topk(2, dim=1).values
            close = best[:, 0] - best[:, 1] < CLOSE
        return close.nonzero().flatten().tolist()
