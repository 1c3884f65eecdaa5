"""Padding: what fills the shorter rows of a batch, so that a text is answered as if it stood alone."""

from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.text.truncation import COLUMNS
from hfkit.models.inspection import first_line
from hfkit.tasks.text_classification.task import TextClassification

CLOSE = 1e-3
"""What a text's logits may differ by in a batch, as a share of the largest: rounding of float32, many times over."""

SHORT, LONG = "a text", "a text that goes on for a while and then comes to an end"


def settle_padding(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """Ask a text classifier for short texts alone and beside a longer one; its config keeps how batches are filled.

    The tokenizer's own side comes first, then the other one. A model that answers otherwise in a batch with either
    reads padding (FNet, ConvBERT, MobileBERT), and gets rows of one length only.

    Args:
        model: With its weights, in float32.
        tokenizer: Its tokenizer, which is told the side.
        name: What the user calls the model.

    Returns:
        A sentence where the tokenizer's own side will not do.

    Raises:
        HfkitError: The model cannot read a short text.
    """
    task = replace(TextClassification.from_model(model.config, tokenizer), long_text="head")
    columns = task.truncated.encode(tokenizer, [SHORT, LONG])
    short, long = ({key: columns[key][place] for key in COLUMNS & columns.keys()} for place in range(2))
    if len(long["input_ids"]) == 1:  # a tokenizer that knows nothing of it
        long = {key: column * 2 for key, column in long.items()}
    # Both may be cut to one length, and would prove nothing: hence the end of the long one, which is shorter, too.
    end = {key: column[-(len(column) // 4 or 1) :] for key, column in long.items()}
    features = [short, end, long]
    own = tokenizer.padding_side
    sides = (own, "left" if own == "right" else "right")
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            alone = torch.cat([task.logits(model, task.collate([row])) for row in features[:2]])
            close = CLOSE * alone.abs().amax(dim=1, keepdim=True)
            for padding in sides:
                batch = task.logits(model, replace(task, padding=padding).collate(features))
                if bool(((batch[:2] - alone).abs() <= close).all()):
                    break
            else:
                padding = "none"
    except Exception as error:  # each architecture fails in its own way
        what = f"{name} cannot read a short text: {first_line(error)}"
        raise HfkitError(what, where="--model", fix="choose another model") from error
    finally:
        model.train(training)
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
