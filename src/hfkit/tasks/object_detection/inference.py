"""ObjectDetectionPipeline: transformers' own, looking at pictures as judging did, in tiles too."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import transformers

from hfkit.data.vision.boxes.voc import SIDES
from hfkit.data.vision.given import picture_of
from hfkit.inference.looking import PicturePipeline
from hfkit.tasks.object_detection.task import ObjectDetection, bytes_of


class ObjectDetectionPipeline(PicturePipeline, transformers.ObjectDetectionPipeline):  # type: ignore[misc]
    """transformers' pipeline: of a picture a list with {"score", "label", "box"} of each object, the surest first.

    Three differences: pictures are read upright; those that are larger than the tiles of training are looked at in
    tiles too; and `threshold` is by default the score that was best on the run's validation split, not 0.5.
    `mixed_precision` auto is float32, since a box is numbers."""

    of = ObjectDetection
    reading: ObjectDetection

    def answered(self, rows: Sequence[Any], batch_size: int | None = None, **options: Any) -> Iterator[torch.Tensor]:
        """(boxes, 6) of each picture: corners in pixels, score and class, on the CPU."""
        yield from map(self.boxes, rows)

    def said(self, answer: torch.Tensor, options: dict[str, Any]) -> list[dict[str, Any]]:
        least, labels = options.get("threshold", self.reading.threshold), self.reading.labels
        return [
            {"score": score, "label": labels[int(one)], "box": dict(zip(SIDES, map(int, box), strict=True))}
            for *box, score, one in answer.tolist()
            if score >= least
        ]

    def found(self, picture: Any) -> tuple[list[list[float]], tuple[int, int]]:
        """The boxes from the threshold on, as `boxes` has them, and the picture's width and height. Raises as it."""
        image = picture_of(picture, self.reading.pixel_range)
        return [row for row in self.boxes(image).tolist() if row[4] >= self.reading.threshold], image.size

    def boxes(self, picture: Any) -> torch.Tensor:
        """(boxes, 6) of a path, bytes, an address or a PIL image, whatever their scores. Raises HfkitError: it is no
        picture; or the model answers with what is no number."""
        pixels = bytes_of(picture_of(picture, self.reading.pixel_range))
        with self.computing(self.low_precision):
            answer = self.reading.boxes(self.model, pixels)[0].clone()
        self.check_finite(answer)
        return answer

    def logits(self, rows: Sequence[Any]) -> torch.Tensor:
        """The model's own (pictures, queries, classes) of pictures, each whole, as plain transformers computes them."""
        images = [bytes_of(picture_of(one, self.reading.pixel_range)) for one in rows]
        with self.computing(None):
            return self.model(pixel_values=self.reading.seen(images).to(self.device)).logits.cpu().clone()


pipeline = ObjectDetectionPipeline.over
