"""Dates as English writes them, beside the same dates as ISO 8601 does: made pairs, for a model that has to be exact.

A reader who knows that two figures of a year mean 1969 to 2068 can tell every date: where only figures stand, the day
and the month cannot be taken for each other, nor two figures of a year for a day.
"""

import json
import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

SPLITS = {"train": 6000, "validation": 400, "test": 600}  # dates of each; none is in two
NOTATIONS_EACH = 2  # of a date, two of its notations, so that rows alone are no fair way to draw splits

FIRST, LAST = date(1969, 1, 1), date(2068, 12, 31)
"""A century, which two figures of a year name without doubt; where it begins is POSIX's habit."""

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()

CLEAR = (
    "{month} {day}, {year}",
    "{month} {day} {year}",
    "{day} {month} {year}",
    "{ordinal} {month} {year}",
    "{month} {ordinal}, {year}",
    "{month} the {ordinal}, {year}",
    "the {ordinal} of {month}, {year}",
    "{day} {month} '{yy}",
    "{short} {day}, {year}",
    "{short}. {day}, '{yy}",
    "{day} {short} {year}",
    "{day}-{short}-{year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{weekday} the {ordinal} of {month} {year}",
    "{wd}, {day} {short} {year}",
    "the {word} of {month}, {year}",
    "{month} {word}, {year}",
    "{month} {day}, {said}",
    "the {word} of {month}, {said}",
    "{year}, {month} {day}",
    "{year}/{mm}/{dd}",
    "{year}.{number}.{day}",
    "{year}{mm}{dd}",
)
"""Notations that leave no doubt of any date."""

DAY_AND_MONTH = ("{day}/{number}/{year}", "{number}/{day}/{year}", "{dd}.{mm}.{year}", "{mm}-{dd}-{year}")
"""Those for a day that is no month's number, or is the month's own."""

SHORT_YEAR = ("{day}/{number}/{yy}", "{number}/{day}/{yy}", "{dd}.{mm}.{yy}")
"""Those for such a day in a year whose two figures are no day's."""


def write_dates(folder: Path) -> None:
    """Put `dates.jsonl` into `folder`, always the same bytes: a line for each of `pairs`."""
    lines = (json.dumps({"source": source, "target": target, "split": split}) for source, target, split in pairs())
    (folder / "dates.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def pairs() -> Iterator[tuple[str, str, str]]:
    """The date as it is written, as ISO 8601 writes it, and its split."""
    draw = random.Random("dates").random  # the one method whose numbers Python promises to keep
    days = range(FIRST.toordinal(), LAST.toordinal() + 1)
    drawn = (date.fromordinal(day) for _, day in sorted((draw(), day) for day in days))
    for split, count in SPLITS.items():
        for _ in range(count):
            day = next(drawn)
            for source in _written(day, draw):
                yield source, day.isoformat(), split


def notations(day: date) -> list[str]:
    """Every way of writing a date that can be read in one way only."""
    forms = [*CLEAR]
    if day.day > 12 or day.day == day.month:
        forms += DAY_AND_MONTH
        if day.year % 100 > 31:
            forms += SHORT_YEAR
    slots = _slots(day)
    return list(dict.fromkeys(form.format(**slots) for form in forms))


def _written(day: date, draw: Callable[[], float]) -> list[str]:
    """Some of a date's notations, of every eighth its capitals, of another eighth its small letters."""
    several, found = notations(day), []
    for _ in range(NOTATIONS_EACH):
        text, case = several.pop(int(draw() * len(several))), draw()
        found.append(text.upper() if case < 1 / 8 else text.lower() if case < 1 / 4 else text)
    return found


def _slots(day: date) -> dict[str, str]:
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    tens, ones = divmod(day.day, 10)
    word = _ORDINALS[day.day] if day.day <= 20 else f"{_TENS[tens]}-{_ORDINALS[ones]}" if ones else "thirtieth"
    ending = "th" if tens == 1 else {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    return {
        "day": str(day.day),
        "dd": f"{day.day:02}",
        "ordinal": f"{day.day}{ending}",
        "word": word,
        "month": month,
        "short": month[:3],
        "number": str(day.month),
        "mm": f"{day.month:02}",
        "year": str(day.year),
        "yy": f"{day.year % 100:02}",
        "said": _said(day.year),
        "weekday": weekday,
        "wd": weekday[:3],
    }


def _said(year: int) -> str:
    """A year in words: nineteen eighty-seven, two thousand and five, twenty ten."""
    century, rest = divmod(year, 100)
    if century == 20 and rest < 10:
        return f"two thousand and {_ONES[rest]}" if rest else "two thousand"
    tens, ones = divmod(rest, 10)
    last = _ONES[rest] if rest < 20 else f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]
    return f"{_ONES[century] if century < 20 else 'twenty'} {last}"
