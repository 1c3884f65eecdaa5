"""PicturePipeline: what pipelines share that look at pictures, in whatever form they are given."""

from pathlib import Path
from typing import Any, ClassVar, Self

import transformers
from PIL import Image

from hfkit.inference.answering import AnsweringPipeline


class PicturePipeline(AnsweringPipeline):
    """Stands before `AnsweringPipeline`'s other heirs, and transformers' pipeline of a kind."""

    one = (str, Path, bytes, Image.Image)
    of: ClassVar[Any]  # the task's class
    exact: ClassVar[bool] = True  # see `settle`

    def __init__(
        self,
        *,
        model: transformers.PreTrainedModel,
        image_processor: Any,
        mixed_precision: str = "auto",
        **options: Any,
    ) -> None:
        super().__init__(model=model, image_processor=image_processor, **{"task": self.of.name} | options)
        self.settle(self.of.from_model(model.config, image_processor), mixed_precision, self.exact)

    @classmethod
    def over(cls, model: transformers.PreTrainedModel, processor: Any, **options: Any) -> Self:
        """What a task's inference.py gives as `pipeline`: see `hfkit.pipeline`."""
        return cls(model=model, image_processor=processor, **options)

    def at_once(self, batch_size: int | None) -> int:
        return 1  # each picture has a size of its own
