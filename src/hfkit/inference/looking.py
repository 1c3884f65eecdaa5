"""PicturePipeline: what pipelines share that look at pictures, in whatever form they are given."""

from pathlib import Path
from typing import Any, ClassVar, Self

import transformers
from PIL import Image

from hfkit.inference.answering import AnsweringPipeline, check_count


class PicturePipeline(AnsweringPipeline):
    """Stands before `AnsweringPipeline`'s other heirs, and transformers' pipeline of a kind."""

    one = (str, Path, bytes, Image.Image)
    of: ClassVar[Any]  # the task's class
    exact: ClassVar[bool] = True  # see `settle`

    together: ClassVar[int] = 1  # pictures that are answered together by default; of those of any size each alone

    def __init__(
        self,
        *,
        model: transformers.PreTrainedModel,
        image_processor: Any = None,
        processor: Any = None,
        mixed_precision: str = "auto",
        **options: Any,
    ) -> None:
        """`processor` is an image processor and a tokenizer as one, where texts are read too."""
        parts = {"image_processor": image_processor}
        if processor is not None:
            parts = {"image_processor": processor.image_processor, "tokenizer": processor.tokenizer}
        if self.together > 1:
            given = options.pop("batch_size", None)
            self.rows = self.together if given is None else given
            check_count("batch_size", self.rows)
        super().__init__(model=model, **parts, **{"task": self.of.name} | options)
        reading = self.of.from_model(model.config, image_processor if processor is None else processor)
        self.settle(reading, mixed_precision, self.exact)

    @classmethod
    def over(cls, model: transformers.PreTrainedModel, processor: Any, **options: Any) -> Self:
        """What a task's inference.py gives as `pipeline`: see `hfkit.pipeline`."""
        kind = "processor" if hasattr(processor, "tokenizer") else "image_processor"
        return cls(model=model, **{kind: processor}, **options)

    def at_once(self, batch_size: int | None) -> int:
        return batch_size or self.rows if self.together > 1 else 1
