"""knob: a field of a configuration, with its help and its bounds."""

from dataclasses import field
from typing import Any

BOUNDS = ("low", "above", "high", "below")
"""What a field's metadata says of its value, beside its help. `config/rules.py` reads it."""


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field; lists get a factory, because a shared default would leak between runs.

    Args:
        default: The value when nothing is said.
        help: What `--help` says.
        low, high: The lowest and the highest value that is allowed.
        above, below: The values between which it has to lie, themselves not allowed.
    """
    bounds = {"low": low, "above": above, "high": high, "below": below}
    metadata = {"help": help, **{name: bound for name, bound in bounds.items() if bound is not None}}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)
