"""ImageClassificationPipeline: transformers' own, reading pictures as training did, in batches."""

from collections.abc import Sequence
from typing import Any

import torch
import transformers

from hfkit.data.vision.given import picture_of
from hfkit.inference.looking import PicturePipeline
from hfkit.tasks.classifying import ClassifyingPipeline
from hfkit.tasks.image_classification.task import ImageClassification


class ImageClassificationPipeline(PicturePipeline, ClassifyingPipeline, transformers.ImageClassificationPipeline):
    """transformers' pipeline, on pictures decoded as at training: upright, 16 bits scaled, what is transparent white;
    and mirrored too where the run asked for test-time augmentation. They are answered in batches of 32, a generator as
    a stream. `mixed_precision` means what it does for texts: with auto, labels are float32's."""

    of, exact, together, usual = ImageClassification, False, 32, 5
    reading: ImageClassification

    def logits(self, rows: Sequence[Any], batch_size: int | None = None) -> torch.Tensor:
        """(pictures, labels) in float32 on the CPU: of paths, bytes, addresses or PIL images, one batch. Raises
        HfkitError: one is no picture; or the model answers with what is no number."""
        seen = self.reading.seen
        assert seen is not None
        return self.of_pixels(seen.look([picture_of(one, seen.pixel_range) for one in rows]))

    def of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """(pictures, channels, height, width) as the processor makes them -> logits, as `logits` gives them."""
        return self.decided(lambda places, dtype: self._run(pixels if places is None else pixels[places], dtype))

    def _run(self, pixels: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
        batch = pixels.to(self.device, memory_format=torch.channels_last)
        with self.computing(dtype):
            answers = self.reading.logits(self.model, {"pixel_values": batch})
        return answers.cpu().clone()  # a tensor of inference mode cannot be written into


pipeline = ImageClassificationPipeline.over
