"""Labelled strings: the XML in which parserator keeps texts whose every word has a tag.

<AddressCollection>
  <AddressString><AddressNumber>3600</AddressNumber> <StreetName>5th</StreetName></AddressString>
"""

from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import xml_parser
from hfkit.data.tables.table import Table, counted


def labelled_strings(path: Path) -> Table:
    """A table of the file's strings: `tokens` (its words) and `tags`, with lines. Neighbours in elements of one name
    are one part of the string, as parserator joins them: of <StreetName> the first has the tag B-StreetName, the others
    I-StreetName (IOB2). Raises HfkitError: the file is not such XML: it has text outside of a tag, an empty word, or
    tags within tags."""
    tokens, tags = list[list[str]](), list[list[str]]()
    lines, inside = list[int](), list[str]()

    def begin(name: str, _: dict[str, str]) -> None:
        inside.append(name)
        if len(inside) == 2:
            tokens.append([])
            tags.append([])
            lines.append(parser.CurrentLineNumber)
        elif len(inside) == 3:
            goes_on = bool(tags[-1]) and tags[-1][-1][2:] == name
            tokens[-1].append("")
            tags[-1].append(f"{'I' if goes_on else 'B'}-{name}")
        elif len(inside) > 3:
            refuse(f"<{name}> stands within <{inside[-2]}>")

    def end(name: str) -> None:
        inside.pop()
        if len(inside) == 2 and not tokens[-1][-1].strip():
            refuse(f"<{name}> holds no word")

    def text(data: str) -> None:
        if len(inside) == 3:
            tokens[-1][-1] += data
        elif data.strip():
            refuse(f"{data.strip()!r} stands outside of a tag")

    def refuse(what: str) -> None:
        raise HfkitError(what, where=f"{path.name} line {parser.CurrentLineNumber}")

    with xml_parser(path.name) as parser:
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
        parser.Parse(path.read_bytes(), True)
    changed = sum(word != word.strip() for words in tokens for word in words)
    notes = [f"{counted(changed, 'word')} of {path.name} lost white space at an end"] if changed else []
    columns = {"tokens": [[word.strip() for word in words] for words in tokens], "tags": tags}
    return Table(path.name, columns, lines, notes=notes)
