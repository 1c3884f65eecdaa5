"""AnsweringPipeline: what hfkit's pipelines share: precision, streams in chunks, one input or many."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, ClassVar

import torch
import transformers

from hfkit.base.errors import HfkitError
from hfkit.base.hardware import emulated, keep_blocks
from hfkit.base.hardware import mixed_precision as precision_for
from hfkit.models.kernels.cpu_attention import products

CLOSE = 0.05
"""Two labels whose probabilities differ by less are decided in float32. On 1,500 reviews MiniLM's bf16 moved that
difference by 0.016 at most and turned no label; of 4,000 others it turned one, whose difference was 0.0003."""


def check_count(name: str, value: Any) -> None:
    """Refuse what is no number of rows or tokens: a whole one from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise HfkitError(f"{name}={value!r} is no such number", fix="give a whole number from 1")


class Stream(torch.utils.data.IterableDataset[Any]):
    """An iterator as what upstream reads as a stream: some releases make a list of a generator first."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return self.rows


class AnsweringPipeline(transformers.Pipeline):
    """Stands before transformers' pipeline of a kind, which says what is `answered` of rows and how it is `said`."""

    reading: Any  # the task that the model was trained for
    one: ClassVar[tuple[type, ...]]  # types of a single row; of anything else each item is a row

    def settle(self, reading: Any, mixed_precision: str, exact: bool = False) -> None:
        """Take the task, decide the precision (with `exact`, where there are no labels for a lower one to keep, auto is
        float32), and let glibc keep the blocks of a batch for the next one. Raises HfkitError: a precision that models
        do not answer in, or that is not there."""
        self.model.eval()
        self.reading = reading
        if mixed_precision == "fp8":
            raise HfkitError("fp8 is for training", where="mixed_precision='fp8'", fix="auto, no, bf16 or fp16")
        value, why = precision_for(mixed_precision, use_cpu=self.device.type == "cpu")
        if emulated(value, self.device.type):
            warnings.warn(why, stacklevel=2)
        full = value == "no" or (mixed_precision == "auto" and exact)
        self.low_precision = None if full else torch.float16 if value == "fp16" else torch.bfloat16
        self.keeps_labels = mixed_precision == "auto"
        if self.device.type == "cpu":
            keep_blocks()

    def check_model_type(self, supported_models: Any) -> None:
        """`hfkit.pipeline` has asked already, and knows the from-scratch models that transformers' list does not."""

    def answered(self, rows: Sequence[Any], batch_size: int | None = None) -> Iterable[Any]:
        """An answer to each row, in their order, as `said` takes it. A pipeline that has parameters of upstream's
        `_forward` gets them too, by their names."""
        raise NotImplementedError

    def said(self, answer: Any, options: dict[str, Any]) -> Any:
        """An answer in the form that transformers' pipeline gives it."""
        raise NotImplementedError

    def at_once(self, batch_size: int | None) -> int:
        """Rows that are read together of a stream."""
        raise NotImplementedError

    def listed(self, inputs: Any) -> Any:
        """Tuples, arrays and columns of a data frame or data set as lists; one row, what is none, and streams, as they
        are."""
        if isinstance(inputs, Iterator):
            return Stream(inputs)
        if isinstance(inputs, (*self.one, torch.utils.data.Dataset)) or not hasattr(inputs, "__iter__"):
            return inputs
        return list(inputs)

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """As upstream, of anything that holds rows."""
        inputs = self.listed(inputs)
        return [] if inputs == [] else super().__call__(inputs, *args, **options)

    def get_iterator(
        self, inputs: Iterable[Any], num_workers: int, batch_size: int, *parameters: dict[str, Any]
    ) -> Iterator[Any]:
        """The answers in the order of `inputs`, a chunk at a time. The last parameters are those of `said`, before
        them those of `answered`."""
        check_count("batch_size", batch_size)
        # A torch data set need not be iterable, only countable.
        rows = iter(inputs) if isinstance(inputs, Iterable) else (inputs[i] for i in range(len(inputs)))
        wanted = batch_size if batch_size > 1 else None
        while chunk := list(islice(rows, self.at_once(wanted))):
            for answer in self.answered(chunk, wanted, **parameters[1]):
                yield self.said(answer, parameters[-1])

    def run_single(self, inputs: Any, *parameters: dict[str, Any]) -> Any:
        (answer,) = self.answered([inputs], **parameters[1])
        return self.said(answer, parameters[-1])

    def check_finite(self, answers: torch.Tensor) -> None:
        """Refuse NaN and infinity."""
        if not bool(answers.isfinite().all()):
            fix = "its weights are damaged, or its training diverged; of mixed_precision='fp16', try 'no'"
            raise HfkitError(f"{self.model.name_or_path or 'The model'} answers with NaN or infinity", fix=fix)

    @contextmanager
    def computing(self, dtype: torch.dtype | None) -> Iterator[None]:
        """On the pipeline's device, without gradients, in `dtype` (None: the model's own)."""
        lower = torch.autocast(self.device.type, dtype=dtype) if dtype is not None else nullcontext()
        precision = "bf16" if dtype == torch.bfloat16 else "no"
        with self.device_placement(), torch.inference_mode(), lower, products(self.device, precision):
            yield


class Alone(AnsweringPipeline):
    """Of a kind that transformers has no pipeline for: the three steps of one are `answered` and `said`."""

    def preprocess(self, input_: Any, **_: Any) -> Any:
        return input_

    def _forward(self, input_tensors: Any, **how: Any) -> Any:
        return next(iter(self.answered([input_tensors], **how)))

    def postprocess(self, model_outputs: Any, **options: Any) -> Any:
        return self.said(model_outputs, options)
