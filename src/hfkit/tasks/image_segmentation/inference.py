"""ImageSegmentationPipeline: transformers' own, reading pictures in tiles as training and judging did."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image

from hfkit.data.vision.given import picture_of
from hfkit.inference.looking import PicturePipeline
from hfkit.tasks.image_segmentation.task import ImageSegmentation


class ImageSegmentationPipeline(PicturePipeline, transformers.ImageSegmentationPipeline):
    """transformers' pipeline: of a picture a list with {"label", "mask", "score"} of each class that is found, in the
    order of the classes; a mask is 255 where the class is, of the picture's size, and the score the mean probability
    there. Two differences: pictures are read upright and in overlapping tiles, in all the ways that the run asked for
    at test time; and they are of any size. `mixed_precision` auto is float32, since there is a label at every pixel.
    """

    of = ImageSegmentation
    reading: ImageSegmentation

    def answered(self, rows: Sequence[Any], batch_size: int | None = None) -> Iterator[torch.Tensor]:
        """(classes, height, width) probabilities of each picture, on the CPU."""
        yield from map(self.probabilities, rows)

    def said(self, answer: torch.Tensor, options: dict[str, Any]) -> list[dict[str, Any]]:
        best, classes = answer.max(0)
        found = []
        for id in torch.unique(classes).tolist():
            inside = classes == id
            mask = Image.fromarray(inside.numpy().astype(np.uint8) * 255)
            found.append({"label": self.reading.labels[id], "mask": mask, "score": float(best[inside].mean())})
        return found

    def probabilities(self, picture: Any) -> torch.Tensor:
        """(classes, height, width) of a path, bytes, an address or a PIL image, in float32 on the CPU. Raises
        HfkitError: it is no picture; or the model answers with what is no number."""
        image = picture_of(picture, self.reading.pixel_range)
        pixels = self.reading.pixels(image)
        with self.computing(self.low_precision):
            numbers = self.reading.numbers(pixels).to(self.device)
            size = image.height, image.width
            answer = self.reading.probabilities(self.model, numbers, size, self.reading.tta).float().cpu().clone()
        self.check_finite(answer)
        return answer

    def logits(self, rows: Sequence[Any]) -> torch.Tensor:
        """The model's own (pictures, classes, rows, columns) of pictures of one size, each whole, as plain transformers
        computes them."""
        images = [picture_of(one, self.reading.pixel_range) for one in rows]
        with self.computing(None):
            inputs: Any = self.image_processor
            pixels = inputs(images=images, return_tensors="pt")["pixel_values"].to(self.device)
            return self.model(pixel_values=pixels).logits.cpu().clone()


pipeline = ImageSegmentationPipeline.over
