"""ImageClassificationPipeline: transformers' own, reading pictures as training did, in batches."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from transformers.image_utils import load_image

from hfkit.data.decoding import BadImage, decode
from hfkit.errors import HfkitError
from hfkit.hardware import mixed_precision as precision_for
from hfkit.tasks.image_classification import ImageClassification
from hfkit.tasks.labels import MULTI, REGRESSION

CLOSE = 0.05
"""Two labels whose probabilities differ by less are decided in float32, as for texts."""


class ImageClassificationPipeline(transformers.ImageClassificationPipeline):
    """transformers' pipeline, with the same answers and three differences.

    A picture is decoded as at training: upright, 16 bits scaled, what is transparent white; and mirrored too where the
    run asked for test-time augmentation. Pictures are answered in batches of 32, a generator as a stream.
    `mixed_precision` means what it does for texts: with auto, labels are float32's.
    """

    def __init__(
        self,
        *,
        model: transformers.PreTrainedModel,
        image_processor: Any,
        mixed_precision: str = "auto",
        task: str = "image-classification",
        **options: Any,
    ) -> None:
        self.rows = int(options.pop("batch_size", None) or 32)
        super().__init__(model=model, image_processor=image_processor, task=task, **options)
        self.model.eval()
        self.reading = ImageClassification.from_model(model.config, image_processor)
        if mixed_precision == "fp8":
            raise HfkitError("fp8 is for training", where="mixed_precision='fp8'", fix="auto, no, bf16 or fp16")
        value, _ = precision_for(mixed_precision, use_cpu=self.device.type == "cpu")
        exact = value == "no" or (mixed_precision == "auto" and self.reading.problem_type == REGRESSION)
        self.low_precision = None if exact else torch.float16 if value == "fp16" else torch.bfloat16
        self.keeps_labels = mixed_precision == "auto"

    def check_model_type(self, supported_models: Any) -> None:
        """`hfkit.pipeline` has asked already, and knows the from-scratch models that transformers' list does not."""

    def __call__(self, inputs: Any, **options: Any) -> Any:  # type: ignore[override]
        """A picture or a list, generator or data set of them: paths, bytes, addresses or PIL images."""
        single = isinstance(inputs, str | Path | bytes | Image.Image)
        if not single and not isinstance(inputs, Iterator | torch.utils.data.Dataset):
            inputs = list(inputs)
            if not inputs:
                return []
        return super().__call__(inputs, **options)

    def get_iterator(
        self,
        inputs: Iterable[Any],
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[Any]:
        """The answers in the order of `inputs`, a batch at a time."""
        pictures = iter(inputs) if isinstance(inputs, Iterable) else (inputs[i] for i in range(len(inputs)))
        while some := list(islice(pictures, batch_size if batch_size > 1 else self.rows)):
            for logits in self.logits(some):
                yield self.postprocess({"logits": logits[None]}, **postprocess_params)

    def run_single(
        self,
        inputs: Any,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Any:
        return self.postprocess({"logits": self.logits([inputs])}, **postprocess_params)

    def logits(self, pictures: Sequence[Any]) -> torch.Tensor:
        """(pictures, labels) in float32 on the CPU.

        Raises:
            HfkitError: One is no picture; or the model answers with what is no number.
        """
        seen = self.reading.seen
        assert seen is not None
        return self.of_pixels(seen.look([_picture(one) for one in pictures]))

    def of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """(pictures, channels, height, width) as the processor makes them -> logits, as `logits` gives them."""
        answers = self._run(pixels, self.low_precision)
        if self.low_precision is not None and self.keeps_labels and (close := self._close(answers)):
            answers[close] = self._run(pixels[close], None)
        if not bool(answers.isfinite().all()):
            raise HfkitError("The model answers with NaN or infinity", fix="its training diverged, or it is damaged")
        return answers

    def _run(self, pixels: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
        lower: AbstractContextManager[Any] = (
            torch.autocast(self.device.type, dtype=dtype) if dtype is not None else nullcontext()
        )
        batch = pixels.to(self.device, memory_format=torch.channels_last)
        with self.device_placement(), torch.inference_mode(), lower:
            answers = self.reading.logits(self.model, {"pixel_values": batch})
        return answers.cpu().clone()  # a tensor of inference mode cannot be written into

    def _close(self, logits: torch.Tensor) -> list[int]:
        """Rows whose label a lower precision could have turned."""
        probabilities = self.reading.predictions(logits)["probabilities"]
        if self.reading.problem_type == MULTI:
            close = ((probabilities - 0.5).abs() < CLOSE / 2).any(dim=1)
        else:
            best = probabilities.topk(2, dim=1).values
            close = best[:, 0] - best[:, 1] < CLOSE
        return close.nonzero().flatten().tolist()


def _picture(given: Any) -> Image.Image:
    """A picture in any form that transformers' pipeline takes, decoded as at training."""
    if isinstance(given, str) and given.startswith(("http://", "https://", "data:")):
        given = load_image(given)
    try:
        if isinstance(given, Image.Image):
            return given if given.mode in ("RGB", "L") else given.convert("RGB")
        if isinstance(given, str | Path | bytes):
            return decode(given)
    except BadImage as error:
        raise HfkitError(f"{given if not isinstance(given, bytes) else 'The image'} {error}") from error
    raise HfkitError(f"No image: {type(given).__name__}", fix="give paths, bytes or PIL images")
