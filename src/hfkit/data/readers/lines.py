"""Lines of text: bytes that a stranger wrote, decoded one line at a time, so that a fault has its line."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import not_text, text_codec

LONGEST_LINE = 2**27  # bytes of a line. A file of some gigabytes without a line end would fill the memory.


def text_lines(stream: BinaryIO, name: str, encoding: str, longest: int = LONGEST_LINE) -> Iterator[str]:
    """The lines of a stream of bytes with their ends, never more than one in memory, without a byte order mark. Raises
    HfkitError: bytes that are not text in `encoding`, with their line; a line of `longest` bytes (-1: any number)."""
    codec, number, beginning = text_codec(encoding), 0, b""
    if not _ends_in_a_byte(codec):
        yield from _wide_lines(stream, name, encoding)
        return
    while raw := _line(stream, name, longest):
        number += 1
        beginning = beginning or raw[:64]
        if len(raw) == longest:
            raise HfkitError(f"The line has more than {longest:,} bytes", where=f"{name}, line {number}")
        try:
            text = raw.decode(codec)
        except UnicodeError as error:
            at = getattr(error, "start", 0)  # idna and its like do not say
            raise not_text(name, number, encoding, beginning, raw[at]) from error
        if "\0" in text:
            raise not_text(name, number, encoding, beginning, 0)
        yield text
        codec = codec.removesuffix("-sig")  # only the first line can begin with a byte order mark


def _ends_in_a_byte(codec: str) -> bool:
    """Whether a line end is the byte 10; in UTF-16 it is two bytes, on mainframes another."""
    try:
        return b"\n".decode(codec) == "\n"
    except UnicodeError:
        return False


def _line(stream: BinaryIO, name: str, longest: int) -> bytes:
    try:
        return stream.readline(longest)
    except OSError as error:
        raise HfkitError(f"The file cannot be read: {error.strerror or error}", where=name) from error


def _wide_lines(stream: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    text, number = io.TextIOWrapper(stream, encoding=encoding, newline=""), 0
    try:
        for line in text:
            number += 1
            if "\0" in line:
                raise not_text(name, number, encoding, b"", 0)
            yield line
    except UnicodeError as error:
        raise not_text(name, number + 1, encoding, b"") from error
    text.detach()  # else it would close the stream, which is asked how far it got
