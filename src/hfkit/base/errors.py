"""HfkitError: the one exception a user meets. It says what is wrong, where, and what to do."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from typing import Any

from hfkit.base.sanitize import flat

LONGEST = 800  # characters of each part of a message: a label or a column's name may be megabytes


class HfkitError(Exception):
    """A mistake that the user can mend, told in one message: what is wrong, with the value at fault repeated; `where`:
    file, line or row, column, flag, left out when `what` already names it; and what to do about it: the flag to set,
    the spelling to use, the ways out.

    Each part is one line without control characters, whatever the data holds that it quotes. The command line prints
    the message without a traceback and ends with exit status 1."""

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = _shown(what)
        self.where = where and _shown(where)
        self.fix = fix and _shown(fix)
        super().__init__(self.what)
        self.notes: list[str] = []

    def __str__(self) -> str:
        parts = [("where", self.where), ("what to do", self.fix), *(("before that", note) for note in self.notes)]
        return "\n".join([self.what, *(f"  {name}: {told}" for name, told in parts if told)])

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle needs: another process's error keeps its parts."""
        return partial(type(self), self.what, where=self.where, fix=self.fix), (), {"notes": self.notes}


@contextmanager
def after(notes: list[str]) -> Iterator[None]:
    """An error inside tells what was counted before it, which may be its reason: rows dropped, repeats removed."""
    try:
        yield
    except HfkitError as error:
        error.notes = [*map(_shown, notes), *error.notes]
        raise


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it came from, and so on down."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _shown(text: str) -> str:
    """Long parts lose their middle: the beginning names the fault, the end often the count or the place."""
    return flat(text[:LONGEST] + "…" + text[-LONGEST // 4 :] if len(text) > LONGEST * 5 // 4 else text)


def check_known(name: object, known: Collection[str], what: str, where: str | None = None) -> None:
    """Refuses a name that is none of those known, with the nearest of them; `what` says which kind of name it is."""
    if name not in known:
        raise HfkitError(what, where=where, fix=nearest(name, known))


def nearest(name: object, known: Iterable[str]) -> str:
    """The close spellings of `name` first, then every name that is known, as one sentence.

    >>> nearest("imbd", ["imdb", "sst2"])
    'did you mean imdb? Known: imdb, sst2'
    """
    names = sorted(known)
    close = get_close_matches(str(name), names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{hint}Known: {', '.join(names)}"
