"""Padding: what fills the shorter rows of a batch, so that a text is answered as if it stood alone."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from hfkit.models.inspection import refusing, trial

CLOSE = 1e-3
"""What a text's logits may differ by in a batch, as a share of the largest: rounding of float32, many times over."""

SHORT, LONG = "a text", "a text that goes on for a while and then comes to an end"


def settle_padding(
    task: Any,
    answer: Callable[[Any, dict[str, torch.Tensor]], torch.Tensor],
    features: list[dict[str, Any]],
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
) -> str | None:
    """Ask a model, in float32, for short texts alone and beside a longer one; its config keeps how batches are filled.

    The tokenizer's own side comes first, then the other one, which it is told. A model that answers otherwise in a
    batch with either reads padding (FNet, ConvBERT, MobileBERT), and gets rows of one length only.

    `task` is one whose `filled_on(side)` is a copy. `answer` gives the logits of the rows or words of a batch, in their
    order, (all of them, labels). `features` are a short row, the end of the long one, and the long one, which may be
    cut to the short one's length; `name` is what the user calls the model. Returns a sentence where the tokenizer's own
    side will not do. Raises HfkitError: the model cannot read a short text."""
    own = tokenizer.padding_side
    sides = (own, "left" if own == "right" else "right")
    refused = refusing(f"{name} cannot read a short text", "--model", "choose another model")
    with refused, trial(model), torch.no_grad():
        alone = torch.cat([answer(task, task.collate([row])) for row in features[:2]])
        close = CLOSE * alone.abs().amax(dim=1, keepdim=True)
        for padding in sides:
            filled = task.filled_on(padding)
            batch = answer(filled, filled.collate(features))
            if bool(((batch[: len(alone)] - alone).abs() <= close).all()):
                break
        else:
            padding = "none"
    if getattr(model.config, "attention_type", None) == "block_sparse":
        # BigBird's sparse attention ends for good at its first short text, which was this one; a copy opened later
        # would answer long texts otherwise until it meets one.
        model.config.attention_type = model.base_model.attention_type
    model.config.hfkit = {**model.config.hfkit, "padding": padding}
    if padding == own:
        return None
    if padding == "none":
        return f"padding: {name} reads it, so rows of one length are computed together, which takes longer"
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = padding
    return f"padding: on the {padding}; on the {own}, as the tokenizer has it, {name} reads it"


def of_one_length(inputs: dict[str, torch.Tensor]) -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """The rows of each length, which are filled on the right, without what fills them; and their places."""
    lengths = inputs["attention_mask"].sum(dim=1)
    for length in lengths.unique():
        rows = (lengths == length).nonzero().flatten()
        yield rows, {name: value[rows, : int(length)] for name, value in inputs.items()}
