"""ClassifyingPipeline: what the pipelines for texts and for images share, a lower precision and float32's labels."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, ClassVar

import pyarrow as pa
import torch
import transformers

from hfkit.base.errors import HfkitError
from hfkit.base.hardware import emulated, keep_blocks
from hfkit.base.hardware import mixed_precision as precision_for
from hfkit.data.labels.problem import MULTI, REGRESSION
from hfkit.models.kernels.cpu_attention import products
from hfkit.tasks.classification import Classification

CLOSE = 0.05
"""Two labels whose probabilities differ by less are decided in float32. On 1,500 reviews MiniLM's bf16 moved that
difference by 0.016 at most and turned no label; of 4,000 others it turned one, whose difference was 0.0003."""


def check_count(name: str, value: Any) -> None:
    """Refuse what is no number of rows or tokens.

    Raises:
        HfkitError: It is no whole number from 1.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise HfkitError(f"{name}={value!r} is no such number", fix="give a whole number from 1")


def answer_types(problem_type: str) -> dict[str, pa.DataType]:
    """What answers are stored as in Parquet: a first chunk may hold none, or no label, to take their types from."""
    label, score = pa.string(), pa.float64()
    if problem_type == MULTI:
        label, score = pa.list_(label), pa.list_(score)
    return {"label": label, "score": score, "value": pa.float64()}


class ClassifyingPipeline(transformers.Pipeline):
    """Stands before transformers' pipeline of a kind. That kind says how rows become `logits`.

    With `mixed_precision="auto"` the model runs under bf16 autocast where the hardware computes it, and the rows whose
    decision is close (the two best probabilities less than 0.05 apart; for a multi-label model, a probability less than
    0.025 from a half) run again in float32: so labels are float32's, and other rows' scores differ from float32's in
    the second or third digit. Regressions, which have no labels to keep, run in float32. `no` computes all in float32,
    `bf16` and `fp16` compute all in that format.

    Attributes:
        reading: The task that the model was trained for.
        one: Types of a single row; of anything else each item is a row.
    """

    reading: Classification
    one: ClassVar[tuple[type, ...]]

    def settle(self, reading: Classification, mixed_precision: str) -> None:
        """Take the task, decide the precision, and let glibc keep the blocks of a batch for the next one.

        Raises:
            HfkitError: A precision that models do not answer in, or that is not there.
        """
        self.model.eval()
        self.reading = reading
        if mixed_precision == "fp8":
            raise HfkitError("fp8 is for training", where="mixed_precision='fp8'", fix="auto, no, bf16 or fp16")
        value, why = precision_for(mixed_precision, use_cpu=self.device.type == "cpu")
        if emulated(value, self.device.type):
            warnings.warn(why, stacklevel=2)
        exact = value == "no" or (mixed_precision == "auto" and reading.problem_type == REGRESSION)
        self.low_precision = None if exact else torch.float16 if value == "fp16" else torch.bfloat16
        self.keeps_labels = mixed_precision == "auto"
        if self.device.type == "cpu":
            keep_blocks()

    def check_model_type(self, supported_models: Any) -> None:
        """`hfkit.pipeline` has asked already, and knows the from-scratch models that transformers' list does not."""

    def logits(self, rows: Sequence[Any], batch_size: int | None = None) -> torch.Tensor:
        """(rows, labels) in float32 on the CPU, in the order of `rows`."""
        raise NotImplementedError

    def at_once(self, batch_size: int | None) -> int:
        """Rows that are read together of a stream."""
        raise NotImplementedError

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """As upstream; tuples, arrays and columns of a data frame or data set are taken as lists."""
        if not isinstance(inputs, (*self.one, Iterator, torch.utils.data.Dataset)):
            inputs = list(inputs)
            if not inputs:
                return []
        return super().__call__(inputs, *args, **options)

    def get_iterator(
        self,
        inputs: Iterable[Any],
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[Any]:
        """The answers in the order of `inputs`, a chunk at a time."""
        check_count("batch_size", batch_size)
        # A torch data set need not be iterable, only countable.
        rows = iter(inputs) if isinstance(inputs, Iterable) else (inputs[i] for i in range(len(inputs)))
        wanted = batch_size if batch_size > 1 else None
        while chunk := list(islice(rows, self.at_once(wanted))):
            for logits in self.logits(chunk, wanted):
                yield self._said(logits[None], postprocess_params)

    def run_single(
        self,
        inputs: Any,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Any:
        return self._said(self.logits([inputs]), postprocess_params)

    def _said(self, logits: torch.Tensor, options: dict[str, Any]) -> Any:
        outputs: Any = {"logits": logits}  # declared to be a ModelOutput, of which upstream reads this alone
        return self.postprocess(outputs, **options)

    def decided(self, run: Callable[[list[int] | None, torch.dtype | None], torch.Tensor]) -> torch.Tensor:
        """The logits, float32's where a lower precision could have turned a label.

        Args:
            run: The rows at these places (None: all), computed in this format (None: the model's own) -> logits.

        Raises:
            HfkitError: The model answers with what is no number.
        """
        answers = run(None, self.low_precision)
        if self.low_precision is not None and self.keeps_labels and (close := self._close(answers)):
            answers[close] = run(close, None)
        if not bool(answers.isfinite().all()):
            raise HfkitError(
                f"{self.model.name_or_path or 'The model'} answers with NaN or infinity",
                fix="its weights are damaged, or its training diverged; of mixed_precision='fp16', try 'no'",
            )
        return answers

    @contextmanager
    def computing(self, dtype: torch.dtype | None) -> Iterator[None]:
        """On the pipeline's device, without gradients, in `dtype` (None: the model's own)."""
        lower = torch.autocast(self.device.type, dtype=dtype) if dtype is not None else nullcontext()
        precision = "bf16" if dtype == torch.bfloat16 else "no"
        with self.device_placement(), torch.inference_mode(), lower, products(self.device, precision):
            yield

    def _close(self, logits: torch.Tensor) -> list[int]:
        """Rows whose label a lower precision could have turned."""
        probabilities = self.reading.predictions(logits)["probabilities"]
        if self.reading.problem_type == MULTI:
            close = ((probabilities - 0.5).abs() < CLOSE / 2).any(dim=1)
        else:
            best = probabilities.topk(2, dim=1).values
            close = best[:, 0] - best[:, 1] < CLOSE
        return close.nonzero().flatten().tolist()
