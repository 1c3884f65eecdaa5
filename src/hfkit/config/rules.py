"""check: combinations of flags that cannot work, refused before anything is loaded. What needs the data or the model (a
column, the model's longest text) is checked where that is known."""

import json
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import text_codec
from hfkit.config import TrainConfig
from hfkit.config.knobs import Broken, default_of, definitions, holds, numbers, settle, types


def check(config: Any) -> None:
    """Refuse what cannot work, whether a command line or a program has made it. Paths and NumPy's numbers become plain.
    Of one of TrainConfig's groups alone each value is looked at, not what they do together. Raises HfkitError: the
    first rule that is broken, with the flags at fault and the way out."""
    settle(config)
    whole = (_texts, _exclusive, _model, _loop, _own) if isinstance(config, TrainConfig) else ()
    for rules in (types, numbers, *whole):
        for what, fix in rules(config):
            raise HfkitError(what, fix=fix)


def check_idle(config: TrainConfig, recipe: TrainConfig) -> None:
    """Refuse, as an HfkitError, flags without what they need; not those that a recipe keeps for when it is needed."""
    for name, entry in definitions(type(config)).items():
        needed = entry.metadata.get("needs")
        if needed and not holds(config, needed) and getattr(config, name) != getattr(recipe, name):
            raise HfkitError(f"--{name} has no effect without --{needed}", fix=f"add --{needed}, or drop --{name}")


def _own(config: TrainConfig) -> Broken:
    """The rules of the task and of the groups that it inherits."""
    for owner in reversed(type(config).__mro__):
        if "rules" in vars(owner):
            yield from vars(owner)["rules"](config)


def _exclusive(config: TrainConfig) -> Broken:
    """Knobs that have no meaning beside another one, as their field says."""
    for name, entry in definitions(type(config)).items():
        if getattr(config, name) != default_of(entry):
            for other in entry.metadata.get("against", ()):
                if holds(config, other):
                    yield f"--{name} has no meaning beside --{other}", "drop one of the two flags"


def _texts(config: TrainConfig) -> Broken:
    for name in ("model_args", "optim_args", "lr_scheduler_kwargs"):
        text = getattr(config, name)
        problem = None if text is None else _json_problem(text)
        if problem:
            fix = """write it as in '{"name": 1}', quoted for the shell"""
            yield f"--{name} {text} is no JSON object: {problem}", fix
    try:
        text_codec(config.encoding)
    except HfkitError as error:
        yield f"--encoding {config.encoding} is not known to Python", str(error.fix)
    config.separator()


def _json_problem(text: str) -> str | None:
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos + 1}"
    except RecursionError:
        return "it is nested too deeply"
    except ValueError:
        return "it holds a number of thousands of digits"
    return None if isinstance(value, dict) else f"it is a {type(value).__name__}"


def _model(config: TrainConfig) -> Broken:
    baseline = config.model.startswith("baseline:")
    if config.lora and baseline:
        yield f"--lora adapts a pretrained model, and {config.model} starts from nothing", "drop --lora"
    if config.lora and config.freeze:
        yield "--lora already freezes all but the adapter and the head", "drop --freeze, or drop --lora"
    if config.lora and config.unfreeze_epoch is not None:
        yield "--lora keeps the model's own weights frozen to the end", "drop --unfreeze_epoch, or drop --lora"
    if config.unfreeze_layers is not None and config.unfreeze_epoch is None:
        yield "--unfreeze_layers needs the epoch of the first", "add --unfreeze_epoch 1, or drop --unfreeze_layers"
    if config.unfreeze_epoch is not None and not config.freeze:
        yield "--unfreeze_epoch has nothing to unfreeze", "add --freeze backbone, or drop --unfreeze_epoch"
    if config.unfreeze_epoch is not None and config.max_steps < 0 and config.unfreeze_epoch >= config.num_train_epochs:
        what = f"--unfreeze_epoch {config.unfreeze_epoch} never comes: epochs count from 0, and there are"
        yield f"{what} {config.num_train_epochs:g}", "give an earlier epoch, or train for longer"


def _loop(config: TrainConfig) -> Broken:
    for name in ("eval", "save"):
        strategy, steps = getattr(config, f"{name}_strategy"), getattr(config, f"{name}_steps")
        if strategy == "steps" and steps is None:
            yield f"--{name}_strategy steps needs to know how many", f"add --{name}_steps 100"
        if strategy != "steps" and steps is not None:
            yield f"--{name}_steps has no effect with --{name}_strategy {strategy}", f"add --{name}_strategy steps"
    if config.eval_strategy == "no":
        needs = {
            "--early_stopping_patience": config.early_stopping_patience is not None,
            "--metric_for_best_model": config.metric_for_best_model is not None,
            f"--lr_scheduler_type {config.lr_scheduler_type}": config.lr_scheduler_type
            in ("reduce_lr_on_plateau", "greedy"),
        }
        for flag, used in needs.items():
            if used:
                yield f"{flag} needs figures on the validation split", "use --eval_strategy epoch or steps"
    if config.early_stopping_threshold and config.early_stopping_patience is None:
        yield "--early_stopping_threshold has no effect on its own", "add --early_stopping_patience 3"
    if config.push_to_hub and not config.hub_model_id:
        yield "--push_to_hub does not know where to", "add --hub_model_id user/name"
