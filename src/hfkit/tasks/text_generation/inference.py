"""pipeline: transformers' own text-generation pipeline, on a run's model and its generation config."""

from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TextGenerationPipeline

from hfkit.base.errors import HfkitError


def pipeline(
    model: PreTrainedModel,
    processor: PreTrainedTokenizerBase,
    device: int | str | torch.device | None = None,
    mixed_precision: str = "auto",
    **options: Any,
) -> TextGenerationPipeline:
    """The pipeline for a language model, in float32. transformers' draws at a temperature of 0.7 where a model does not
    say how it wants to be asked; this one takes the likeliest token, as `model.generate` does. `options` are arguments
    of transformers' pipeline, those of generating too. Raises HfkitError: `mixed_precision` is neither auto nor no."""
    if mixed_precision not in ("auto", "no"):
        what = f"A language model answers in float32, and mixed_precision is {mixed_precision!r}"
        raise HfkitError(what, fix="leave it out")
    if processor.pad_token is None:  # GPT-2: padding on the left, which the mask hides
        processor.pad_token = processor.eos_token
    own = {} if "generation_config" in options else model.generation_config.to_diff_dict()
    own.pop("transformers_version", None)
    # Said again: before 5.20 the pipeline's own defaults go before those of the model and its processor.
    own["clean_up_tokenization_spaces"] = processor.clean_up_tokenization_spaces
    options = {"do_sample": False} | own | options
    pipe = TextGenerationPipeline(model=model, tokenizer=processor, device=device, task="text-generation", **options)
    pipe._forward_params["tokenizer"] = processor  # stop strings need it, and transformers' pipeline leaves it out
    return pipe
