"""Labels: from whatever a column holds to classes, lists of classes, or numbers; checked over all splits at once."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.labels.names import declared, learnable, merged, natural, refuse, separator_note, short
from hfkit.data.labels.values import Values, cells, is_regression, named, numbers, places, pointed
from hfkit.data.tables.columns import bit
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import counted

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
UNLABELLED = "language_modeling"
"""What stands in a run's files in the place of a problem type where there are no labels: the text itself is learnt."""

FEW_NUMBERS = 20  # different numbers up to which a column of them may be classes, such as versions, and a note says so


@dataclass
class Labels:
    """What the label column turned out to be."""

    problem_type: str  # one of transformers' three
    names: list[str] | None  # the classes in order; None for regression
    values: Values  # split to a class index, a sorted list of them, or a float, for each row
    notes: list[str] = field(default_factory=list)  # what was merged, joined, trimmed or left out, counted
    # Split to the rows that stay, where some were left out; `values` are theirs
    kept: dict[str, list[int]] = field(default_factory=dict)
    decimal: str | None = None  # a comma, where that was the decimal mark of numbers

    def strata(self, rows: Rows) -> Sequence[Hashable]:
        """What each row counts as when a split is drawn: its class; the rarest of its labels; nothing for numbers."""
        if self.problem_type == REGRESSION:
            return [0] * len(rows)
        if self.problem_type != MULTI:
            return rows.label
        counts = Counter(number for label in rows.label for number in label)
        return [min(label, key=lambda number: (counts[number], number), default=-1) for label in rows.label]


def several(problem_type: str, rows: Rows) -> bool:
    """Whether these are pictures in class folders, and one that lies in several is to have all their labels."""
    return problem_type == MULTI and rows.table.unit == "file" and all(isinstance(one, str) for one in rows.label)


def read_labels(
    splits: dict[str, Rows],
    arguments: DataArguments,
    problem_type: str,
    names: list[str] | None,
    separator: str | None,
    known: list[str] | None,
) -> Labels:
    """Reads the labels of all splits, as the source has them; `train` decides what classes there are.

    A `problem_type` of auto is read: lists are multi-label, numbers with a fraction are regression, all else classes.
    `names` are the classes that the card or the source declares: integer labels count from 0 into them. The `separator`
    parts several labels in one cell. The names of the model that the labels are for, `known`, stay as they are. Raises
    HfkitError: mixed kinds, variants of one name, labels out of range, or a label that training never shows."""
    decimal, merge = arguments.decimal, arguments.merge_labels
    values, kind, notes = cells(splits, separator, problem_type == SINGLE), problem_type, list[str]()
    with_point, comma = pointed(values, decimal)
    everything = [value for labels in values.values() for value in labels]
    listed = {isinstance(value, list) for value in everything}
    if listed == {True} and (width := places(everything, names)):
        names = names or [str(place) for place in range(width)]
        values, kind, notes = _by_place(splits, values, kind, names)
    elif kind == "auto":
        kind = MULTI if True in listed else REGRESSION if is_regression(with_point) and not names else SINGLE
        if kind == REGRESSION and (different := len(set(everything))) <= min(FEW_NUMBERS, len(everything) / 2):
            few = f"{different} different numbers, some with a fraction"
            notes = [f"{few}: a regression; --problem_type {SINGLE} reads classes"]
    if kind == REGRESSION and comma:
        notes.append(f"labels with a decimal comma: {comma} is {comma.replace(',', '.')} (--decimal)")
    elif decimal == ",":
        notes.append("no label is read with a decimal comma (--decimal)")
    if kind == REGRESSION:
        quantities = {split: numbers(splits[split], found) for split, found in with_point.items()}
        return Labels(REGRESSION, None, quantities, notes, decimal="," if comma else None)
    lists, joined = named(splits, values, kind == MULTI, [*(known or []), *(names or [])])
    if names is None:
        lists, found = merged(lists, next(iter(splits.values())).table.origin, merge)
    else:
        lists, found = {split: declared(splits[split], rows, names, merge) for split, rows in lists.items()}, []
    kept, unseen = learnable(lists, splits, arguments.drop_unseen_labels)
    lists = {split: [rows[row] for row in kept.get(split, range(len(rows)))] for split, rows in lists.items()}
    if names is None:
        names = sorted({name for rows in lists.values() for row in rows for name in row}, key=natural)
        found += separator_note(names) if kind == SINGLE else []
    texts = (value for rows in splits.values() for value in rows.label if isinstance(value, str))
    untrimmed = sum(value != value.strip() for value in texts)
    notes += joined + found + unseen
    notes += [f"{counted(untrimmed, 'label')} trimmed of outer space"] if untrimmed else []
    index = {name: number for number, name in enumerate(names)}
    ids = {split: [sorted(index[name] for name in row) for row in rows] for split, rows in lists.items()}
    of_rows = ids if kind == MULTI else {split: [row[0] for row in rows] for split, rows in ids.items()}
    return Labels(kind, names, dict(of_rows), notes, kept)


def _by_place(splits: dict[str, Rows], values: Values, kind: str, names: list[str]) -> tuple[Values, str, list[str]]:
    """The names at the places of the ones; the one, where every row has one and not several are asked for."""
    for split, labels in values.items():
        bad = [row for row, value in enumerate(labels) if len(value) != len(names) or None in map(bit, value)]
        if bad:
            what = f"Each row needs a 0 or 1 for each of {len(names)} classes; {labels[bad[0]]!r} has not"
            refuse(splits[split], bad, what)
    if kind == REGRESSION:
        return values, kind, []
    found = {
        split: [[names[place] for place, item in enumerate(value) if bit(item)] for value in labels]
        for split, labels in values.items()
    }
    several = {split: [row for row, value in enumerate(labels) if len(value) != 1] for split, labels in found.items()}
    note = f"labels are a 0 or 1 for each of {len(names)} classes"
    if kind == MULTI or (kind == "auto" and any(several.values())):
        return found, MULTI, [note]
    for split, bad in several.items():
        if bad:
            many = f"{values[split][bad[0]]!r} has {len(found[split][bad[0]])}"
            refuse(splits[split], bad, f"Each row needs one label; {many}")
    either = f"; --problem_type {MULTI} lets a row have any number" if kind == "auto" else ""
    note += f", with one 1 in every row: single labels{either}"
    return {split: [value[0] for value in labels] for split, labels in found.items()}, SINGLE, [note]


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
        what = next((f"There is one class only: {labels.names[one]!r}" for one in counts), "No row has a label")
        fix = "give examples of at least two classes, or name another column with --label_column"
        raise HfkitError(what, where=f"{train.table.origin}, {counted(len(train), kind)}", fix=fix)
    once = [number for number, count in counts.items() if count == 1]
    if once and not multi:
        rows = [row for row, value in enumerate(values) if value in once]
        what = f"{len(once)} of {len(counts)} classes have one example only: {short([labels.names[n] for n in once])}"
        fix = "add examples, merge or remove the class; if the labels are quantities, --problem_type regression"
        raise HfkitError(what, where=train.places(rows), fix=fix)
    never = [name for number, name in enumerate(labels.names) if number not in counts]
    return [f"classes without a training example: {short(never)}"] if never else []
