"""What the command line changes in a model's config: single fields, dropout, labels."""

import re
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError, check_known
from hfkit.base.untrusted import read_json
from hfkit.models.inspection import check_size, refusing, say

# One thing, many names. A field counts when the config has it; None means that the model takes another field's value.
HIDDEN_DROPOUT = (
    "hidden_dropout_prob hidden_dropout dropout dropout_rate resid_pdrop embd_pdrop resid_dropout embd_dropout"
    " embedding_dropout mlp_dropout"
).split()
ATTENTION_DROPOUT = "attention_probs_dropout_prob attention_dropout attn_pdrop attn_dropout".split()


def set_dropout(config: PreTrainedConfig, dropout: float | None, attention_dropout: float | None) -> None:
    """Set the dropout of the hidden layers and of the attention weights, whatever the architecture calls them; None
    leaves the model's own. Raises HfkitError: `dropout` is wanted and the config has no field for it."""
    if dropout is not None and not _set_all(config, HIDDEN_DROPOUT, dropout):
        what = f"a {config.model_type} has no dropout setting that hfkit knows"
        raise HfkitError(what, where="--dropout", fix="set the config's own field with --model_args")
    if attention_dropout is not None:
        _set_all(config, ATTENTION_DROPOUT, attention_dropout)


def _set_all(config: PreTrainedConfig, names: list[str], value: float) -> bool:
    found = [name for name in names if getattr(config, name, None) is not None]
    for name in found:
        setattr(config, name, value)
    return bool(found)


def override(config: PreTrainedConfig, model_args: str | None) -> None:
    """Set the fields that `--model_args` names. Raises HfkitError: no JSON object, a field that the config lacks, or a
    value of the wrong type."""
    if not model_args:
        return
    fields = read_json(model_args, "--model_args", repr(model_args[:60]))
    if not isinstance(fields, dict):
        raise HfkitError(f"{model_args} is not a JSON object", where="--model_args", fix="""such as '{"name": 1}'""")
    fixed = ("model_type", "architectures", "transformers_version", "id2label", "label2id")
    known = [name for name in config.to_dict() if name not in fixed]
    for name, value in fields.items():
        check_known(name, known, f"a {config.model_type} has no setting {name!r}", "--model_args")
        check_size(name, value, "--model_args")
        try:
            setattr(config, name, value)
        except Exception as error:  # huggingface_hub's validation has no one class
            problem = " ".join(str(error).split())
            raise HfkitError(f"{name} cannot be {value!r}: {problem}", where="--model_args") from error


def set_labels(config: PreTrainedConfig, kwargs: dict[str, Any]) -> None:
    """Write a task's `model_kwargs()` into the config; `num_labels` follows from the names."""
    for name, value in kwargs.items():
        if name != "num_labels":
            setattr(config, name, value)


def settle_generation(model: PreTrainedModel, processor: PreTrainedTokenizerBase) -> None:
    """Make the model's generation config one that can be saved, and say what had to go: a temperature without drawing.
    One that does not say how it wants to be asked takes the likeliest token, in transformers' pipeline too, which else
    would draw. Raises HfkitError: it asks for what cannot be."""
    own: Any = getattr(model, "generation_config", None)
    if own is None:
        return
    own.pad_token_id = processor.pad_token_id
    own.do_sample = bool(own.do_sample)
    fix = "mend the file, or take it away: a model needs none"
    with refusing("The model's generation config cannot work", "generation_config.json", fix, ValueError):
        try:
            own.validate(strict=True)
        except ValueError as error:  # a line for each setting without effect
            idle = {name: getattr(own, name) for name in re.findall(r"^- `(\w+)`: ", str(error), re.MULTILINE)}
            for name in idle:
                setattr(own, name, None)
            own.validate(strict=True)
            told = ", ".join(f"{name} {value}" for name, value in idle.items())
            say(f"generation config: left out, as it has no effect there and could not be saved: {told}")
