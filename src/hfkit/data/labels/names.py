"""Label names: which spellings are one name, which names the data declares, and what training never shows."""

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import visible
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import counted

Lists = dict[str, list[list[str]]]  # split to the names of each row's labels


def canonical(name: str) -> str:
    """What names that look equal have in common: NFKC, nothing unseen, one kind of case and of spacing."""
    name = visible(unicodedata.normalize("NFKC", name)).casefold()
    return " ".join(unicodedata.normalize("NFKC", name).split())


def finder(names: Sequence[str]) -> Callable[[str], int | None]:
    """A function from a name to its place in `names`: as it stands, else the first one that looks equal."""
    exact = {name: place for place, name in enumerate(names)}
    alike = {canonical(name): place for place, name in reversed(list(enumerate(names)))}
    return lambda name: exact.get(name, alike.get(canonical(name)))


def ids_of(names: Sequence[str], labels: Sequence[str], what: str) -> list[int]:
    """The place in a model's `labels` of each name of a data set; names that are not there are refused."""
    found = list(map(finder(labels), names))
    if unknown := [name for name, place in zip(names, found, strict=True) if place is None]:
        fix = f"rename them to the model's ({', '.join(labels)})"
        raise HfkitError(f"The data has {what} that the model does not know: {', '.join(unknown)}.", fix=fix)
    return [place for place in found if place is not None]


def merged(lists: Lists, where: str, merge: bool) -> tuple[Lists, list[str]]:
    """The names with one spelling each, and a note for each that had several. Raises HfkitError: names look equal and
    are not, and `merge` does not ask for one of them."""
    counts = Counter(name for rows in lists.values() for row in rows for name in row)
    families: dict[str, list[str]] = {}
    for name, _ in sorted(counts.items(), key=lambda found: (visible(found[0]) != found[0], -found[1])):
        families.setdefault(canonical(name), []).append(name)
    variants = [family for family in families.values() if len(family) > 1]
    if variants and not merge:
        shown = "; ".join(", ".join(f"{_told(name)} ({counts[name]:,})" for name in family) for family in variants)
        what = f"Labels differ only in case, spacing or in what cannot be seen: {shown}"
        fix = "merge them with --merge_labels (the most frequent spelling stays), or rename them in the data"
        raise HfkitError(what, where=where, fix=fix)
    to = {name: family[0] for family in families.values() for name in family}
    notes = [
        f"labels merged: {', '.join(f'{_told(name)} ({counts[name]:,})' for name in family[1:])} into {family[0]!r}"
        for family in variants
    ]
    return {split: [sorted({to[name] for name in row}) for row in rows] for split, rows in lists.items()}, notes


def _told(name: str) -> str:
    """The name in quotes, with its code points where another name would look the same."""
    return repr(name) if unicodedata.is_normalized("NFC", name) else ascii(name)


def declared(rows: Rows, lists: list[list[str]], names: list[str], merge: bool) -> list[list[str]]:
    """Labels by the declared names: a name as it stands, or a number that counts into them; others are refused."""
    known = {str(number): name for number, name in enumerate(names)} | {name: name for name in names}
    alike = {canonical(name): name for name in names}

    def find(label: str) -> str | None:
        return known.get(label) or (alike.get(canonical(label)) if merge else None)

    bad = [row for row, labels in enumerate(lists) if any(find(label) is None for label in labels)]
    if bad:
        label = next(label for label in lists[bad[0]] if find(label) is None)
        close = alike.get(canonical(label))
        merging = f"--merge_labels reads {_told(label)} as {close!r}"
        what = f"The label {_told(label)} is out of range: the names are {short(names)} (0 to {len(names) - 1})"
        refuse(rows, bad, what, merging if close else "mend the label, or the names in the card")
    return [sorted({str(find(label)) for label in labels}) for labels in lists]


def learnable(lists: Lists, splits: dict[str, Rows], drop: bool) -> tuple[dict[str, list[int]], list[str]]:
    """The rows of each split whose labels training shows, where there are others, and a note on those. Raises
    HfkitError: they are not to be dropped, or a split has no others. Most often two splits spell labels differently."""
    if "train" not in lists:  # a file to evaluate on: its labels are held against the model's
        return {}, []
    learnt = {name for row in lists["train"] for name in row}
    kept, notes = {}, []
    for split, rows in lists.items():
        bad = [row for row, labels in enumerate(rows) if not set(labels) <= learnt]
        unseen = sorted({name for row in bad for name in rows[row]} - learnt, key=natural)
        if bad and (not drop or len(bad) == len(rows)):
            known = short(sorted(learnt, key=natural))
            what = f"The split {split} has labels that training lacks: {short(unseen)}; training has {known}"
            fix = "use the same label names in every split"
            fix += "" if len(bad) == len(rows) else ", or leave those rows out, counted, with --drop_unseen_labels"
            raise HfkitError(what, where=splits[split].places(bad), fix=fix)
        if bad:
            kept[split] = sorted(set(range(len(rows))) - set(bad))
            notes.append(left_out(len(bad), split, unseen))
    return kept, notes


def left_out(rows: int, split: str, unseen: list[str]) -> str:
    """The note on rows that --drop_unseen_labels leaves out."""
    return f"{counted(rows, 'row')} of {split} left out, with labels that training lacks: {short(unseen)}"


def separator_note(names: list[str]) -> list[str]:
    """A hint where names look like several with a sign between them: parts of one stand in others too."""
    for sign in "|;,":
        held = [name for name in names if sign in name]
        parts = Counter(part.strip() for name in names for part in set(name.split(sign)))
        if held and all(any(parts[part.strip()] > 1 for part in name.split(sign)) for name in held):
            several = f"{len(held)} of {len(names)} classes hold {sign!r}, as {held[0]!r}"
            return [f"{several}, and are read as one label each: --label_separator '{sign}' reads several"]
    return []


def short(names: Iterable[str], limit: int = 10) -> str:
    """The first names, and how many there are."""
    names = list(names)
    return ", ".join(names[:limit]) + (f", ... ({len(names)} in all)" if len(names) > limit else "")


def ends(names: Sequence[str]) -> str:
    """The names; of more than ten the first nine and the last."""
    return ", ".join(names if len(names) <= 10 else [*names[:9], "...", names[-1]])


def natural(name: str) -> tuple[int, float, str]:
    """Numbers in their order, before names in theirs; nan, which is neither above nor below, is a name."""
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    return (1, 0.0, name) if math.isnan(number) else (0, number, name)


def refuse(rows: Rows, bad: list[int], what: str, fix: str | None = None) -> NoReturn:
    """The error for rows of a split whose label cannot be read."""
    raise HfkitError(f"{what} ({len(bad):,} of {len(rows):,} rows)", where=rows.places(bad), fix=fix)
