"""Near-copies: texts of one split that another split holds too, but for an edit, a cut or an addition."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from datasets import Dataset

from hfkit.data.tables.table import counted
from hfkit.data.text.keys import folded

TEXTS = ("text", "text_pair", "source")
"""Columns that are looked at, of a row all together."""

WIDTH = 12
"""Letters of a shingle: two and a half English words, or three Chinese or Japanese characters, which count fourfold."""

SHARED = 0.5
"""Share of the shorter text's shingles that the other one holds too. One word in ten changed leaves 0.65 to 0.75."""

FEWEST = 50
"""Shingles of the shorter text, about thirteen words: less is a phrase that anyone may write."""

ALIKE = 0.8
"""Share of both texts' shingles that makes near-copies of shorter texts too: they differ in a sign or a letter."""

COMMON = 20
"""Texts that may hold a shingle: what more of them hold, such as a greeting or a form, makes no pair."""

KEPT = 4_000_000
"""Shingles that are compared at most, by their hashes: of more a share is drawn, the same ones in every text."""

LONGEST = 20_000
"""Characters of a text that are looked at: half an hour's reading."""

_CHUNK = 2_000_000  # characters looked at together, whose hashes a processor's cache holds
_ODD, _BASE = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
_PLANE = 0x10000  # above it are rare characters and emoji: letters that count once


def told(data: Mapping[str, Dataset]) -> list[str]:
    """A note for each two splits that share near-copies. They are counted and kept: what is alike is for people to
    say."""
    notes = []
    for (later, earlier), pairs in (among(data) or {}).items():
        first, like = data[later][pairs[0][0]]["id"], data[earlier][pairs[0][1]]["id"]
        many = f"near-copies of {earlier} in {later}: {counted(len(pairs), 'text')}, {first} of {like} the first"
        notes.append(f"{many} (half of the shorter one or more, word for word): kept")
    return notes


def among(data: Mapping[str, Dataset]) -> dict[tuple[str, str], list[tuple[int, int]]] | None:
    """`near_copies` of splits of texts; None of others."""
    columns = [name for name in TEXTS if all(name in rows.column_names for rows in data.values())]
    if not columns:
        return None
    return near_copies(
        {role: list(map("\n".join, zip(*(rows[name] for name in columns), strict=True))) for role, rows in data.items()}
    )


def near_copies(splits: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """The near-copies that each two splits share, the later split first: a pair of rows for each row of it that has
    one, with the likest of the other. `splits` are texts in the order train, validation, test.

    Containment of shingles (Broder 1997, "On the resemblance and containment of documents"), of letters and digits
    alone, without case. Pairs are found by the shingles that few texts hold, and then compared by all of theirs. Not
    seen: texts of which less than half stayed word for word, such as a paraphrase or a translation; a phrase of fewer
    than thirteen words in a longer text; what more than `COMMON` texts hold. Texts that are equal but for outer
    space and case are none. 25,000 reviews of 230 words take 1.2 seconds of one core."""
    texts = [text[:LONGEST] for rows in splits.values() for text in rows]
    names, sizes = list(splits), [len(rows) for rows in splits.values()]
    split, first = np.repeat(np.arange(len(sizes)), sizes), np.cumsum([0, *sizes])
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for later, earlier in _alike(texts, *_candidates(texts, split)):
        ends = split[later], split[earlier]
        pairs = found.setdefault((names[ends[0]], names[ends[1]]), [])
        if not pairs or pairs[-1][0] != later - first[ends[0]]:  # else a liker one stands there
            pairs.append((int(later - first[ends[0]]), int(earlier - first[ends[1]])))
    return found


def _candidates(texts: Sequence[str], split: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pairs,) rows of a later and of an earlier split that share a good part of their rare shingles; by the split of
    the earlier, the row of the later, and how many are shared."""
    rate = -(-sum(map(len, texts)) // KEPT)
    hashes, rows = shingles(texts, rate)
    order = np.argsort(hashes, kind="stable")
    hashes, rows = hashes[order], rows[order]
    once = np.ones(len(rows), dtype=bool)
    once[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
    hashes, rows = hashes[once], rows[once]
    starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]])[: len(hashes)])
    sizes = np.diff(np.append(starts, len(hashes)))
    each = np.repeat(sizes, sizes)
    held = np.bincount(rows[each <= COMMON], minlength=len(texts))
    several = (each > 1) & (each <= COMMON)
    group, rows = np.repeat(np.arange(len(sizes)), sizes)[several], rows[several].astype(np.int64)
    keys = [np.zeros(0, dtype=np.int64)]
    for apart in range(1, min(COMMON, len(rows))):
        earlier, later = rows[:-apart], rows[apart:]
        both = (group[:-apart] == group[apart:]) & (split[earlier] != split[later])
        keys.append(later[both] * len(texts) + earlier[both])
    pairs, shared = np.unique(np.concatenate(keys), return_counts=True)
    later, earlier = np.divmod(pairs, max(1, len(texts)))
    room = 0.8 if rate <= 1 else 0.6  # for the chance of a sample
    likely = shared >= room * SHARED * np.minimum(held[later], held[earlier])
    later, earlier, shared = later[likely], earlier[likely], shared[likely]
    order = np.lexsort((-shared, later, split[earlier]))
    return later[order], earlier[order]


def _alike(texts: Sequence[str], later: np.ndarray, earlier: np.ndarray) -> Iterator[tuple[int, int]]:
    """Those pairs, in their order, that are near-copies by all shingles of both."""
    looked_at = np.unique(np.concatenate([later, earlier]))
    hashes, owner = shingles([texts[row] for row in looked_at])
    ends = np.searchsorted(owner, np.arange(len(looked_at) + 1))
    known = {row: np.unique(hashes[ends[at] : ends[at + 1]]) for at, row in enumerate(looked_at.tolist())}
    for pair in zip(later.tolist(), earlier.tolist(), strict=True):
        short, long = sorted((known[row] for row in pair), key=len)
        shared = np.isin(short, long, assume_unique=True).sum()
        enough = len(short) >= FEWEST or shared >= ALIKE * len(long)
        if shared >= SHARED * len(short) and enough and len({folded(texts[row]) for row in pair}) == 2:
            yield pair


def shingles(texts: Sequence[str], rate: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """64 bits for every `WIDTH` letters in a row, or for one in `rate` of them, and the number of their text, in the
    texts' order; (shingles,) each."""
    letters = np.array([chr(code).isalnum() for code in range(_PLANE - 1)] + [True])
    weights = letters.astype(np.uint8)
    for begin, end, weight in ((0x2E80, 0xA4D0, 4), (0xF900, 0xFB00, 4), (0xAC00, 0xD7B0, 3)):  # Chinese, ..., Korean
        weights[begin:end] *= weight
    hashes, owners, at = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int32)], 0
    while at < len(texts):
        first, size, part = at, 0, []
        while at < len(texts) and size < _CHUNK:
            part.append(texts[at].casefold())
            size, at = size + len(part[-1]), at + 1
        codes = np.frombuffer("".join(part).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        times = weights[np.minimum(codes, _PLANE - 1)]
        owner = np.repeat(np.arange(first, at, dtype=np.int32), [len(text) for text in part])
        owner, found = np.repeat(owner, times), _rolling(np.repeat(codes, times).astype(np.uint64))
        inside = owner[: len(found)] == owner[len(owner) - len(found) :]
        if rate > 1:
            inside &= found < np.uint64(2**64 // rate)
        hashes.append(found[inside])
        owners.append(owner[: len(found)][inside])
    return np.concatenate(hashes), np.concatenate(owners)


def _rolling(letters: np.ndarray) -> np.ndarray:
    """A hash of every `WIDTH` letters: of 1, 2, 4, 8 and then 8 and 4 in a row, each made of two shorter ones."""
    if len(letters) < WIDTH:
        return letters[:0]

    def joined(left: np.ndarray, right: np.ndarray, width: int) -> np.ndarray:
        found: np.ndarray = left[: len(right) - width] * np.uint64(pow(_BASE, width, 2**64)) + right[width:]
        return found

    one = letters * np.uint64(_ODD)
    one ^= one >> np.uint64(29)
    two = joined(one, one, 1)
    four = joined(two, two, 2)
    found = joined(joined(four, four, 4), four, 8)
    found ^= found >> np.uint64(32)
    return np.asarray(found * np.uint64(_ODD))
