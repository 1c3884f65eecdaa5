"""pipeline: transformers' own fill-mask pipeline, on a run's model."""

from typing import Any

from transformers import FillMaskPipeline, PreTrainedModel

from hfkit.base.errors import HfkitError
from hfkit.data.text.truncation import positions_of


def pipeline(
    model: PreTrainedModel, processor: Any, device: Any = None, mixed_precision: str = "auto", **options: Any
) -> "GapPipeline":
    """The pipeline for a masked language model, in float32: a text with one mask token or several, and the likeliest
    words there. `options` are arguments of transformers' pipeline: `top_k`, `targets`, ... Raises HfkitError:
    `mixed_precision` is neither auto nor no."""
    if mixed_precision not in ("auto", "no"):
        what = f"A masked language model answers in float32, and mixed_precision is {mixed_precision!r}"
        raise HfkitError(what, fix="leave it out")
    return GapPipeline(model=model.eval(), tokenizer=processor, device=device, task="fill-mask", **options)


class GapPipeline(FillMaskPipeline):
    """transformers' pipeline. A text that is longer than what the model reads is told, and no error of torch's."""

    def preprocess(self, inputs: Any, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        found: Any = super().preprocess(inputs, *args, **options)
        length, limit = found["input_ids"].shape[1], positions_of(self.model.config)
        if limit is not None and length > limit:
            what = f"The text has {length:,} tokens, and the model reads {limit:,} at once"
            raise HfkitError(what, fix="leave out what stands far from the gap")
        return found
