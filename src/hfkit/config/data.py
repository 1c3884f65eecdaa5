"""What the data are: which rows are read, how they are split, and, a group a kind, which columns hold what."""

import re
from dataclasses import dataclass
from typing import Literal

from hfkit.base.errors import HfkitError
from hfkit.config.knobs import Broken, knob


@dataclass(kw_only=True)
class FileArguments:
    """How a file of rows is read."""

    encoding: str = knob("utf-8", "Encoding of CSV, JSON and text files.")
    delimiter: str | None = knob(None, "Separator of CSV files. Default: comma, or tab in a .tsv file.")
    quoting: Literal["minimal", "none"] = knob(
        "minimal", "none: a quote in a CSV file is a character as any other, as in the TSV files of GLUE."
    )
    column_names: list[str] = knob([], "The columns of a CSV file that has no header, in order: text label.")
    missing_values: list[str] = knob(
        [], "What stands for a missing value beside an empty cell and null, as it is written: --missing_values NA '?'."
    )

    def check_no_csv(self, where: str) -> None:
        """Refuses the flags of CSV files for a source that is none."""
        for name in ("delimiter", "quoting", "column_names"):
            if getattr(self, name) != getattr(FileArguments(), name):
                raise HfkitError(f"--{name} is for CSV files, and this is none", where=where, fix=f"drop --{name}")

    def separator(self, suffix: str = ".csv") -> str:
        """What parts the fields of a CSV file of this ending. Refuses what is not one character."""
        default = "\t" if suffix.lower() == ".tsv" else ","
        separator = {None: default, "\\t": "\t", "tab": "\t"}.get(self.delimiter, self.delimiter)
        if separator is None or len(separator) != 1 or separator in '"\r\n':
            raise HfkitError(f"--delimiter {self.delimiter!r} is not one character", fix="such as ';', or tab")
        return separator


@dataclass
class RowArguments(FileArguments):
    """Which rows are read, and how they are split."""

    dataset: str = knob(
        "imdb",
        "A card's name (imdb), a Hub id (stanfordnlp/imdb), a CSV, JSON lines or Parquet file, a folder of them,"
        " a folder of images by class, or demo:imdb.",
        lead=1,
    )
    dataset_config_name: str | None = knob(None, "The configuration of a Hub data set, such as mnli of nyu-mll/glue.")
    dataset_revision: str | None = knob(None, "Commit, tag or branch of a Hub data set. A card pins its own.")
    train_split: str | None = knob(None, "The split to train on. Default: train.")
    validation_split: str | None = knob(None, "The split that picks the best model, such as validation_matched.")
    test_split: str | None = knob(None, "The split that the final figures come from. Default: test.")
    split_column: str | None = knob(
        "auto",
        "The column that says of which split a row is. auto: one that holds nothing but names of splits (train, dev,"
        " test). none: no column does.",
    )
    group_column: str | None = knob(
        None,
        "The column whose equal values belong together, such as a document or a patient: they stay in one split, and"
        " intervals are taken over them. Default: the card's.",
    )
    validation_size: float | None = knob(
        None,
        "Share of the training rows held out where there is no validation split. Default: the card's, else 0.1.",
        above=0,
        below=1,
    )
    test_size: float | None = knob(
        None,
        "Share of the rows held out for the figures where there is no test split. Default: the card's, else 0.1.",
        above=0,
        below=1,
    )
    data_seed: int = knob(
        0, "Seed of the splits and of max_*_samples. Apart from seed, so that seeds can be compared.", low=0
    )
    drop_bad_rows: bool = knob(False, "Drop rows without a text or label, counted, instead of stopping.")
    keep_duplicates: bool = knob(False, "Keep repeated texts, also those that stand in training and test at once.")
    max_train_samples: int | None = knob(None, "Train on at most so many rows, drawn with data_seed.", low=1)
    max_eval_samples: int | None = knob(None, "Validate on at most so many rows, drawn with data_seed.", low=1)
    max_test_samples: int | None = knob(
        None, "Take the final figures on at most so many rows, drawn with data_seed.", low=1
    )


@dataclass
class TextColumns:
    """Which column holds the text."""

    text_column: str | None = knob(None, "The column with the text. Found by name and content when not given.")


@dataclass
class PairColumns:
    """Which column holds the second text of a pair."""

    text_pair_column: str | None = knob(None, "The column with the second text of a pair (MNLI, MRPC).")


@dataclass
class LabelColumn:
    """Which column holds the labels."""

    label_column: str | None = knob(
        None, "The column with the label. Found by name and content when not given.", against=("label_columns",)
    )
    drop_unseen_labels: bool = knob(
        False, "Leave out, counted, validation and test rows with a label that training never shows."
    )


@dataclass
class LabelColumns(LabelColumn):
    """Which columns hold the labels, and how they are read."""

    label_columns: list[str] = knob(
        [],
        "Columns that hold a 0 or 1 for a label each, which has the column's name: --label_columns toxic insult.",
        against=("problem_type regression",),
    )
    label_separator: str | None = knob(
        None,
        "What stands between several labels in one cell, such as '|' in sad|proud: a multi-label problem.",
        against=("label_columns", "problem_type regression", "problem_type single_label_classification"),
    )
    decimal: Literal["auto", ".", ","] = knob(
        "auto", "Decimal mark of labels written as text. auto: a comma, where half have one that parts no thousands."
    )
    merge_labels: bool = knob(
        False, "Merge labels that look equal: they differ in case, spacing, width or what cannot be seen (Pos, pos )."
    )

    def rules(self) -> Broken:
        if len(self.label_columns) == 1:
            yield "--label_columns names one column", f"say --label_column {self.label_columns[0]}"
        if self.label_separator == "":
            yield "--label_separator makes several labels of a cell", "give the sign between them"
        columns = [getattr(self, name, None) for name in ("text_column", "text_pair_column", "label_column")]
        named = [column for column in [*columns, *self.label_columns] if column is not None]
        if len(set(named)) < len(named):
            yield "one column is named for two things", "give a column of its own to each"


@dataclass
class ImageColumns:
    """Which column holds the images, and how they are read."""

    image_column: str | None = knob(
        None, "The column with the images, or their paths seen from the file's folder. Found when not given."
    )
    pixel_range: list[float] = knob(
        [],
        "Two numbers: which pixels of images of more than 8 bits become black and which white, as a CT window says it."
        " Default: the lowest and the highest of the training images.",
    )
    skip_corrupt: bool = knob(False, "Go on without images that cannot be read, counted, instead of stopping.")


@dataclass
class DocumentArguments:
    """How documents are cut out of files."""

    document_start: str | None = knob(
        None,
        "Regular expression of the line that begins a document, where many stand in one text file, or in a column"
        " line by line. Default: the card's.",
    )

    def rules(self) -> Broken:
        if self.document_start is not None:
            try:
                re.compile(self.document_start)
            except re.error as error:
                yield f"--document_start is no regular expression: {error}", "such as '^ = [^=]'"


@dataclass
class StreamArguments(DocumentArguments):
    """How documents are read as training goes on."""

    streaming: bool = knob(
        False,
        "Read documents as training goes on, from the Hub, .jsonl or .parquet files or texts that need not fit into"
        " memory (--max_steps).",
    )
    streaming_window: int = knob(
        2000,
        "Documents of a stream that are held, packed and shuffled at a time. Where epochs are spoken of, as in"
        " --eval_strategy epoch, a stream has its windows.",
        low=1,
        needs="streaming",
    )

    def rules(self) -> Broken:
        if self.streaming and getattr(self, "max_steps", 0) < 0:
            yield "--streaming does not know where to end: a stream has no known length", "add --max_steps 1000"
        for name in ("max_train_samples", "validation_size", "test_size", "unfreeze_epoch"):
            if self.streaming and getattr(self, name, None) is not None:
                yield f"--{name} goes by the number of all rows, which a stream does not tell", f"drop --{name}"


@dataclass
class DataArguments(StreamArguments, ImageColumns, LabelColumns, PairColumns, TextColumns, RowArguments):
    """All that a data set can be asked for, whatever the task: what `hfkit.load_data` reads."""
