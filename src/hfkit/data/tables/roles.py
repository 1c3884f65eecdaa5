"""Which split of a source is train, which validation, which test."""

from hfkit.base.errors import HfkitError, nearest
from hfkit.config import DataArguments
from hfkit.data.sources.image_folders import SPLITS
from hfkit.data.sources.source import Source
from hfkit.data.tables.table import Table


def choose_splits(source: Source, arguments: DataArguments) -> tuple[dict[str, Table], list[str]]:
    """The source's tables by role, in the order train, validation, test; a role may be missing but train.

    The user's flag decides, then the card, then the usual names. A split that plays no role is named in the notes.

    Raises:
        HfkitError: A split that is asked for is not there, none can train, or one would play two roles.
    """
    chosen = roles_of(source, arguments)
    tables, notes = source.tables, list(source.notes)
    rest = [f"{name} ({len(table):,} rows)" for name, table in tables.items() if name not in chosen.values()]
    if rest:
        notes.append(f"splits not used: {', '.join(rest)}")
    notes += renamed(chosen, source)
    return {role: tables[chosen[role]] for role in ("train", "validation", "test") if role in chosen}, notes


def renamed(chosen: dict[str, str], source: Source) -> list[str]:
    """A note for each role that a split of another name plays."""
    return [
        f"{role} is the source's {name} split"
        for role, name in chosen.items()
        if name != role and len(source.tables) > 1
    ]


def roles_of(source: Source, arguments: DataArguments) -> dict[str, str]:
    """Role -> the name of the source's split that plays it. Raises as `choose_splits`."""
    tables = source.tables
    asked = {
        "train": arguments.train_split,
        "validation": arguments.validation_split,
        "test": arguments.test_split,
    }
    chosen = {role: name for role, name in asked.items() if name is not None}
    for role, name in chosen.items():
        if name not in tables:
            raise HfkitError(
                f"--{role}_split {name}: there is no such split", where=source.location, fix=nearest(name, tables)
            )
    for role, name in _usual(source).items():
        # A split that the user gave one role does not play another one by default.
        if role not in chosen and name not in chosen.values():
            chosen[role] = name
    if "train" not in chosen:
        there = ", ".join(tables)
        raise HfkitError(
            f"No split is called train; there are {there}", where=source.location, fix="--train_split NAME"
        )
    twice = {name for name in chosen.values() if list(chosen.values()).count(name) > 1}
    if twice:
        raise HfkitError(
            f"The split {twice.pop()!r} cannot play two roles",
            fix="leave one flag out: that split is then carved from train",
        )
    return chosen


def _usual(source: Source) -> dict[str, str]:
    if source.card and source.card.splits:
        for role, name in source.card.splits.items():
            if name not in source.tables:
                raise HfkitError(
                    f"The source has no split {name!r} for {role}; it has {', '.join(source.tables)}",
                    where=f"{source.card.path}, key hfkit.splits",
                )
        return dict(source.card.splits)
    if len(source.tables) == 1:
        return {"train": next(iter(source.tables))}
    found: dict[str, str] = {}
    for usual, role in SPLITS.items():
        for name in source.tables:
            if name.casefold() == usual:
                found.setdefault(role, name)
    return found
