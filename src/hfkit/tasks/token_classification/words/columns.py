"""CoNLL files: a word a line with its tags beside it, and a line without a word between two sentences."""

import re
from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import known_cards
from hfkit.data.readers import SUFFIXES, read_lines
from hfkit.data.sources.source import Source
from hfkit.data.tables.table import Table, counted

DOCUMENT = "document"
"""The column that numbers the documents of a file that marks them."""

START = "-DOCSTART-"

ROLES = (("train", r"train"), ("validation", r"dev|val|testa"), ("test", r"test"))
"""What the name of a file says of its split, whatever its ending; CoNLL-2003 calls its validation split testa."""

_BLANKS = " \t\r\n"
_BOM = "\ufeff"
_MANY = 10  # columns of CoNLL-U


def column_source(arguments: DataArguments) -> Source | None:
    """A CoNLL file, or a folder of them with a split each; None for other data.

    Raises:
        HfkitError: Two files of a folder are one split, or what `read_columns` refuses.
    """
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
    tables = {file for file in files if file.suffix.lower() in SUFFIXES and not _is_columns(file, arguments.encoding)}
    roles = {file: role for file in files if file not in tables and (role := _role(file.name))}
    if tables or not roles:
        return None
    arguments.check_no_csv(name)
    found: dict[str, Table] = {}
    for file, role in roles.items():
        if role in found:
            twice = " and ".join(one.name for one, other in roles.items() if other == role)
            raise HfkitError(f"Two files are the split {role!r} by their names: {twice}", where=str(path))
        found[role] = read_columns(file, arguments.encoding)
    notes = [f"{role}: {file.name}" for file, role in roles.items()]
    if other := [file.name for file in files if file not in roles]:
        notes.append(f"files not read: {', '.join(other)}")
    notes += [note for table in found.values() for note in table.notes]
    return Source(name, "file", str(path), found, single=len(found) == 1, notes=notes)


def _role(name: str) -> str | None:
    return next((role for role, pattern in ROLES if re.search(pattern, name.lower())), None)


def _is_columns(path: Path, encoding: str) -> bool:
    """Whether a file holds columns: by its ending, and of a .tsv by a line without a word."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return True
    if suffix != ".tsv":
        return False
    lines = [line.strip(_BLANKS) for _, line in zip(range(500), read_lines(path, encoding), strict=False)]
    return "" in lines[:-1] or any(line.startswith(START) for line in lines)


def read_columns(path: Path, encoding: str = "utf-8") -> Table:
    """The sentences of a CoNLL file.

    Returns:
        A row a sentence, `lines` being where it begins; columns `1`, `2`, ..., each a list with an entry a word, and
        `document` where the file marks documents by -DOCSTART-. Notes count what was left out.

    Raises:
        HfkitError: The file has one column, a line has another number of columns than the first one, or no word.
    """
    reader = _Columns(str(path))
    for number, line in enumerate(read_lines(path, encoding), start=1):
        reader.take(line, number)
    return reader.table(path.name)


class _Columns:
    """Lines on their way to sentences."""

    def __init__(self, path: str) -> None:
        self.path, self.width, self.tabbed, self.universal = path, 0, False, False
        self.rows: list[list[list[str]]] = []
        self.lines: list[int] = []
        self.documents: list[str] = []
        self.open = False
        self.document = self.marks = self.joined = 0

    def take(self, line: str, number: int) -> None:
        if _BOM in line:
            self.marks, line = self.marks + line.count(_BOM), line.replace(_BOM, "")
        text = line.strip(_BLANKS)
        if text.startswith(START):
            self.document, self.open = self.document + 1, False
            return
        if not text or (text.startswith("# ") and (self.universal or (not self.width and " = " in text))):
            self.open = self.open and bool(text)
            return
        fields = self._fields(line.rstrip(_BLANKS), number)
        if self.universal and not fields[0].isdecimal():  # 1-2, two words in one; 1.1, a word that is not there
            self.joined += 1
            return
        if not self.open:
            self.rows.append([[] for _ in range(self.width)])
            self.lines.append(number)
            self.documents.append(str(self.document))
            self.open = True
        for column, field in zip(self.rows[-1], fields, strict=True):
            column.append(field)

    def _fields(self, line: str, number: int) -> list[str]:
        """The columns of a line, which has as many as the first one."""
        if not self.width:
            self.tabbed = "\t" in line
        fields = line.split("\t") if self.tabbed else re.split(r"[ \t]+", line.lstrip(_BLANKS))
        fields = [field.strip(_BLANKS) for field in fields]
        place = f"{self.path}, line {number}"
        if not self.width:
            if len(fields) < 2:
                raise HfkitError(
                    f"The line holds one column, {fields[0][:40]!r}: a word, and no tag",
                    where=place,
                    fix="write a word and its tag a line, with a tab or a space between them",
                )
            self.width = len(fields)
            self.universal = self.tabbed and self.width == _MANY
        if len(fields) != self.width:
            apart = "tabs" if self.tabbed else "spaces; words that hold one need tabs between the columns"
            raise HfkitError(
                f"The line has {counted(len(fields), 'column')}, and the first one {self.width}: {line.strip()[:60]!r}",
                where=place,
                fix=f"mend the line; columns are parted by {apart}",
            )
        if not fields[0]:
            raise HfkitError("The line has a tag and no word", where=place, fix="take the line out, or write its word")
        return fields

    def table(self, name: str) -> Table:
        """What was read."""
        if not self.rows:
            raise HfkitError("The file holds no word", where=self.path, fix="take it out of the data, or fill it")
        columns: dict[str, list] = {str(at + 1): [row[at] for row in self.rows] for at in range(self.width)}
        columns |= {DOCUMENT: self.documents} if self.document else {}
        said = {
            f"{name}: {counted(self.marks, 'byte order mark')} inside the text, left out": self.marks,
            f"{name}: {counted(self.joined, 'line')} of words in one or that are not there, left out": self.joined,
        }
        return Table(name, columns, self.lines, notes=[note for note, count in said.items() if count])
