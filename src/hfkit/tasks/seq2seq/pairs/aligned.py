"""Pairs of texts in plain files: two files whose lines belong together, or one whose lines hold both sides.

corpus/train.en corpus/train.zh corpus/test.en corpus/test.zh      --dataset corpus
opus/Tatoeba.en-zh.en opus/Tatoeba.en-zh.zh                        --dataset opus/Tatoeba.en-zh
cmn.txt: "Hi.<tab>你好。", as Tatoeba's files have it                 --dataset cmn.txt
"""

from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.readers import SUFFIXES, read_lines
from hfkit.data.sources.image_folders import SPLITS
from hfkit.data.tables.table import Table, counted
from hfkit.tasks.seq2seq.pairs.languages import CODE, direction

SIDES = ("source", "target", "src", "tgt", "trg")
"""What files are called after beside languages: train.source, train.target."""

_OTHER = {".txt", ".md", ".py", ".tmx", ".xml", ".gz", ".zip", ".log", ".pdf", ".sh", ".yml", ".bz2", ".xz"}


def aligned_files(path: Path) -> dict[str, dict[str, Path]]:
    """Split or stem -> language -> file, of files whose names differ in the language alone: in a folder, beside one
    that is given, or of the name that they have in common."""
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.is_file()]
        if any(file.suffix.lower() in SUFFIXES for file in files):
            return {}
    else:
        stem = path.stem if path.is_file() else path.name
        if path.is_file() and not _language(path):
            return {}
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        files = [file for file in sorted(beside) if file.is_file() and file.stem == stem]
    found: dict[str, dict[str, Path]] = {}
    for file in files:
        if language := _language(file):
            found.setdefault(file.stem, {})[language] = file
    return {stem: sides for stem, sides in found.items() if len(sides) > 1}


def _language(file: Path) -> str | None:
    """The language that a file is named after."""
    ending = file.suffix.lstrip(".")
    plain = file.suffix.lower() not in {*_OTHER, *SUFFIXES}
    return ending if plain and (ending.lower() in SIDES or CODE.fullmatch(ending)) else None


def aligned_tables(path: Path, arguments: DataArguments) -> tuple[dict[str, Table], list[str]]:
    """The tables of a source of aligned files by split, with a column for each of the two languages, and notes on what
    is not read; no table where there are no such files. Raises HfkitError: two files differ in their number of lines,
    or several pairs of files are named after no split."""
    found = aligned_files(path)
    splits = {stem: sides for stem, sides in found.items() if stem.casefold() in SPLITS}
    if not splits and len(found) > 1:
        what = f"Several pairs of files are there, and none is named after a split: {', '.join(list(found)[:10])}"
        fix = f"give one, such as --dataset {path / next(iter(found))}; or name them train.en, train.zh, test.en, ..."
        raise HfkitError(what, where=str(path), fix=fix)
    chosen = splits or dict.fromkeys(["train"] if found else [], next(iter(found.values()), {}))
    used = [file for sides in chosen.values() for file in sides.values()]
    there = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() and found else []
    other = [file.name for file in there if file not in used]
    notes = [f"files not read: {', '.join(other)}"] if other else []
    return {split: _table(split, sides, arguments, notes) for split, sides in chosen.items()}, notes


def _table(split: str, sides: dict[str, Path], arguments: DataArguments, notes: list[str]) -> Table:
    where = ", ".join(file.name for file in sides.values())
    named = [one for one in SIDES if one in sides]
    if len(named) == 2 and len(sides) == 2:
        pair = named
    else:
        asked = (getattr(arguments, "source_lang", None), getattr(arguments, "target_lang", None))
        pair = list(direction(list(sides), *asked, where=where))
    columns = {name: _lines(sides[name], arguments.encoding) for name in pair}
    lengths = [len(lines) for lines in columns.values()]
    if lengths[0] != lengths[1]:
        told = " and ".join(f"{sides[name].name} has {counted(len(columns[name]), 'line')}" for name in pair)
        first = next((row for row in range(min(lengths)) if not all(lines[row] for lines in columns.values())), None)
        empty = f"; an empty line stands at {first + 1}" if first is not None else ""
        fix = "line n of one has to be the translation of line n of the other: find where they part"
        raise HfkitError(f"The two files are not aligned: {told}{empty}", where=str(sides[pair[0]].parent), fix=fix)
    notes += [f"{split}: {name} not read, of the languages {', '.join(sides)}" for name in sides if name not in pair]
    return Table(sides[pair[0]].name, dict(columns), list(range(1, lengths[0] + 1)))


def _lines(file: Path, encoding: str) -> list[str]:
    return [line.rstrip("\r\n") for line in read_lines(file, encoding)]


def tabbed_table(path: Path, arguments: DataArguments) -> Table | None:
    """A text file with a tab in its first line, empty ones aside, as columns `source` and `target`; None for another.
    Raises HfkitError: a later line holds no tab."""
    columns: list[list[str]] = [[], []]
    lines: list[int] = []
    most = 2
    for number, line in enumerate(read_lines(path, arguments.encoding), start=1):
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) < 2:
            if not line.strip():
                continue
            if not lines:
                return None
            what = "The line holds no tab, and so no second side"
            raise HfkitError(what, where=f"{path.name} line {number}", fix="a pair a line: source, tab, target")
        most = max(most, len(cells))
        columns[0].append(cells[0])
        columns[1].append(cells[1])
        lines.append(number)
    beside = f"{path.name}: what stands behind a second tab is not read"
    notes = [beside] if most > 2 else []
    return Table(path.name, {"source": columns[0], "target": columns[1]}, lines, notes=notes) if lines else None
