"""knob: a field of a configuration, with its help, its bounds and what it takes to have an effect."""

import dataclasses
from collections.abc import Iterator
from dataclasses import field
from typing import Any

Broken = Iterator[tuple[str, str]]
"""What `rules` yield: what is wrong, and what to do."""

NOTES = ("low", "above", "high", "below", "needs", "against", "lead")
"""What a field's metadata says beside its help. `config/values.py` and `config/rules.py` read it."""


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

    Args:
        default: The value when nothing is said.
        help: What `--help` says.
        low, high: The lowest and the highest value that is allowed.
        above, below: The values between which it has to lie, themselves not allowed.
        needs: What it has no effect without, as a flag is written: `lora`, `long_text windows`, `model baseline:NAME`.
        against: What it has no meaning beside, each written in the same way.
        lead: Its place on the first page of the help, among the few that most jobs need; None: it is not there.
    """
    notes = dict(zip(NOTES, (low, above, high, below, needs, against, lead), strict=True))
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


def holds(config: Any, wanted: str) -> bool:
    """Whether a configuration is as a `needs` or an `against` says. A flag that its task lacks is not given."""
    name, _, value = wanted.partition(" ")
    found = getattr(config, name, None)
    return str(found).startswith(value.removesuffix("NAME")) if value else bool(found)
