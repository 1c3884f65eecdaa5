"""Which two of several languages are read and written, where columns or files are named after languages."""

import re
from collections.abc import Sequence

from hfkit.base.errors import HfkitError, nearest

CODE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*", re.IGNORECASE)
"""A language's code: en, zh_CN, zho_Hans, pt-BR."""


def direction(languages: Sequence[str], source: str | None, target: str | None, where: str) -> tuple[str, str]:
    """The languages of the source and of the target, as `languages` writes them.

    Args:
        languages: Those that there are, in their order.
        source, target: Those that are asked for (`--source_lang`, `--target_lang`), by their whole code or its first
            part. Where one is left open and two languages are there, it is the other one; where both are, the first
            becomes the second.

    Raises:
        HfkitError: One that is asked for is not there, both are the same, or three are there and none is asked for.
    """
    found = [_known(asked, flag, languages, where) if asked else None
             for asked, flag in ((source, "--source_lang"), (target, "--target_lang"))]  # fmt: skip
    for place, one in enumerate(found):
        other = [language for language in languages if language != found[1 - place]]
        if one is None:
            if len(languages) != 2:
                what = f"{len(languages)} languages are there: {', '.join(languages)}"
                raise HfkitError(what, where=where, fix="say --source_lang and --target_lang")
            found[place] = other[0]
    if found[0] == found[1]:
        raise HfkitError(f"{found[0]} is the language of both sides", where=where, fix="name another --target_lang")
    return str(found[0]), str(found[1])


def _known(asked: str, flag: str, languages: Sequence[str], where: str) -> str:
    name = _plain(asked)
    same = [one for one in languages if _plain(one) == name] or [
        one for one in languages if _plain(one).partition("-")[0] == name.partition("-")[0]
    ]
    if len(same) != 1:
        what = f"{flag} {asked}: {'several languages are' if same else 'no language is'} called so"
        raise HfkitError(what, where=where, fix=nearest(asked, languages))
    return same[0]


def _plain(code: str) -> str:
    return code.casefold().replace("_", "-")
