"""From what `--dataset` says to the tables behind it: a card, a Hub data set, files, or an embedded data set."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError, nearest
from hfkit.base.network import endpoint, hub_access, hub_unreachable
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard, known_cards
from hfkit.data.readers import SUFFIXES, read_table
from hfkit.data.readers.streams import FileRows, HubRows, RowStream
from hfkit.data.sources.folder_tables import SHARD, data_files, metadata_of, stray_tables, tables_below, tables_in
from hfkit.data.sources.image_folders import SPLITS, idx_files, idx_tables, image_tables, is_image_folder, pixel_table
from hfkit.data.sources.packaged.labelled_strings import labelled_strings
from hfkit.data.tables.roles import split_by_column
from hfkit.data.tables.table import Table, arrow_table, joined

VALIDATION_NAMES = tuple(name for name, role in SPLITS.items() if role == "validation")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass
class Source:
    """Where the rows are."""

    name: str  # what the user asked for
    kind: str  # hub, file or embedded
    location: str  # Hub id, path, or package and file
    tables: dict[str, Table]  # split name to its rows, as the source names its splits
    revision: str | None = None  # of a Hub data set; None when the newest was taken
    card: DataCard | None = None  # the card that says how to read it, if there is one
    single: bool = False  # whether it is one file, whose rows are not yet any split's
    notes: list[str] = field(default_factory=list)  # what was left out, counted
    # With --streaming the rows of each split, read as they are asked for; then the tables are empty
    streams: dict[str, RowStream] = field(default_factory=dict)

    @classmethod
    def of_tables(cls, name: str, path: Path, tables: dict[str, Table], notes: Sequence[str] = ()) -> "Source":
        """Of files that a task reads itself; what their tables left out is told before the `notes`."""
        told = [*(note for table in tables.values() for note in table.notes), *notes]
        return cls(name, "file", str(path), tables, single=len(tables) == 1, notes=told)


def on_disk(name: str) -> Path | None:
    """The file or folder that a data set's name stands for; None where it is no such path."""
    path = Path(name).expanduser()
    apart = name.startswith("demo:") or "://" in name or "\0" in name or len(name) > 4000
    return path if not apart and path.exists() else None


def open_source(arguments: DataArguments, images: bool = False) -> Source:
    """Reads the tables that `arguments.dataset` means; one that says of each row which split it is of, as splits.

    A bare name is a card before it is a folder, so that a folder called imdb never stands in for the data set; write
    ./imdb for the folder. A Hub id that a card describes is read by that card. Where `images` are wanted, tables beside
    folders of them are read if they name some. Raises HfkitError: nothing of that name, a missing file or Hub."""
    return split_by_column(_open(arguments, images), arguments)


def _open(arguments: DataArguments, images: bool) -> Source:
    name = arguments.dataset.strip()
    if not name:
        raise HfkitError("--dataset is empty", fix="a card's name, a Hub id (owner/name), a file or a folder")
    cards = known_cards()
    if name.startswith("demo:"):
        return _embedded(name, arguments)
    if name in cards:
        return _by_card(DataCard.read(cards[name]), arguments, images)
    try:
        path = Path(name).expanduser()
        there = path.exists()
    except (OSError, RuntimeError) as error:  # a name of thousands of characters, ~nobody
        raise HfkitError(f"--dataset {name}: {getattr(error, 'strerror', None) or error}") from error
    if "://" in name:
        fix = "mount the bucket as a folder, or copy the files, and give the path"
        raise HfkitError(f"--dataset {name}: addresses are not read", fix=fix)
    if there or path.suffix.lower() in SUFFIXES or name.startswith((".", "/", "~")):
        return _files(name, path, arguments, images)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        described = (DataCard.read(card) for card in cards.values())
        asked = arguments.dataset_config_name
        card = next((card for card in described if card.source == name and asked in (None, card.config)), None)
        return _by_card(card, arguments, images) if card else _hub(name, arguments)
    embedded = [f"demo:{card}" for card, file in cards.items() if DataCard.read(file).embedded]
    fix = f"{nearest(name, [*cards, *embedded])}; or a path, or a Hub id (owner/name)"
    raise HfkitError(f"--dataset {name}: there is no such card, file, folder or Hub id", fix=fix)


def _by_card(card: DataCard, arguments: DataArguments, images: bool) -> Source:
    if card.source == f"demo:{card.name}":
        return _embedded(card.source, arguments)
    if card.source.startswith(("./", "../")):
        source = _files(card.name, (card.path.parent / card.source).resolve(), arguments, images)
    else:
        if Path(card.source).exists():  # datasets would read it instead, whatever it holds
            what = f"The folder {card.source} stands here in the place of the Hub's data set of that name"
            fix = f"say --dataset ./{card.source} if you mean the folder; else work in another folder"
            raise HfkitError(what, fix=fix)
        config = arguments.dataset_config_name or card.config
        revision = arguments.dataset_revision or card.revision
        source = _hub(card.source, replace(arguments, dataset_config_name=config, dataset_revision=revision))
    return replace(source, name=arguments.dataset, card=card)


def _embedded(name: str, arguments: DataArguments) -> Source:
    from hfkit.data.sources.embedded import dataset_card, embedded_file

    arguments.check_no_csv(name)
    card = dataset_card(name.removeprefix("demo:"))
    embedded = card.embedded
    assert embedded is not None
    path = embedded_file(card)
    if embedded.pixels:
        table = pixel_table(path, *embedded.pixels)
    elif path.suffix == ".tif":
        from hfkit.data.sources.packaged.slices import slices

        table = slices(path)
    elif path.suffixes == [".scenes", ".json"]:
        from hfkit.data.sources.packaged.scenes import scenes

        table = scenes(path)
    else:
        table = labelled_strings(path) if path.suffix == ".xml" else replace(read_table(path), origin=path.name)
    for column, asked in embedded.rows.items():
        table = table.select([row for row, held in enumerate(table.column(column)) if held == asked])
        del table.columns[column]
    own_size = embedded.test_size or card.test_size
    card = replace(card, columns=embedded.columns or card.columns, splits={}, test_size=own_size)
    location = f"{embedded.package or embedded.material or 'made'}: {embedded.file}"
    return Source(name, "embedded", location, {"train": table}, embedded.sha256[:12], card, True, table.notes)


def _files(name: str, path: Path, arguments: DataArguments, images: bool) -> Source:
    if not path.exists():
        folder = path.parent if path.parent.is_dir() else Path()
        there = [file.name for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES]
        fix = f"in {folder}: {nearest(path.name, there)}" if there else "check the path"
        raise HfkitError(f"There is no file {str(path)!r}", fix=fix)
    beside = tables_in(path, arguments) if path.is_dir() else []
    stray = stray_tables(path, beside, arguments) if images and beside else []
    if path.is_dir() and (stray or (not beside and (images or is_image_folder(path)))):
        arguments.check_no_csv(str(path))
        tables = idx_tables(path) if idx_files(path) else image_tables(path, arguments.skip_corrupt)
        return Source.of_tables(name, path, tables, stray)
    by_split, other = _files_by_split(path, arguments) if path.is_dir() else ({"train": [path]}, [])

    def read(split: str, files: Sequence[Path], arguments: DataArguments) -> Table:
        return joined(str(path), [read_table(file, arguments) for file in files])

    return of_files(name, path, by_split, other, arguments, read)


def of_files(
    name: str,
    path: Path,
    by_split: Mapping[str, list[Path]],
    other: Sequence[Path],
    arguments: DataArguments,
    read: Callable[[str, Sequence[Path], DataArguments], Table],
) -> Source:
    """The files of each split, streamed or else `read`; the `other` files of the folder are told."""
    notes = [f"files not read: {', '.join(file.name for file in other)}"] if other else []
    if arguments.streaming:
        start = arguments.document_start
        streams = {split: FileRows(str(path), files, arguments, start) for split, files in by_split.items()}
        return streamed(name, "file", str(path), streams, notes)
    tables = {split: read(split, files, arguments) for split, files in by_split.items()}
    return Source.of_tables(name, path, tables, notes)


def streamed(
    name: str, kind: str, location: str, streams: Mapping[str, RowStream], notes: list[str], revision: str | None = None
) -> Source:
    """A source whose splits are read as they are asked for."""
    tables = {split: Table(stream.origin, {}) for split, stream in streams.items()}
    return Source(name, kind, location, tables, revision, single=len(streams) == 1, notes=notes, streams=dict(streams))


def _files_by_split(path: Path, arguments: DataArguments) -> tuple[dict[str, list[Path]], list[Path]]:
    """The folder's files by the split in their name (train.csv, test-00000-of-00002.parquet), and the other files."""
    folder = path / (arguments.dataset_config_name or "")
    files = data_files(folder)
    if not files and folder.is_dir():  # a downloaded Hub data set keeps its files in one folder below
        below = tables_below(folder)
        if len(below) > 1:
            own = {SPLITS[sub.name.lower()]: metadata_of(found) for sub, found in below.items()}
            return own, [file for found in below.values() for file in found if file not in metadata_of(found)]
        files = next(iter(below.values()), [])
    if not files:
        raise HfkitError(f"The folder holds no file ending in {', '.join(SUFFIXES)}", where=str(folder))
    if len(files) == 1:
        return {"train": files}, []
    asked = (arguments.train_split, arguments.validation_split, arguments.test_split)
    known = {"train", "test", *VALIDATION_NAMES, *filter(None, asked)}
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(SHARD.sub("", file.stem), []).append(file)
    chosen = {split: by_split[split] for split in by_split if split in known}
    if not chosen and len(told := metadata_of(files)) < len(files):
        chosen = {"train": told}
    other = [file for file in files if not any(file in found for found in chosen.values())]
    if not chosen:
        what = f"No file of the folder is named after a split: {', '.join(file.name for file in files[:10])}"
        fix = "name them train.csv, validation.csv, test.csv; or give one file; or say --train_split NAME"
        raise HfkitError(what, where=str(folder), fix=fix)
    for split, found in chosen.items():
        if len(found) > 1 and any(not SHARD.search(file.stem) for file in found):
            both = " and ".join(file.name for file in found)
            raise HfkitError(f"Two files claim to be the split {split!r}: {both}", where=str(folder))
    return chosen, sorted(other)


def _hub(name: str, arguments: DataArguments) -> Source:
    import datasets
    from huggingface_hub import HfApi

    arguments.check_no_csv(f"data set {name}")
    config, revision = arguments.dataset_config_name, arguments.dataset_revision
    with hub_access(f"data set {name}"):
        if arguments.streaming and not _COMMIT.fullmatch(revision or ""):
            # Each process, and each session of the run, has to read the same commit.
            revision = HfApi(endpoint=endpoint()).dataset_info(name, revision=revision).sha
        try:
            loaded = datasets.load_dataset(name, config, revision=revision, streaming=arguments.streaming)
        except ValueError as error:
            # datasets' own words list the configurations there are.
            if "onfig" not in str(error):
                raise
            what = f"The data set {name} wants another configuration: {str(error).splitlines()[0]}"
            raise HfkitError(what, fix="say --dataset_config_name NAME") from error
    if arguments.streaming:
        streams = {split: HubRows(f"{name} {split}", rows) for split, rows in loaded.items()}
        return streamed(name, "hub", name, streams, [], revision)
    tables = {}
    for split, rows in loaded.items():
        described = rows.with_format("arrow")[:].replace_schema_metadata(rows.features.arrow_schema.metadata)
        tables[split] = arrow_table(f"{name} {split}", described)
    return Source(name, "hub", name, tables, _commit(name, loaded, revision))


def _commit(name: str, loaded: Any, revision: str | None) -> str | None:
    """The commit that was loaded, which the cache's path names. Without a connection `datasets` serves whatever
    revision its cache holds; another one than the pinned is refused."""
    files = [file["filename"] for rows in loaded.values() for file in rows.cache_files]
    commits = {part for file in files for part in Path(file).parts if _COMMIT.fullmatch(part)}
    if revision and _COMMIT.fullmatch(revision) and commits and revision not in commits:
        raise hub_unreachable(f"data set {name} at the revision {revision}", f"only {', '.join(sorted(commits))}")
    return min(commits, default=revision)
