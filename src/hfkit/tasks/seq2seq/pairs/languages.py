"""Which two of several languages are read and written, where columns or files are named after languages."""

import re
from collections.abc import Sequence

from hfkit.base.errors import HfkitError, nearest

CODE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*", re.IGNORECASE)  # a language's code: en, zh_CN, zho_Hans, pt-BR

_SHORT = {
    long: codes[0]
    for codes in (
        one.split("=")
        for one in "ar=ara cs=ces de=deu=ger el=ell en=eng es=spa fa=pes fi=fin fr=fra=fre he=heb hi=hin hu=hun id=ind"
        " it=ita ja=jpn ko=kor nl=nld pl=pol pt=por ro=ron ru=rus sv=swe th=tha tr=tur uk=ukr vi=vie"
        " zh=zho=cmn=chi=yue".split()
    )
    for long in codes[1:]
}
"""Codes of three letters, as NLLB has them, by those of two: eng_Latn is what the data call en."""


def direction(languages: Sequence[str], source: str | None, target: str | None, where: str) -> tuple[str, str]:
    """The languages of the source and of the target, as `languages`, those that there are in their order, writes them.

    Asked for (`--source_lang`, `--target_lang`) is en, or what models call it, en_XX and eng_Latn. Where one is left
    open and two languages are there, it is the other one; where both are, the first becomes the second. Raises
    HfkitError: one that is asked for is not there, both are the same, or three are there and none is asked for."""
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
    same = [one for one in languages if one.casefold() == asked.casefold()]
    same = same or [one for one in languages if short(one) == short(asked)]
    if len(same) != 1:
        what = f"{flag} {asked}: {'several languages are' if same else 'no language is'} called so"
        raise HfkitError(what, where=where, fix=nearest(asked, languages))
    return same[0]


def short(code: str) -> str:
    """The language of a code, without script and region: zh of zho_Hans, zh_CN and ZH."""
    first = code.casefold().replace("_", "-").partition("-")[0]
    return _SHORT.get(first, first)
