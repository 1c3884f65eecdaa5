"""TMX, the exchange format of translation memories: a unit holds the same text in several languages."""

from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import xml_parser
from hfkit.data.readers import open_bytes
from hfkit.data.tables.table import Table, counted
from hfkit.tasks.seq2seq.pairs.languages import direction

_CODES = {"bpt", "ept", "it", "ph", "ut"}  # elements within a text that hold codes of its layout, which are no words


def read_tmx(path: Path, source: str | None, target: str | None) -> Table:
    """The units of a TMX file that have both languages, in columns that are named after them.

    It is read piece by piece, as `xml_parser` does; codes of layout within a text are left out. Where there are more
    than two languages, `source` and `target` are asked for, as `direction` reads them. Raises HfkitError: it is no XML,
    declares entities, holds no unit, or has not the languages asked for."""
    units = _Units(path)
    languages = list(dict.fromkeys(language for unit in units.found for language in unit))
    if not languages:
        raise HfkitError("The file holds no unit with a text in a language", where=str(path), fix="<tu><tuv xml:lang=")
    pair = direction(languages, source, target, str(path))
    kept = [row for row, unit in enumerate(units.found) if all(language in unit for language in pair)]
    if not kept:
        raise HfkitError(f"No unit has both {' and '.join(pair)}", where=str(path))
    without = len(units.found) - len(kept)
    notes = [f"{path.name}: {counted(without, 'unit')} without {' or '.join(pair)} not read"] if without else []
    more = [language for language in languages if language not in pair]
    notes += [f"{path.name}: languages not read: {', '.join(more)}"] if more else []
    columns = {language: [units.found[row][language] for row in kept] for language in pair}
    return Table(path.name, dict(columns), [units.lines[row] for row in kept], notes=notes)


class _Units:
    """What the parser is told: the units so far, and where it stands."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.found: list[dict[str, str]] = []
        self.lines: list[int] = []
        self._language: str | None = None
        self._text: list[str] | None = None
        self._codes = 0
        with xml_parser(path.name) as self.parser, open_bytes(path) as stream:
            self.parser.StartElementHandler, self.parser.EndElementHandler = self._begin, self._end
            self.parser.CharacterDataHandler = self._data
            self.parser.ParseFile(stream)

    def _begin(self, element: str, attributes: dict[str, str]) -> None:
        if element == "tu":
            self.found.append({})
            self.lines.append(self.parser.CurrentLineNumber)
        elif element == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang")
        elif element == "seg" and self._language:
            self._text = []
        elif element in _CODES:
            self._codes += 1

    def _end(self, element: str) -> None:
        if element == "seg" and self._text is not None and self._language and self.found:
            self.found[-1].setdefault(self._language, " ".join("".join(self._text).split()))
            self._text = None
        elif element == "tuv":
            self._language = None
        elif element in _CODES:
            self._codes -= 1

    def _data(self, data: str) -> None:
        if self._text is not None and not self._codes:
            self._text.append(data)
