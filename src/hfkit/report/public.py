"""What a page for everybody leaves out: where files lie on the machine that made it."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

# At least one folder deep, and not behind a letter (and/or), a scheme (https://) or another slash.
_IN_TEXT = re.compile(r"(?<![\w/:.~\\])(?:~?/|[A-Za-z]:\\)(?:[^\s/\\'\"`,;:()|]+[/\\])+(?=([^\s/\\'\"`,;:()|]*))")


def path(value: Any) -> str:
    """A path without its folders where they say something of this machine: absolute, below `~`, or climbing.

    >>> path("/home/anna/reviews.csv"), path("data/reviews.csv"), path("google-bert/bert-base-uncased")
    ('reviews.csv', 'data/reviews.csv', 'google-bert/bert-base-uncased')
    """
    text = str(value)
    place = PureWindowsPath(text) if re.match(r"[A-Za-z]:[\\/]", text) else PurePosixPath(text)
    private = place.is_absolute() or text.startswith("~") or ".." in place.parts
    return place.name if private and place.name else text


def text(value: Any) -> str:
    """A sentence, with the absolute paths in it cut to their last part.

    >>> text("2 files of /home/anna/pictures/cats not read, and/or skipped")
    '2 files of cats not read, and/or skipped'
    """
    return _IN_TEXT.sub("", str(value))


def argument(value: Any) -> str:
    """One word of a command: a script keeps its folder, `recipes/`, any other path as in `path`; of `--flag=value` the
    value alone is looked at."""
    flag, equals, given = str(value).partition("=")
    if equals and flag.startswith("--"):
        return f"{flag}={path(given)}"
    place = PurePosixPath(str(value))
    if place.is_absolute() and place.suffix == ".py" and place.parts[-2:-1] == ("recipes",):
        return f"recipes/{place.name}"
    return path(value)
