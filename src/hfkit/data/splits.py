"""Splits: which rows train, which pick the model, which give the final figures; and that no text does two of these."""

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import ROLES, DataCard
from hfkit.data.tables.columns import group_of
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import counted
from hfkit.data.vision.pictures import pixel_range

_WHY = "; a class or group is held out at least once where it can be, and never all of it"
DEFAULT_SHARE = 0.1
Member = TypeVar("Member")
Strata = Callable[[Rows], Sequence[Hashable]]
"""What each row counts as when rows are drawn: every kind keeps its proportion."""


def alike(rows: Rows) -> Sequence[Hashable]:
    """The strata of rows that are all of one kind, such as documents and pairs of texts."""
    return [0] * len(rows)


def remove_repeats(splits: dict[str, Rows], notes: list[str], *, keep: bool = False) -> dict[str, Rows]:
    """Removes repeated texts from training, and from training and validation what a later split also holds.

    Two rows are the same example when their texts are equal without outer space and case, or their images have the same
    pixels. The test split is never touched: its figures stay comparable with everyone's. Of repeated rows in training
    the first stays. `splits` are in the order train, validation, test; to `keep` is to count only. Raises HfkitError:
    nothing is left of a split."""
    keys = {split: rows.keys() for split, rows in splits.items()}
    noun = "image" if any("image" in rows.inputs for rows in splits.values()) else "text"
    kept = {}
    for place, (split, rows) in enumerate(splits.items()):
        own, later_splits = keys[split], list(splits)[place + 1 :]
        later = {key: other for other in reversed(later_splits) for key in keys[other]}
        leaks = [row for row, key in enumerate(own) if key in later]
        for other, count in Counter(later[own[row]] for row in leaks).items():
            done = f"{'kept' if keep else 'removed'} in {split}"
            notes.append(f"{counted(count, noun)} of {split} that also stand in {other}: {done}")
        first = {key: row for row, key in reversed([*enumerate(own)])}
        again = [row for row, key in enumerate(own) if first[key] != row and key not in later]
        learnt = split == "train" and not keep
        if again:
            unlike = sum(str(rows.label[row]) != str(rows.label[first[own[row]]]) for row in again)
            with_other = f" ({unlike:,} with another label than the first)" if unlike else ""
            repeated = f"{counted(len(again), f'repeated {noun}')} in {split}{with_other}"
            notes.append(f"{repeated}: {'removed' if learnt else 'kept'}")
        kept[split] = rows.without({*([] if keep else leaks), *(again if learnt else [])})
        if not len(kept[split]):
            what = f"Every {noun} of {split} also stands in another split"
            raise HfkitError(what, fix="mend the files, or --keep_duplicates")
    return kept


def keep_apart(
    splits: dict[str, Rows], column: str, called: str, notes: list[str], *, keep: bool = False
) -> dict[str, Rows]:
    """Keeps rows out of training and validation whose text in `column` a later split has too, with whatever beside it:
    another question about the same context, another translation of the same sentence. To `keep` is to count only.
    Raises HfkitError: nothing is left of a split."""
    keys = {role: [text.strip().casefold() for text in rows.inputs[column]] for role, rows in splits.items()}
    apart, order = {}, list(splits)
    for place, (role, rows) in enumerate(splits.items()):
        later = {key: other for other in order[:place:-1] for key in keys[other]}
        for other, count in Counter(later[key] for key in keys[role] if key in later).items():
            done = "kept" if keep else f"kept out of {role}"
            notes.append(f"{role}: {counted(count, 'row')} whose {called} also stands in {other}: {done}")
        apart[role] = rows if keep else rows.select([row for row, key in enumerate(keys[role]) if key not in later])
        if not len(apart[role]):
            what = f"Every {called} of {role} also stands in a later split"
            raise HfkitError(what, where=rows.table.origin, fix="mend the files, or --keep_duplicates")
    return apart


def carve(
    splits: dict[str, Rows], strata: Strata, arguments: DataArguments, card: DataCard | None, notes: list[str]
) -> dict[str, Rows]:
    """Holds out the splits that the source lacks; first test, so that the validation share does not move it."""
    splits, by = dict(splits), ""
    if splits["train"].unit is not None:
        group = group_of(arguments, card)
        by = f", by groups of equal {group}" if group else f", by blocks of {card.blocks} rows" if card else ""
    for role in ("test", "validation"):
        if role not in splits:
            train, share, seed = splits["train"], share_of(role, arguments, card), arguments.data_seed
            splits["train"], splits[role] = hold_out(train, strata(train), share=share, seed=seed, name=role)
            taken = len(splits[role]) / len(train)
            took = f"{len(splits[role]):,} of {len(train):,} rows, {100 * taken:.3g} %{by}"
            why = "" if abs(taken - share) < 0.02 else f" ({100 * share:g} % asked for{_WHY})"
            notes.append(f"{role} held out from train: {took}, seed {seed}{why}")
    return {role: splits[role] for role in ROLES}


def settled(
    splits: dict[str, Rows],
    strata: Strata,
    arguments: DataArguments,
    card: DataCard | None,
    notes: list[str],
    apart: Mapping[str, str] | None = None,
) -> dict[str, Rows]:
    """The splits as they are learnt and judged: without repeats, held out where the source lacks them, kept apart by
    the columns that `apart` names (and what their texts are called), and no more rows than are asked for."""
    splits = remove_repeats(splits, notes, keep=arguments.keep_duplicates)
    if "train" in splits:
        splits = carve(splits, strata, arguments, card, notes)
    for column, called in (apart or {}).items():
        splits = keep_apart(splits, column, called, notes, keep=arguments.keep_duplicates)
    return limited(splits, strata, arguments, notes)


def settled_pictures(
    splits: dict[str, Rows], strata: Strata, arguments: DataArguments, card: DataCard | None, notes: list[str]
) -> tuple[dict[str, Rows], list[float] | None]:
    """As `settled`, of rows of pictures; and what becomes black and white of those of more than 8 bits."""
    splits, levels = remove_repeats(splits, notes, keep=arguments.keep_duplicates), None
    if "train" in splits:
        splits = carve(splits, strata, arguments, card, notes)
        levels = pixel_range({role: rows.table for role, rows in splits.items()}, arguments.pixel_range, notes)
    return limited(splits, strata, arguments, notes), levels


def rarest(rows: Rows) -> Sequence[Hashable]:
    """What a row counts as when a split is drawn, whose label has `classes` or lists them, several or none: the rarest
    of them."""
    every = [getattr(label, "classes", label) for label in rows.label]
    counts = Counter(one for own in every for one in set(own))
    return [min(own, key=lambda one: (counts[one], one), default=-1) for own in every]


def share_of(role: str, arguments: DataArguments, card: DataCard | None) -> float:
    """How much of the rows a split gets that the source lacks: as the flag says, else the card, else a tenth."""
    asked = (getattr(arguments, f"{role}_size"), getattr(card, f"{role}_size", None), DEFAULT_SHARE)
    return float(next(share for share in asked if share is not None))


def limited(splits: dict[str, Rows], strata: Strata, arguments: DataArguments, notes: list[str]) -> dict[str, Rows]:
    """No more rows of each split than `--max_*_samples` allows, each label in its proportion, in the source's order."""
    limits = {"train": "max_train_samples", "validation": "max_eval_samples", "test": "max_test_samples"}
    drawn = {}
    for role, rows in splits.items():
        limit, drawn[role] = getattr(arguments, limits[role]), rows
        if limit is not None and limit < len(rows):
            groups = _grouped(range(len(rows)), strata(rows))
            quotas = allocate(list(map(len, groups)), limit, [1] * len(groups))
            generator = random.Random(f"{arguments.data_seed} draw {role}")
            chosen = (generator.sample(group, quota) for group, quota in zip(groups, quotas, strict=True))
            drawn[role] = rows.select(sorted(chain.from_iterable(chosen)))
            notes.append(f"{role}: {len(drawn[role]):,} of {len(rows):,} rows drawn, seed {arguments.data_seed}")
    return drawn


def hold_out(rows: Rows, strata: Sequence[Hashable], *, share: float, seed: int, name: str) -> tuple[Rows, Rows]:
    """Splits `rows` in those that stay and a `share` held out, both in the source's order: by units that stay whole,
    each of which counts as the label (`strata`) that most of its rows have, with every label in the same proportion.
    `seed` and `name` seed the draw together, so that test and validation draw independently."""
    units: dict[Any, list[int]] = {}
    for row in range(len(rows)):
        units.setdefault(rows.unit[row] if rows.unit is not None else row, []).append(row)

    def kind(members: list[int]) -> Hashable:
        one = len(members) == 1
        return strata[members[0]] if one else Counter(strata[row] for row in members).most_common(1)[0][0]

    groups = _grouped(units.values(), map(kind, units.values()))
    sizes = [len(group) for group in groups]
    # From three units of a label on, one is held out and one will still be left after the next split; the last unit
    # of a label always stays, or training would lack the label.
    least = [1 if size >= 3 else 0 for size in sizes]
    most = [size - 1 for size in sizes]
    quotas = allocate(sizes, max(1, round(share * len(units))), least, most)
    generator = random.Random(f"{seed} {name}")
    held: set[int] = set()
    for group, quota in zip(groups, quotas, strict=True):
        generator.shuffle(group)
        held.update(row for members in group[:quota] for row in members)
    if not held:
        what = "row" if rows.unit is None else "group"
        fix = f"add rows, or give a {name} split of your own"
        raise HfkitError(f"{counted(len(units), what)} cannot give up a {name} split", where=rows.table.origin, fix=fix)
    return rows.without(held), rows.select(sorted(held))


def _grouped(members: Iterable[Member], kinds: Iterable[Hashable]) -> list[list[Member]]:
    """The members of each kind together."""
    found: dict[Hashable, list[Member]] = {}
    for member, kind in zip(members, kinds, strict=True):
        found.setdefault(kind, []).append(member)
    return [found[kind] for kind in sorted(found, key=str)]


def allocate(sizes: list[int], total: int, least: list[int], most: list[int] | None = None) -> list[int]:
    """Deals `total` out in proportion to `sizes`, by largest remainder, each between its `least` and its `most`.

    The bounds win over the total. `most` is `sizes` when left out.

    >>> allocate([90, 9, 1], 10, [1, 1, 1])
    [8, 1, 1]
    """
    most = sizes if most is None else most
    exact = [size * total / sum(sizes) for size in sizes]
    quotas = [min(max(int(share), low), high) for share, low, high in zip(exact, least, most, strict=True)]
    while sum(quotas) < min(total, sum(most)):
        room = [place for place in range(len(sizes)) if quotas[place] < most[place]]
        quotas[max(room, key=lambda place: exact[place] - quotas[place])] += 1
    while sum(quotas) > total and any(quota > low for quota, low in zip(quotas, least, strict=True)):
        spare = [place for place in range(len(sizes)) if quotas[place] > least[place]]
        quotas[min(spare, key=lambda place: exact[place] - quotas[place])] -= 1
    return quotas
