"""knob: a field of a configuration, with its help, its bounds and what it takes to have an effect; and its values."""

import argparse
import dataclasses
import math
import os
from collections.abc import Iterator
from dataclasses import field
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

Broken = Iterator[tuple[str, str]]  # what `rules` yield: what is wrong, and what to do


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
    needs: str | None = None,
    against: tuple[str, ...] | None = None,
    lead: int | None = None,
) -> Any:
    """A dataclass field; lists get a factory, because a shared default would leak between runs.

    The value may be `low` and `high` and what lies between; not `above` and `below`, between which it has to lie.
    `needs` is what it has no effect without, as a flag is written: `lora`, `long_text windows`, `model baseline:NAME`;
    `against` what it has no meaning beside, each written in the same way. `lead` is its place on the first page of the
    help, among the few that most jobs need; None: it is not there."""
    notes = {"low": low, "above": above, "high": high, "below": below, "needs": needs, "against": against, "lead": lead}
    metadata = {"help": help, **{name: note for name, note in notes.items() if note is not None}}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def definitions(config_class: type) -> dict[str, dataclasses.Field]:
    """Each field as the class that first defines it says it: a recipe gives another default and no more."""
    first: dict[str, dataclasses.Field] = {}
    for owner in reversed(config_class.__mro__):
        for entry in dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ():
            first.setdefault(entry.name, entry)
    return first


def default_of(entry: dataclasses.Field) -> Any:
    """The value of a field when nothing is said."""
    return entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()


def add_flag(parser: Any, entry: dataclasses.Field, hint: Any, default: Any) -> None:
    """Give an argparse parser the flag of a field of this type. Where it may be None, `none` is how it is undone."""
    how: dict[str, Any] = {"type": _switch if hint is bool else hint, "default": default}
    how["help"] = entry.metadata.get("help")
    if get_origin(hint) is Literal:
        how |= {"type": str, "choices": get_args(hint)}
    elif get_origin(hint) is list:
        how |= {"type": get_args(hint)[0], "nargs": "+"}
    elif NoneType in get_args(hint):
        kind = get_args(hint)[0]
        read = _switch if kind is bool else kind
        how["type"] = lambda text: None if text.lower() == "none" else read(text)
        how["type"].__name__ = kind.__name__  # argparse names it in "invalid float value"
    if bool in (hint, *get_args(hint)):
        how |= {"nargs": "?", "const": True}
    parser.add_argument(f"--{entry.name}", **how)
    if hint is bool and default:
        how = {"dest": entry.name, "action": "store_false", "default": default}
        parser.add_argument(f"--no_{entry.name}", help=f"Turn --{entry.name} off. Default: it is on.", **how)


def _switch(text: str) -> bool:
    if text.lower() in ("yes", "true", "t", "y", "1"):
        return True
    if text.lower() in ("no", "false", "f", "n", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false (yes/no, true/false, t/f, y/n, 1/0)")


def holds(config: Any, wanted: str) -> bool:
    """Whether a configuration is as a `needs` or an `against` says. A flag that its task lacks is not given."""
    name, _, value = wanted.partition(" ")
    found = getattr(config, name, None)
    return str(found).startswith(value.removesuffix("NAME")) if value else bool(found)


def settle(config: Any) -> None:
    """Put plain values, which JSON takes, where a program gave a path for a text, or a number of NumPy's or torch's."""
    for entry in dataclasses.fields(config):
        setattr(config, entry.name, _plain(getattr(config, entry.name)))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if getattr(value, "shape", None) == () else value


def types(config: Any) -> Broken:
    """Values of another kind than their field's annotation."""
    hints = get_type_hints(type(config))
    for entry in dataclasses.fields(config):
        value, hint = getattr(config, entry.name), hints[entry.name]
        if not _fits(value, hint):
            yield f"--{entry.name} is {value!r}", f"give {_wanted(hint)}, not {type(value).__name__}"


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type. A whole number will do where any is wanted; True and False are none."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(entry, *get_args(hint)) for entry in value)
    if get_args(hint):
        return any(_fits(value, one) for one in get_args(hint))
    return isinstance(value, (int, float) if hint is float else hint) and (hint is bool or not isinstance(value, bool))


def _wanted(hint: Any) -> str:
    """An annotated type, in words."""
    names = {float: "a number", int: "a whole number", str: "a text", bool: "True or False", NoneType: "None"}
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    several = "a list of texts" if get_origin(hint) is list else " or ".join(map(_wanted, get_args(hint)))
    return names.get(hint) or several


def numbers(config: Any) -> Broken:
    """Numbers out of their bounds."""
    for name, entry in definitions(type(config)).items():
        value = getattr(config, name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            wanted = _out_of_bounds(value, entry)
            if wanted:
                yield f"--{name} is {value}", f"give a number {wanted}"
    size = (getattr(config, "validation_size", None) or 0) + (getattr(config, "test_size", None) or 0)
    if size >= 1:
        yield "--validation_size and --test_size leave no rows to train on", "their sum must stay below 1"
    if getattr(config, "max_steps", -1) != -1 and config.max_steps < 1:
        yield f"--max_steps is {config.max_steps}", "give a number of updates, or -1 to go by --num_train_epochs"


def _out_of_bounds(value: float, entry: dataclasses.Field) -> str:
    """What the number has to be; nothing where it is that. Whole numbers stay below 2 ** 31, where kernels stop."""
    bounds = entry.metadata
    whole = 2**32 - 1 if "seed" in entry.name else 2**31 - 1
    most = bounds.get("high", math.inf if isinstance(value, float) else whole)
    if "above" in bounds and "below" in bounds:
        above, below = bounds["above"], bounds["below"]
        return "" if above < value < below else f"between {above:g} and {below:g}"
    if "below" in bounds:
        low, below = bounds["low"], bounds["below"]
        return "" if low <= value < below else f"from {low:g} up to, and not including, {below:g}"
    if "above" in bounds and not bounds["above"] < value < math.inf:
        return f"above {bounds['above']:g}"
    if "low" in bounds and not bounds["low"] <= value < math.inf:
        return f"of at least {bounds['low']:g}"
    return f"of at most {most:,}" if math.isfinite(value) and value > most else ""
