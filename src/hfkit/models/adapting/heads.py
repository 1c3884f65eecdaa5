"""Heads: a pretrained model gets the labels of a task, and its tokenizer what batches need."""

from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.text.special_tokens import has_padding
from hfkit.data.text.truncation import PADDED_POSITIONS
from hfkit.models.adapting.freezing import in_head
from hfkit.models.inspection import say


def settle_padding_token(settings: PreTrainedConfig, processor: PreTrainedTokenizerBase, name: str) -> None:
    """Decoders such as GPT-2 were trained without padding; batches need it, and the head must know where texts end."""
    if processor.pad_token_id is None:
        if processor.eos_token is None:
            fix = "set tokenizer.pad_token and save the tokenizer again"
            raise HfkitError(f"the tokenizer of {name} has neither a padding nor an end token", fix=fix)
        processor.pad_token = processor.eos_token
        say(f"tokenizer: no padding token, {processor.eos_token} takes its place")
    backbone = getattr(settings, "backbone_config", None) or settings
    if not (has_padding(settings) and any(family in backbone.model_type for family in PADDED_POSITIONS)):
        settings.pad_token_id = backbone.pad_token_id = processor.pad_token_id
    if hasattr(backbone, "use_cache"):
        backbone.use_cache = False  # a cache is for generating; here it would only cost memory


def renew_head(model: PreTrainedModel) -> None:
    """Start the head afresh: one of the right size but for other labels may have come with the weights."""
    own: Any = model
    for name, module in model.named_modules():
        if name and in_head(model, name):
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False
            own._init_weights(module)


def say_head(model: PreTrainedModel, kept: bool, new: list[str], labelled: bool = True) -> None:
    """Tell whether the head is the checkpoint's, its labels, and what else starts at random."""
    labels = ", ".join(str(name) for name in list((model.config.id2label or {}).values())[:10])
    same, shown = (", its labels are the same", f" ({labels})") if labelled else ("", "")
    if any(in_head(model, name) for name, _ in model.named_parameters()):
        say(f"head: {f'kept{same}' if kept else 'new'}{shown}")
    lacked = [name for name in new if not in_head(model, name)]
    if lacked:
        say(f"not in the weights, so they start at random: {', '.join(lacked[:4])} ({len(lacked)} in all)")
