"""Labels: from whatever a column holds to classes, lists of classes, or numbers; checked over all splits at once."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hfkit.data.rows import Rows
from hfkit.data.table import counted
from hfkit.errors import HfkitError
from hfkit.foreign import read_json

_CODE = re.compile(r"[+-]?0\d")  # 007 is a code: as a number it would lose its zeros, and 7 would be the same label
_FLOAT32 = 3.4e38  # beyond it, training would see infinity
SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
LANGUAGE_MODELING = "language_modeling"
"""What stands in a run's files in the place of a problem type where there are no labels: the text itself is learnt."""


@dataclass
class Labels:
    """What the label column turned out to be.

    Attributes:
        problem_type: One of transformers' three.
        names: The classes in order; None for regression.
        values: Split to a class index, a sorted list of them, or a float, for each row.
        notes: What was merged or trimmed, counted.
    """

    problem_type: str
    names: list[str] | None
    values: dict[str, list[Any]]
    notes: list[str] = field(default_factory=list)


def read_labels(
    splits: dict[str, Rows], *, names: list[str] | None = None, problem_type: str = "auto", merge: bool = False
) -> Labels:
    """Reads the labels of all splits.

    Args:
        splits: Rows whose `label` is as the source has it, none missing; `train` decides what classes there are.
        names: The classes that the card or the source declares: integer labels count from 0 into them.
        problem_type: auto reads it: lists are multi-label, numbers with a fraction are regression, all else classes.
        merge: Merge names that differ in case or inner spacing only, instead of refusing them.

    Raises:
        HfkitError: Mixed kinds, variants of one name, labels out of range, or a label that training never shows.
    """
    raw = {split: _parsed(rows) for split, rows in splits.items()}
    kind = _kind(raw) if problem_type == "auto" else problem_type
    if names and problem_type == "auto" and kind == REGRESSION:
        kind = SINGLE  # the source says they are classes; a fraction is then an error with its row
    if kind == REGRESSION:
        numbers = {split: _numbers(splits[split], values) for split, values in raw.items()}
        return Labels(REGRESSION, None, numbers)
    lists = {split: _lists(splits[split], values, kind) for split, values in raw.items()}
    if names is None:
        merged, notes = _merge(lists, splits, merge)
        names = sorted({name for rows in merged.values() for row in rows for name in row}, key=_natural)
    else:
        merged, notes = {split: _declared(splits[split], rows, names, merge) for split, rows in lists.items()}, []
    _same_everywhere(merged, splits)
    untrimmed = sum(
        isinstance(value, str) and value != value.strip() for rows in splits.values() for value in rows.label
    )
    if untrimmed:
        notes.append(f"{counted(untrimmed, 'label')} trimmed of outer space")
    index = {name: number for number, name in enumerate(names)}
    ids = {split: [sorted(index[name] for name in row) for row in rows] for split, rows in merged.items()}
    if kind == MULTI:
        return Labels(MULTI, names, dict(ids), notes)
    return Labels(SINGLE, names, {split: [row[0] for row in rows] for split, rows in ids.items()}, notes)


def _parsed(rows: Rows) -> list[Any]:
    """Labels as Python values: JSON lists written as text become lists, integers written as 1.0 become integers."""
    values = rows.label
    if all(isinstance(value, str) and value.strip()[:1] == "[" and value.strip()[-1:] == "]" for value in values):
        return [_json_list(rows, row) for row in range(len(values))]
    if any(isinstance(value, float) for value in values) and all(_whole(value) for value in values):
        return [int(value) for value in values]
    if all(isinstance(value, str) for value in values):
        return _from_text([value.strip() for value in values])
    return values


def _json_list(rows: Rows, row: int) -> list[Any]:
    place = rows.places([row])
    return list(read_json(rows.label[row], place, f"The label {rows.label[row][:60]!r}", 'write labels as ["a", "b"]'))


def _from_text(values: list[str]) -> list[Any]:
    """CSV knows no types: a column of numbers is read as numbers, unless it holds one value that is none."""
    if any(_CODE.match(value) or "_" in value or not value.isascii() for value in values):
        return list(values)  # to Python 1_0 is ten, and so is the Arabic one
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return list(values)
    if not all(map(math.isfinite, numbers)):
        return list(values)
    if all(number == int(number) for number in numbers):
        return [int(number) for number in numbers]
    return list(numbers)


def _whole(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value) and value == int(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(raw: dict[str, list[Any]]) -> str:
    values = [value for rows in raw.values() for value in rows]
    if any(isinstance(value, list) for value in values):
        return MULTI
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return REGRESSION if numbers and any(isinstance(value, float) for value in values) else SINGLE


def _numbers(rows: Rows, values: list[Any]) -> list[float]:
    numbers = [_number(value) for value in values]
    bad = [row for row, number in enumerate(numbers) if not math.isfinite(number)]
    if bad:
        _refuse(rows, bad, f"Regression needs finite numbers; the label {str(values[bad[0]])[:60]!r} is none")
    return numbers


def _number(value: Any) -> float:
    """The value as a number; not finite for what is none, or what float32 cannot hold."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if abs(number) < _FLOAT32 else math.nan


def _lists(rows: Rows, values: list[Any], kind: str) -> list[list[str]]:
    """Every label as a list of trimmed names, one name long for single-label."""
    wrong = [row for row, value in enumerate(values) if isinstance(value, list) != (kind == MULTI)]
    if wrong:
        shape = "a list of labels" if kind == MULTI else "one label"
        _refuse(rows, wrong, f"Each row needs {shape}; {values[wrong[0]]!r} is not")
    lists = [[_name(item) for item in (value if kind == MULTI else [value])] for value in values]
    broken = [row for row, value in enumerate(lists) if "" in value]
    if broken:
        _refuse(rows, broken, f"A label is text, a number or a truth value; {values[broken[0]]!r} is not")
    twice = [row for row, value in enumerate(lists) if len(set(value)) != len(value)]
    if twice:
        fix = "list the names of the labels that hold, not a 0 or 1 for each class"
        _refuse(rows, twice, f"A label stands twice in {values[twice[0]]!r}", fix)
    return lists


def _name(value: Any) -> str:
    """The label's name; an empty one for what cannot be a label."""
    return str(value).strip() if isinstance(value, str | int | float | bool) else ""


def _canonical(name: str) -> str:
    return " ".join(name.split()).casefold()


def _merge(
    lists: dict[str, list[list[str]]], splits: dict[str, Rows], merge: bool
) -> tuple[dict[str, list[list[str]]], list[str]]:
    counts = Counter(name for rows in lists.values() for row in rows for name in row)
    families: dict[str, list[str]] = {}
    for name, _ in counts.most_common():
        families.setdefault(_canonical(name), []).append(name)
    variants = [family for family in families.values() if len(family) > 1]
    if variants and not merge:
        first = next(iter(splits.values())).table.origin
        shown = "; ".join(", ".join(f"{name!r} ({counts[name]:,})" for name in family) for family in variants)
        raise HfkitError(
            f"Labels differ only in case or spacing: {shown}",
            where=first,
            fix="merge them with --merge_labels (the most frequent spelling stays), or rename them in the data",
        )
    to = {name: family[0] for family in families.values() for name in family}
    notes = [
        f"labels merged: {', '.join(f'{name!r} ({counts[name]:,})' for name in family[1:])} into {family[0]!r}"
        for family in variants
    ]
    merged = {split: [sorted({to[name] for name in row}) for row in rows] for split, rows in lists.items()}
    return merged, notes


def _declared(rows: Rows, lists: list[list[str]], names: list[str], merge: bool) -> list[list[str]]:
    """Labels by the declared names: a name as it stands, or a number that counts into them."""
    known = {name: name for name in names}
    if merge:
        known |= {_canonical(name): name for name in names}
    for number, name in enumerate(names):
        known.setdefault(str(number), name)

    def find(name: str) -> str | None:
        return known.get(name) or (known.get(_canonical(name)) if merge else None)

    bad = [row for row, labels in enumerate(lists) if any(find(label) is None for label in labels)]
    if bad:
        label = next(label for label in lists[bad[0]] if find(label) is None)
        close = next((name for name in names if _canonical(name) == _canonical(label)), None)
        fix = f"--merge_labels reads {label!r} as {close!r}" if close else "mend the label, or the names in the card"
        _refuse(
            rows,
            bad,
            f"The label {label!r} is out of range: the names are {_short(names)} (0 to {len(names) - 1})",
            fix,
        )
    return [sorted({str(find(label)) for label in labels}) for labels in lists]


def _same_everywhere(lists: dict[str, list[list[str]]], splits: dict[str, Rows]) -> None:
    """A label that training never shows can't be learnt: most often two splits that spell their labels differently."""
    if "train" not in lists:  # a file to evaluate on: its labels are held against the model's
        return
    learnt = {name for row in lists["train"] for name in row}
    for split, rows in lists.items():
        unseen = sorted({name for row in rows for name in row} - learnt, key=_natural)
        if unseen:
            at = [row for row, labels in enumerate(rows) if set(labels) & set(unseen)]
            raise HfkitError(
                f"The split {split} has labels that training lacks: {_short(unseen)}; training has"
                f" {_short(sorted(learnt, key=_natural))}",
                where=splits[split].places(at),
                fix="use the same label names in every split",
            )


def check_counts(labels: Labels, train: Rows) -> list[str]:
    """Refuses what cannot be trained: one class, a class with one example, one number. Returns notes on the rest."""
    values = train.label
    if labels.names is None:
        if len(set(values)) < 2:
            raise HfkitError(f"All labels are {values[0]}: there is nothing to learn", where=train.table.origin)
        return []
    multi = labels.problem_type == MULTI
    kind = "different image" if "image" in train.inputs else "different text"
    counts = Counter(name for value in values for name in (value if multi else [value]))
    if len(counts) < (1 if multi else 2):
        only = [labels.names[number] for number in counts]
        raise HfkitError(
            f"There is one class only: {only[0]!r}" if only else "No row has a label",
            where=f"{train.table.origin}, {counted(len(train), kind)}",
            fix="give examples of at least two classes, or name another column with --label_column",
        )
    once = [number for number, count in counts.items() if count == 1]
    if once and not multi:
        rows = [row for row, value in enumerate(values) if value in once]
        raise HfkitError(
            f"{len(once)} of {len(counts)} classes have one example only: {_short([labels.names[n] for n in once])}",
            where=train.places(rows),
            fix="add examples, merge or remove the class; if the labels are quantities, --problem_type regression",
        )
    never = [name for number, name in enumerate(labels.names) if number not in counts]
    return [f"classes without a training example: {_short(never)}"] if never else []


def _short(names: Iterable[str], limit: int = 10) -> str:
    names = list(names)
    return ", ".join(names[:limit]) + (f", ... ({len(names)} in all)" if len(names) > limit else "")


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers in their order, before names in theirs; nan, which is neither above nor below, is a name."""
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    return (1, 0.0, name) if math.isnan(number) else (0, number, name)


def _refuse(rows: Rows, bad: list[int], what: str, fix: str | None = None) -> NoReturn:
    raise HfkitError(f"{what} ({len(bad):,} of {len(rows):,} rows)", where=rows.places(bad), fix=fix)
