"""Folder tables: which files of a folder are its tables, beside pictures too."""

import re
from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.readers import SUFFIXES, read_table
from hfkit.data.sources.image_folders import SPLITS, is_image_folder
from hfkit.data.vision.pictures import image_column

SHARD = re.compile(r"-\d+-of-\d+$")  # how the name of a shard ends: test-00000-of-00002.parquet


def tables_in(folder: Path, arguments: DataArguments) -> list[Path]:
    """The folder's tables: at its top, in the configuration's folder, or right below as `tables_below` says."""
    folder /= arguments.dataset_config_name or ""
    return data_files(folder) or [file for found in tables_below(folder).values() for file in found]


def tables_below(folder: Path) -> dict[Path, list[Path]]:
    """The folders right below that hold tables: a single one, or one a split."""
    below = {sub: found for sub in sorted(folder.glob("*/")) if (found := data_files(sub))}
    splits = {SPLITS.get(sub.name.lower()) for sub in below}
    return below if len(below) == 1 or (None not in splits and len(splits) == len(below)) else {}


def stray_tables(folder: Path, tables: list[Path], arguments: DataArguments) -> list[str]:
    """What is said of the tables of a folder of pictures if they stand there for something else, or cannot be read."""
    known = {"metadata", *SPLITS}
    if arguments.image_column or any(SHARD.sub("", file.stem).lower() in known for file in tables):
        return []
    notes = [f"tables that name no picture, not read: {', '.join(file.name for file in tables)}"]
    for file in tables:
        try:
            if image_column(read_table(file, arguments), None) is not None:
                return []
        except HfkitError as error:
            notes.append(f"{file.name} cannot be read: {error.what}")
    return notes if is_image_folder(folder) else []


def metadata_of(files: list[Path]) -> list[Path]:
    """Of the tables of a folder the one that tells of its pictures, as ImageFolder calls it; all where none does."""
    return [file for file in files if file.stem.lower() == "metadata"] or files


def data_files(folder: Path) -> list[Path]:
    """The tables that lie in the folder itself."""
    return sorted(file for file in folder.glob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
