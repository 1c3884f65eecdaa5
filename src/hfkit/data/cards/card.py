"""DataCard: a data set's registry entry, one Markdown file of data_cards/: the front matter of a Hugging Face dataset
card with an `hfkit:` block, which says where the rows come from and how they are split, and prose for people."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError, check_known, nearest
from hfkit.base.untrusted import read_text, read_yaml

LARGEST = 1_000_000  # bytes of a card, which people read
REQUIRED = ("license", "language", "task_categories", "size_categories", "hfkit")
ROLES = ("train", "validation", "test")
COLUMNS = ("text", "text_pair", "image", "label", "id")


@dataclass(frozen=True)
class Embedded:
    """The form of a data set that a package of the `demo` extra ships, that is fetched as a material, or made here."""

    file: str  # the file in that folder
    sha256: str  # the file's checksum; another file is refused
    package: str = ""  # the package's name in the registry
    module: str = ""  # the folder it installs
    material: str = ""  # in place of both, the name of a material (`hfkit.data.sources.materials`)
    made: str = ""  # in place of all three, what makes the file out of nothing (`hfkit.data.sources.embedded`)
    rows: dict[str, str] = field(default_factory=dict)  # column values that pick this data set's rows out of the file
    columns: dict[str, str] = field(default_factory=dict)  # as in the card; the card's own when empty
    test_size: float | None = None  # share held out for the final figures, since the package has no test split
    # Width, height and highest grey value, for a gzipped CSV of pictures as numbers, the label last
    pixels: list[int] | None = None


@dataclass(frozen=True)
class DataCard:
    """What a card says."""

    name: str  # the file's name without .md; what `--dataset` takes
    path: Path  # the card's file
    license: str  # this and the next four: the front matter of any dataset card
    language: str
    pretty_name: str
    size: str
    task: str
    # A Hub id, a path (from ./ or ../, seen from the card), or demo:NAME where the embedded form is all there is
    source: str
    prose: str  # everything below the front matter
    config: str | None = None  # the configuration of a Hub data set
    revision: str | None = None  # the pinned commit of a Hub data set
    # Which split of the source is train, validation, test; one that is not named is carved from train
    splits: dict[str, str] = field(default_factory=dict)
    # Which column is text, text_pair, image, label, id; label may list columns of 0 and 1, one a label
    columns: dict[str, Any] = field(default_factory=dict)
    label_separator: str | None = None  # what stands between several labels in one cell
    # What to write in place of a string wherever a text holds it, such as markup; counted at each load
    replace: dict[str, str] = field(default_factory=dict)
    labels: list[str] | None = None  # the names of the integer labels 0, 1, ...
    blocks: int | None = None  # neighbouring rows that go to one split together, for sources that are sorted by subject
    group: str | None = None  # column whose equal values go to one split together
    document_start: str | None = None  # regular expression of the row that begins a document, where the rows are lines
    validation_size: float | None = None  # share held out, where the user names no other
    test_size: float | None = None
    embedded: Embedded | None = None  # the form that `demo:NAME` reads

    @classmethod
    def find(cls, name: str) -> "DataCard":
        """The card called `name`; a name that no card has answers with the nearest ones."""
        cards = known_cards()
        check_known(name, cards, f"There is no data card {name!r}")
        return cls.read(cards[name])

    @classmethod
    def read(cls, path: str | Path) -> "DataCard":
        """Reads and checks one card; every error names the file and the key."""
        path = Path(path)
        front, prose = _front_matter(path)
        missing = [key for key in REQUIRED if not front.get(key)]
        if missing:
            raise HfkitError(f"A data card needs the key {missing[0]}", where=str(path), fix=_EXAMPLE)
        block = _mapping(front["hfkit"], "hfkit", path)
        _check_block(block, path)
        embedded = block.pop("embedded", None)
        return cls(
            name=path.stem,
            path=path,
            license=_joined(front["license"]),
            language=_joined(front["language"]),
            pretty_name=str(front.get("pretty_name", path.stem)),
            size=_joined(front["size_categories"]),
            task=_joined(front["task_categories"]),
            prose=prose,
            embedded=Embedded(**embedded) if embedded else None,
            **block,
        )


def known_cards() -> dict[str, Path]:
    """Name and file of every card: the working folder's first, then those that hfkit ships."""
    shipped = Path(__file__).parents[2] / "_data_cards"
    checkout = Path(__file__).parents[4] / "data_cards"
    cards: dict[str, Path] = {}
    for folder in (Path("data_cards"), shipped if shipped.is_dir() else checkout):
        for path in sorted(folder.glob("*.md")):
            if path.stem.lower() != "readme":
                cards.setdefault(path.stem, path)
    return cards


_EXAMPLE = (
    "begin the card with --- lines around license, language, size_categories, task_categories and an hfkit: block"
    " (source, splits, columns, labels); data_cards/imdb.md is an example"
)
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("source", "config", "revision", "label_separator", "group", "document_start"), (str,)),
    **dict.fromkeys(("splits", "columns", "replace", "embedded"), (dict,)),
    **dict.fromkeys(("validation_size", "test_size"), (int, float)),
    "labels": (list,),
    "blocks": (int,),
}


def _front_matter(path: Path) -> tuple[dict[str, Any], str]:
    text = read_text(path, LARGEST)
    parts = text.split("\n---", 2) if text.startswith("---\n") else []
    if len(parts) < 2:
        raise HfkitError("The data card has no front matter", where=str(path), fix=_EXAMPLE)
    front = read_yaml(parts[0][4:], path, first=2)
    return _mapping(front, "front matter", path), text[len(parts[0]) + 4 :].lstrip("-\n")


def _mapping(value: Any, key: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise HfkitError(f"{key} must be a mapping of keys to values", where=str(path), fix=_EXAMPLE)
    return dict(value)


def _check_block(block: dict[str, Any], path: Path) -> None:
    """The hfkit block: known keys of the right kind, splits and columns with known names."""

    def refuse(what: str, key: str, fix: str | None = None) -> None:
        raise HfkitError(what, where=f"{path}, key hfkit.{key}", fix=fix)

    if "source" not in block:
        refuse("The data card does not say where its rows come from", "source", "give a Hub id, or a path from ./")
    for key, value in block.items():
        if key not in _KINDS:
            refuse(f"There is no key {key!r}", key, nearest(str(key), _KINDS))
        if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
            refuse(f"{value!r} is not a {_KINDS[key][-1].__name__}", key)
    if not re.fullmatch(r"\.\.?/.+|demo:[\w.-]+|[\w.-]+/[\w.-]+", block["source"]):
        # To datasets, a folder of the system and the bare name of a file format are sources too.
        refuse(f"{block['source']!r} is no source", "source", "give a Hub id (owner/name), or a path from ./ or ../")
    for key, known in (("splits", ROLES), ("columns", COLUMNS)):
        for name, value in block.get(key, {}).items():
            if name not in known:
                refuse(f"There is no {name!r} among the {key}", key, nearest(str(name), known))
            several = name == "label" and isinstance(value, list) and all(isinstance(one, str) for one in value)
            if not isinstance(value, str) and not several:
                refuse(f"{name} must name one of the source's {key}, not {value!r}", key)
    for old, new in block.get("replace", {}).items():
        if not (isinstance(old, str) and old and isinstance(new, str)):
            refuse(f"{old!r}: {new!r} must be two strings, in quotes", "replace")
    for key in ("validation_size", "test_size"):
        if key in block and not 0 < block[key] < 1:
            refuse(f"{block[key]} is not a share between 0 and 1", key)
    try:
        re.compile(block.get("document_start", ""))
    except re.error as error:
        refuse(f"It is no regular expression: {error}", "document_start")
    if block.get("blocks", 1) < 1:
        refuse(f"{block['blocks']} is not a number of rows", "blocks")
    if "labels" in block:
        odd = [name for name in block["labels"] if not isinstance(name, str | int | float)]
        if odd or not block["labels"]:
            refuse(f"{odd[0]!r} is no label's name" if odd else "There are no labels", "labels")
        block["labels"] = [str(name).strip() for name in block["labels"]]
        if len(set(block["labels"])) != len(block["labels"]):
            refuse("A label's name stands twice", "labels")
    _check_embedded(block.get("embedded", {}), refuse)


def _check_embedded(embedded: dict[str, Any], refuse: Callable[..., None]) -> None:
    known = {entry.name for entry in fields(Embedded)}
    whence: list[str] = [key for key in ("material", "made") if key in embedded] or ["package", "module"]
    needed = [*whence, "file", "sha256"]
    for key in embedded:
        if key not in known:
            refuse(f"There is no key {key!r}", "embedded", nearest(str(key), known))
    for key in needed if embedded else []:
        if key not in embedded:
            refuse(f"The embedded form needs the key {key}", "embedded")
    if {"material", "made", "package", "module"} & set(embedded) - set(whence) or whence == ["material", "made"]:
        refuse("The embedded form is a material's or a package's, or made", "embedded")
    kinds: dict[str, Any] = {"rows": dict, "columns": dict, "test_size": float, "pixels": list}
    for key, value in embedded.items():
        # A module of a package is imported to be looked into, a path with .. leads out of it.
        climbs = (key == "file" and ".." in str(value)) or (key == "module" and not str(value).isidentifier())
        other = value == "" or not isinstance(value, kinds.get(key, str))
        if other or climbs or (key == "test_size" and not 0 < value < 1):
            refuse(f"{value!r} cannot be its {key}", f"embedded.{key}")


def _joined(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
