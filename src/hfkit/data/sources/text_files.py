"""Plain text files as tables of documents, and how the text of a few files is cut into splits."""

from collections.abc import Sequence
from glob import glob
from io import StringIO
from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.readers import SUFFIXES, read_lines
from hfkit.data.readers.streams import END, documents
from hfkit.data.sources.source import VALIDATION_NAMES, Source, of_files
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import Table

TEXT_SUFFIXES = (".txt", ".text", ".md", ".raw", ".tokens")
FEW = 30  # documents below which intervals over documents say little, and a split by documents would be lopsided
SECTIONS, SHORTEST = 50, 2000
"""How many sections long held-out texts are cut into for the intervals, and the least characters of one."""


def text_source(arguments: DataArguments) -> Source | None:
    """The documents of a text file, of a folder of them or of a pattern such as `books/*.txt`; None for other data. In
    a folder, train.txt, validation.txt (or valid, val, dev) and test.txt are the splits of those names. A file holds
    one document, or several where a line `<|endoftext|>` stands between two, or where `--document_start` begins one.
    Raises HfkitError: a pattern that no file matches, an empty file, or bytes that are not text."""
    name = arguments.dataset.strip()
    path = Path(name).expanduser()
    try:
        pattern = any(sign in name for sign in "*?[") and not path.exists()
        if pattern:
            files = [Path(file) for file in sorted(glob(str(path), recursive=True)) if Path(file).is_file()]  # noqa: PTH207
        elif path.is_dir():
            inside = [file for file in sorted(path.iterdir()) if file.is_file()]
            tables = any(file.suffix.lower() in SUFFIXES for file in inside)
            files = [] if tables else [file for file in inside if file.suffix.lower() in TEXT_SUFFIXES]
        else:
            files = [path] if path.is_file() and path.suffix.lower() not in SUFFIXES else []
    except OSError as error:
        raise HfkitError(f"--dataset {name}: {error.strerror or error}") from error
    if not files:
        if pattern:
            raise HfkitError(f"No file matches {name!r}", fix="check the path; quote the pattern for the shell")
        return None
    arguments.check_no_csv(name)
    by_split = {"train": files}
    if any(file.stem.lower() == "train" for file in files):
        known = ("train", "test", *VALIDATION_NAMES)
        by_split = {stem: [file for file in files if file.stem.lower() == stem] for stem in known}
        by_split = {stem: found for stem, found in by_split.items() if found}
    other = [file for file in files if not any(file in chosen for chosen in by_split.values())]
    if arguments.streaming and (empty := [file for file in files if not file.stat().st_size]):
        raise HfkitError("The file holds no text", where=str(empty[0]), fix="take it out of the data, or fill it")
    return of_files(name, path, by_split, other, arguments, _documents)


def _documents(split: str, files: Sequence[Path], arguments: DataArguments) -> Table:
    texts: list[str] = []
    places: list[str] = []
    for file in files:
        text = "".join(read_lines(file, arguments.encoding)).replace("\r\n", "\n")
        parts = begun_by(text, None, str(file), END)
        if start := arguments.document_start:
            parts = [document for part in parts for document in begun_by(part, start, str(file))]
        if not parts:
            raise HfkitError("The file holds no text", where=str(file), fix="take it out of the data, or fill it")
        texts += parts
        places += [file.name if len(parts) == 1 else f"{file.name}#{number}" for number in range(1, len(parts) + 1)]
    return Table(split, {"id": places, "text": texts}, lines=places, unit="document")


def begun_by(text: str, begin: str | None, where: str, end: str | None = None) -> list[str]:
    """The documents of `text`, as `hfkit.data.readers.streams.documents` tells them."""
    lines = text.splitlines(keepends=True) if begin else StringIO(text)
    return [document for _, document, _ in documents(enumerate(lines), where, begin, end)]


def cut_by_place(rows: Rows, shares: dict[str, float]) -> dict[str, Rows]:
    """Each document's first part to train, what follows to validation and test: a few texts, split as they are read.
    `rows.label` says of each document whether it comes to its end; `shares` of the characters are cut off. Raises
    HfkitError: a text is too short for that."""
    order = [role for role in ("validation", "test") if role in shares]
    kept = 1 - sum(shares.values())
    ends = [kept + sum(shares[role] for role in order[:place]) for place in range(len(order))]

    def cut(text: str) -> list[str]:
        pieces = cut_at(text, [int(end * len(text)) for end in ends])
        if len(pieces) <= len(order):
            what = f"A text of {len(text):,} characters cannot give up {' and '.join(order)}"
            fix = "give more text, or files train.txt, validation.txt and test.txt"
            raise HfkitError(what, where=rows.table.origin, fix=fix)
        return pieces

    pieces = [cut(text) for text in rows.inputs["text"]]
    parts = ([[(place, found[place])] for found in pieces] for place in range(len(order) + 1))
    return {role: _parts(rows, part, len(order) + 1) for role, part in zip(["train", *order], parts, strict=True)}


def sections(rows: Rows) -> Rows:
    """The same text in some fifty pieces, cut at line ends, for intervals over pieces instead of a few documents."""
    size = max(SHORTEST, sum(map(len, rows.inputs["text"])) // SECTIONS)
    cuts = [cut_at(text, list(range(size, len(text) - size // 2, size))) for text in rows.inputs["text"]]
    return _parts(rows, [list(enumerate(found)) for found in cuts])


def cut_at(text: str, places: list[int]) -> list[str]:
    """The text in pieces, each ending at the last line end before a place, else at a space, else right there."""
    found: list[str] = []
    begin = 0
    for place in places:
        at = max(text.rfind("\n", begin, place), text.rfind(" ", begin, place) if "\n" not in text[begin:place] else -1)
        end = at + 1 if at >= begin else place
        if text[begin:end].strip():
            found.append(text[begin:end])
            begin = end
    return [*found, text[begin:]] if text[begin:].strip() else found


def _parts(rows: Rows, pieces: list[list[tuple[int, str]]], count: int | None = None) -> Rows:
    """A row for each piece of each row, given as its place and text; of `count` pieces, else of as many as there are.
    The label, whether the document ends here, stays with the last piece."""
    flat = [(row, place, text, count or len(found)) for row, found in enumerate(pieces) for place, text in found]
    return Rows(
        table=rows.table,
        index=[rows.index[row] for row, *_ in flat],
        id=[rows.id[row] if of == 1 else f"{rows.id[row]}/{place}" for row, place, _, of in flat],
        inputs={"text": [text for _, _, text, _ in flat]},
        label=[rows.label[row] and place == of - 1 for row, place, _, of in flat],
    )
