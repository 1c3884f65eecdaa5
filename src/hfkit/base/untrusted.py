"""Files, encodings, JSON and YAML that strangers wrote: whatever they hold, only HfkitErrors come of reading them."""

import codecs
import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers import expat

from hfkit.base.errors import HfkitError

# How files begin that are often taken for text, renamed or downloaded under another name.
_BEGINNINGS = {
    b"PK\x03\x04": "a zip archive (or an .xlsx sheet)",
    b"\x1f\x8b": "compressed by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\xfd7zXZ": "compressed by xz",
    b"PAR1": "Parquet",
}


def regular_file(path: str | Path) -> Path:
    """The path of an ordinary file. A pipe or a device could block for ever, or never end. Raises HfkitError: there is
    no such file, it is something else, or the name cannot be one."""
    try:
        path = Path(path).expanduser()
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise HfkitError("There is no such file", where=str(path)) from error
    except (OSError, ValueError, RuntimeError) as error:  # a link in a circle, NUL in the name, ~nobody
        what = f"The file cannot be read: {getattr(error, 'strerror', None) or error}"
        raise HfkitError(what, where=str(path)) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file, but a pipe, a socket or a device"
        what = f"This is {kind}"
        raise HfkitError(what, where=str(path), fix="give a file; copy what a pipe or device gives into one")
    return path


def text_codec(name: str) -> str:
    """The encoding to read with: UTF-8 passes over a byte order mark at the start. Raises HfkitError: Python knows no
    such encoding, or it is none of text (zlib, undefined)."""
    try:
        b"x".decode(name)
    except UnicodeDecodeError:
        pass  # one byte is no text in UTF-16
    except (LookupError, ValueError) as error:
        what = f"There is no encoding {name!r}"
        raise HfkitError(what, where="--encoding", fix="such as utf-8, gb18030, cp1252, latin-1, utf-16") from error
    return "utf-8-sig" if codecs.lookup(name).name == "utf-8" else name


def check_text(beginning: bytes, path: str | Path) -> None:
    """Refuse a file that begins as an archive or another format does."""
    kind = next((kind for mark, kind in _BEGINNINGS.items() if beginning.startswith(mark)), None)
    if kind is not None:
        fix = "give it the ending .parquet" if kind == "Parquet" else "unpack it: hfkit opens no archives"
        raise HfkitError(f"The file is {kind}, not text", where=str(path), fix=fix)


def not_text(path: str | Path, line: int, encoding: str, beginning: bytes, byte: int | None = None) -> HfkitError:
    """The message for a file that is not text in the `encoding` that was asked for. From its `beginning`, the first
    bytes, another encoding can often be told; `byte` is what cannot stand there, None for a cut end."""
    guess = "common ones: gb18030, cp1252, latin-1"
    if beginning[:2] in (b"\xff\xfe", b"\xfe\xff"):
        guess = "the file begins as utf-16 does"
    elif b"\0" in beginning:
        guess = f"its zeros look like utf-16-{'be' if beginning[:1] == bytes(1) else 'le'}"
    problem = "it is cut off" if byte is None else f"byte 0x{byte:02x} cannot stand there"
    what = f"The file is not {encoding.removesuffix('-sig')} text: {problem}{' (NUL)' if byte == 0 else ''}"
    fix = f"name its encoding with --encoding ({guess}), or save it as UTF-8"
    return HfkitError(what, where=f"{path}, line {line}", fix=fix)


def read_json(
    text: str, where: str, what: str = "The file", fix: str | None = None, decode: Callable[[str], Any] = json.loads
) -> Any:
    """The value of a JSON text, which messages call `what`, at `where`; `decode` may read several values of it. Raises
    HfkitError: it is no JSON, is nested too deeply, or holds half a character or a number of thousands of digits."""
    try:
        value = decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        place = f"{where}, line {error.lineno}" if "\n" in text.strip() else where
        raise HfkitError(f"{what} is not JSON: {error.msg} at character {error.colno}", where=place, fix=fix) from error
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        told = f"A text holds {half}, which is half a character"
        raise HfkitError(told, where=where, fix="write the character whole, or cut it") from error
    except (RecursionError, ValueError) as error:
        problem = "is nested too deeply" if isinstance(error, RecursionError) else "holds a number of over 4,300 digits"
        raise HfkitError(f"{what} {problem}", where=where) from error
    return value


def read_text(path: Path, most: int) -> str:
    """The text of a file in UTF-8. Raises as `regular_file`, and for more than `most` bytes or others than UTF-8's."""
    size = regular_file(path).stat().st_size
    if size > most:
        raise HfkitError(f"The file has {size:,} bytes, and none of its kind has more than {most:,}", where=str(path))
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise HfkitError(f"The file cannot be read: {error}", where=str(path)) from error


def read_json_file(path: Path, most: int = 200_000_000) -> Any:
    """The value of a JSON file. Raises as `read_text` and `read_json`."""
    return read_json(read_text(path, most), str(path))


def read_yaml(text: str, path: Path, first: int = 1) -> Any:
    """The value of a YAML text without aliases: nine of them on nine lines would make a billion strings. Raises
    HfkitError: it is no YAML, has aliases, is nested too deeply, or a value that is none (the 45th of May). It names
    the line of `path`, where the text begins on line `first`."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.MarkedYAMLError(problem="an alias is not read", problem_mark=self.peek_event().start_mark)
            return super().compose_node(parent, index)

    try:
        return yaml.load(text, Loader)
    except RecursionError as error:
        raise HfkitError("The front matter is nested too deeply", where=str(path)) from error
    except Exception as error:  # yaml's errors, and whatever a value raises that is none
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + first}" if mark else str(path)
        what = f"The front matter is not YAML: {getattr(error, 'problem', None) or error}"
        raise HfkitError(what, where=where) from error


@contextmanager
def xml_parser(name: str) -> Iterator[Any]:
    """expat's parser of a file that messages call `name`, for the caller's handlers. What a document type may declare,
    entities and files elsewhere, is refused: nine lines of it can fill the memory. Raises HfkitError inside."""
    parser = expat.ParserCreate()

    def refuse(entity: str, *_: Any) -> None:
        where = f"{name} line {parser.CurrentLineNumber}"
        raise HfkitError(f"The file declares the entity {entity!r}, which is not read", where=where, fix="write it out")

    parser.EntityDeclHandler = refuse
    try:
        yield parser
    except expat.ExpatError as error:
        where = f"{name} line {error.lineno}"
        raise HfkitError(f"The file is not XML: {expat.ErrorString(error.code)}", where=where) from error
    except (LookupError, ValueError) as error:  # of the encoding that its first line names
        raise HfkitError(f"The file cannot be read: {error}", where=name, fix="write it in UTF-8") from error
