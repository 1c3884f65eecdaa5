"""CoNLL files: a word a line with its tags beside it, and a line without a word between two sentences."""

import re
from itertools import islice
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import known_cards
from hfkit.data.readers import SUFFIXES, read_lines
from hfkit.data.sources.source import Source
from hfkit.data.tables.table import Table, counted
from hfkit.tasks.token_classification.words.schemes import OUTSIDE, prefix

DOCUMENT = "document"  # the column that numbers the documents of a file that marks them
LINES = "lines of words"  # the column that says of each word in which line it stands

START = "-DOCSTART-"

ROLES = (("train", "train|training"), ("validation", "dev|devel|development|valid|validation|val|testa"),
         ("test", "test|testing|testb"))  # fmt: skip
"""What the name of a file says of its split, whatever its ending; CoNLL-2003 calls its validation split testa."""

PROSE = (".md", ".rst", ".html", ".pdf")  # endings of files that are about data

_BLANKS = " \t\r\n"
_BOM = "\ufeff"
_MANY = 10  # columns of CoNLL-U
_LOOKED_AT = 500  # lines


def column_source(arguments: DataArguments) -> Source | None:
    """A CoNLL file, or a folder of them with a split each; None for other data.

    A file's role stands in its name as a word of its own or beside digits (wnut17train.conll); one file alone needs
    none. Tables beside them are not read, unless these have roles too: then the folder is theirs. Raises HfkitError:
    two files of a folder are one split, several have no role, or what `read_columns` refuses."""
    name = arguments.dataset.strip()
    path = Path(name).expanduser()
    if not name or name in known_cards() or name.startswith("demo:"):
        return None
    if path.is_file():
        if not _is_columns(path, arguments.encoding):
            return None
        arguments.check_no_csv(name)
        table = read_columns(path, arguments.encoding)
        return Source(name, "file", str(path), {"train": table}, single=True, notes=table.notes)
    files = [file for file in sorted(path.glob("*")) if file.is_file() and not file.name.startswith(".")]
    columns = [file for file in files if _is_columns(file, arguments.encoding)]
    tables = [file for file in files if file not in columns and file.suffix.lower() in SUFFIXES]
    chosen = _chosen(path, columns, tables, arguments.encoding)
    if not chosen:
        return None
    arguments.check_no_csv(name)
    found = {role: read_columns(file, arguments.encoding) for role, file in chosen.items()}
    notes = [f"{role}: {file.name}" for role, file in chosen.items()]
    if other := [file.name for file in files if file not in chosen.values()]:
        notes.append(f"files not read: {', '.join(other)}")
    notes += [note for table in found.values() for note in table.notes]
    return Source(name, "file", str(path), found, single=len(found) == 1, notes=notes)


def _chosen(path: Path, columns: list[Path], tables: list[Path], encoding: str) -> dict[str, Path]:
    """The CoNLL files of a folder by their roles; none where it holds other data."""
    roles = {file: role for file in columns if (role := _role(file.name))}
    if tables and ("train" not in roles.values() or any(_role(file.name) for file in tables)):
        return {}
    if not roles and not tables:
        alike = [file for file in columns if _looks(file, encoding)]
        if len(alike) > 1:
            what = f"It cannot be told which file is which split: {', '.join(file.name for file in alike[:10])}"
            raise HfkitError(what, where=str(path), fix="write train, dev or test into their names; or give one file")
        return dict(zip(("train",), alike, strict=False))
    chosen: dict[str, Path] = {}
    for file, role in roles.items():
        if role in chosen:
            what = f"Two files are the split {role!r} by their names: {chosen[role].name} and {file.name}"
            fix = "take one of them out of the folder, or write another split into its name"
            raise HfkitError(what, where=str(path), fix=fix)
        chosen[role] = file
    return chosen


def _role(name: str) -> str | None:
    words = name.lower()
    return next((role for role, own in ROLES if re.search(rf"(?<![a-z])({own})(set)?(?![a-z])", words)), None)


def _is_columns(path: Path, encoding: str) -> bool:
    """Whether a file holds columns: by its ending, and of a .tsv by a line without a word, or tags from its top on."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return suffix not in PROSE
    if suffix != ".tsv":
        return False
    lines = _head(path, encoding)
    if "" in lines[:-1] or any(line.startswith(START) for line in lines):
        return True
    rows = [line.split("\t") for line in lines if line]
    tagged = (all(map(_is_tag, column)) and any(map(prefix, column)) for column in zip(*rows, strict=False))
    return bool(rows) and min(map(len, rows)) > 1 and any(tagged)


def _head(path: Path, encoding: str) -> list[str]:
    return [line.strip(_BLANKS) for line in islice(read_lines(path, encoding), _LOOKED_AT)]


def _looks(path: Path, encoding: str) -> bool:
    """Whether the lines of a file that says nothing by its name have columns, as many each."""
    try:
        lines = _head(path, encoding)
    except HfkitError:
        return False
    full = [line for line in lines if line and not line.startswith((START, "#"))]
    widths = {len(line.split("\t") if "\t" in line else line.split()) for line in full}
    return len(widths) == 1 and min(widths) > 1


def _is_tag(field: str) -> bool:
    return field == OUTSIDE or prefix(field) is not None


def read_columns(path: Path, encoding: str = "utf-8") -> Table:
    """The sentences of a CoNLL file: a row a sentence, `lines` being where it begins; columns `1`, `2`, ..., each lists
    with an entry a word, the words' lines, and `document` where the file marks documents by -DOCSTART-. Notes count
    what was left out. Raises HfkitError: the file has one column, a line has another number of columns than the first
    one, or no word."""
    blocks, document, marks = [(0, list[tuple[int, str]]())], 0, 0  # lines that nothing parts, each with its number
    for number, line in enumerate(read_lines(path, encoding), start=1):
        marks, line = marks + line.count(_BOM), line.replace(_BOM, "").rstrip(_BLANKS)
        if line and not line.lstrip(_BLANKS).startswith(START):
            blocks[-1][1].append((number, line))
        else:
            document += bool(line)
            blocks.append((document, []))
    reader = _Columns(str(path), [block for block in blocks if block[1]])
    return reader.table(path.name, documents=document > 0, marks=marks)


def _is_comment(line: str) -> bool:
    text = line.strip(_BLANKS)
    return text[:2] in ("# ", "#\t") and not _is_tag(text.split()[-1])


class _Columns:
    """The lines of a file, in blocks that are of one document each, as sentences."""

    def __init__(self, path: str, blocks: list[tuple[int, list[tuple[int, str]]]]) -> None:
        self.path, self.width, self.joined, self.tabbed, self.universal = path, 0, 0, False, False
        self.sentences: list[list[tuple[int, list[str]]]] = []  # of each word its line and what stands there
        self.documents: list[str] = []
        # Whether a comment stands before every sentence, as in GermEval and MultiCoNER.
        self.commented = all(_is_comment(lines[0][1]) for _, lines in blocks)
        for document, lines in blocks:
            if words := self._words(lines):
                self.sentences.append(words)
                self.documents.append(str(document))

    def _words(self, lines: list[tuple[int, str]]) -> list[tuple[int, list[str]]]:
        words: list[tuple[int, list[str]]] = []
        for number, line in lines:
            text = line.lstrip(_BLANKS)
            told = text.startswith("# ") and (self.universal or (not self.width and " = " in text))
            if told or (self.commented and not words and _is_comment(text)):
                continue
            fields = self._fields(line, number)
            if self.universal and not fields[0].isdecimal():  # 1-2, two words in one; 1.1, a word that is not there
                self.joined += 1
            else:
                words.append((number, fields))
        return words

    def _fields(self, line: str, number: int) -> list[str]:
        """The columns of a line, which has as many as the first one."""
        if not self.width:
            self.tabbed = "\t" in line
        fields = line.split("\t") if self.tabbed else re.split(r"[ \t]+", line.lstrip(_BLANKS))
        fields = [field.strip(_BLANKS) for field in fields]
        place = f"{self.path}, line {number}"
        if not self.width:
            if len(fields) < 2:
                what = f"The line holds one column, {fields[0][:40]!r}: a word, and no tag"
                fix = "write a word and its tag a line, with a tab or a space between them"
                raise HfkitError(what, where=place, fix=fix)
            self.width = len(fields)
            self.universal = self.tabbed and self.width == _MANY
        if len(fields) != self.width:
            apart = "tabs" if self.tabbed else "spaces; words that hold one need tabs between the columns"
            here = counted(len(fields), "column")
            what = f"The line has {here}, and the first one {self.width}: {line.strip()[:60]!r}"
            raise HfkitError(what, where=place, fix=f"mend the line; columns are parted by {apart}")
        if not fields[0]:
            raise HfkitError("The line has a tag and no word", where=place, fix="take the line out, or write its word")
        return fields

    def table(self, name: str, documents: bool, marks: int) -> Table:
        """What was read, with the `documents` that the file marks, and notes."""
        if not self.sentences:
            raise HfkitError("The file holds no word", where=self.path, fix="take it out of the data, or fill it")
        columns: dict[str, list[Any]] = {
            str(at + 1): [[fields[at] for _, fields in words] for words in self.sentences] for at in range(self.width)
        }
        lines = [[number for number, _ in words] for words in self.sentences]
        columns |= {LINES: lines} | ({DOCUMENT: self.documents} if documents else {})
        said = {
            f"{name}: {counted(marks, 'byte order mark')} inside the text, left out": marks,
            f"{name}: {counted(self.joined, 'line')} of words in one or that are not there, left out": self.joined,
        }
        return Table(name, columns, [at[0] for at in lines], notes=[note for note, count in said.items() if count])
