"""Tag schemes: how the tags of words say where a name begins and ends. Everything inside hfkit is IOB2."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from hfkit.base.errors import HfkitError

Entity = tuple[int, int, str]  # the first word of a name, the one after its last, and its type

OUTSIDE = "O"


def has_scheme(labels: Iterable[str]) -> bool:
    """Whether all tags are of IOB2 and some begin a name, so that names can be counted."""
    found = {OUTSIDE if label == OUTSIDE else prefix(label) for label in labels}
    return "B" in found and found <= {"B", "I", OUTSIDE}


def entities(tags: Sequence[str]) -> list[Entity]:
    """The names of a text, strictly: one begins at `B-` and goes on with `I-` of its type. Another `I-` is of none."""
    found: list[Entity] = []
    begin = None
    for place, tag in enumerate([*tags, OUTSIDE]):
        if begin is not None and tag != f"I-{tags[begin][2:]}":
            found.append((begin, place, tags[begin][2:]))
            begin = None
        if tag.startswith("B-"):
            begin = place
    return found


def lenient_entities(tags: Sequence[str]) -> list[Entity]:
    """The names of a text as conlleval counts them (Sang & Buchholz 2000): an `I-` that follows no name of its type
    begins one."""
    return entities(repaired(tags))


def repaired(tags: Sequence[str]) -> list[str]:
    """The tags with `B-` where an `I-` follows no name of its type."""
    found: list[str] = []
    for place, tag in enumerate(tags):
        before = tags[place - 1] if place else OUTSIDE
        orphan = tag.startswith("I-") and (before[1:] != tag[1:] or before[0] not in "BI")
        found.append(f"B-{tag[2:]}" if orphan else tag)
    return found


def names_in(tags: Sequence[str], scheme: str) -> list[Entity]:
    """The names of a text whose tags are of a scheme; of plain tags, neighbours of one tag."""
    if scheme == "plain":
        return lenient_entities([tag if tag == OUTSIDE else f"I-{tag}" for tag in tags])
    return entities(tags if scheme == "iob2" else to_iob2(tags, scheme))


def judged(tags: Sequence[str], labels: Iterable[str]) -> list[Entity]:
    """What counts as one answer of a model with these labels: a name; of tags without a scheme each word."""
    if has_scheme(labels):
        return entities(tags)
    return [(place, place + 1, tag) for place, tag in enumerate(tags) if tag != OUTSIDE]


def scheme_of_labels(labels: Iterable[str]) -> str:
    """How a model that was trained elsewhere tags names, by its labels: iobes, plain, else iob1. Labels alone do not
    tell IOB1 from IOB2. Read as IOB1, names of either are found: an `I-` that follows none of its type begins one."""
    letters = {prefix(label) for label in labels if label != OUTSIDE}
    if None in letters or not letters:
        return "plain"
    return "iobes" if letters & set("ESLU") else "iob1"


def scheme_of(rows: Sequence[Sequence[str]], place: Callable[[int, int], str] | None = None) -> str:
    """The scheme of texts by the tags of each: iobes, where last or single words are marked (E-, S-, or BILOU's L-,
    U-); iob1, where names begin with I- and B- parts two that touch; iob2, where all begin with B-; plain, where tags
    have no prefix. `place` says where a word of a row stands, for messages. Raises HfkitError: some tags have a prefix
    and some have none, or it stands at the end."""
    tags = {tag for row in rows for tag in row} - {OUTSIDE}
    letters = set(map(prefix, tags)) - {None}
    bare = sorted(tag for tag in tags if prefix(tag) is None)
    turned = [tag for tag in bare if len(tag) > 2 and (tag[-2:] in ("-B", "-I") or tag[:2] in ("B_", "I_"))]
    if bare and (letters or turned):
        odd = turned[:1] or bare
        at = next((row, word) for row, own in enumerate(rows) for word, tag in enumerate(own) if tag in odd)
        mixed = f"Some tags say where a name begins, as B-PER does, and some do not: {', '.join(bare[:5])}"
        what = f"Tags such as {odd[0]} are of no scheme that hfkit knows" if turned else mixed
        fix = "write all tags as B-PER and I-PER, or O; or --tag_scheme plain, where each stands for itself"
        raise HfkitError(what, where=place and place(*at), fix=fix)
    if not letters:
        return "plain"
    if letters & set("ESLUM"):
        return "iobes"
    # In IOB1 a B- parts two names that touch, and stands nowhere else; a few orphans alone are slips of IOB2.
    steps = [step for row in rows for step in pairwise([OUTSIDE, *row])]
    parts = all(before[1:] == tag[1:] for before, tag in steps if tag.startswith("B-"))
    return "iob1" if parts and any(repaired(row) != list(row) for row in rows) else "iob2"


def check_scheme(rows: Iterable[Sequence[str]], scheme: str, place: Callable[[int, int], str]) -> None:
    """Refuses tags that are not of the scheme that somebody says they have."""
    letters = {"plain": None, "iob1": "BI", "iob2": "BI"}.get(scheme, "BIESLUM")
    for row, tags in enumerate(rows):
        for word, tag in enumerate(tags):
            if letters and tag != OUTSIDE and (prefix(tag) or "?") not in letters:
                fix = "leave --tag_scheme out, and it is found; or --tag_scheme plain, where each stands for itself"
                raise HfkitError(f"The tag {tag} is not of the scheme {scheme}", where=place(row, word), fix=fix)


def scheme_told(scheme: str, rows: Iterable[Sequence[str]]) -> str:
    """What people call the scheme of these tags."""
    if scheme == "iobes":
        return "BILOU" if any(prefix(tag) in ("L", "U") for tags in rows for tag in tags) else "BIOES"
    return {"plain": "tags without a scheme", "iob1": "IOB1", "iob2": "IOB2"}[scheme]


def prefix(tag: str) -> str | None:
    """`B` of B-PER; None of a tag without one."""
    return tag[0] if len(tag) > 2 and tag[1] == "-" and tag[0] in "BIESLUM" else None


def to_iob2(tags: Sequence[str], scheme: str) -> list[str]:
    """Tags of a scheme as IOB2; plain ones as they are."""
    if scheme == "plain":
        return list(tags)
    if scheme == "iobes":
        tags = [f"{'B' if tag[0] in 'SUB' else 'I'}{tag[1:]}" if prefix(tag) else tag for tag in tags]
    return repaired(tags)


def ordered(types: Iterable[str]) -> list[str]:
    """The labels of names of these types, as a model has them: O, then B- and I- of each."""
    return [OUTSIDE, *(f"{letter}-{kind}" for kind in sorted(types) for letter in "BI")]
