"""DataArguments: which rows are read, and how they are split."""

from dataclasses import dataclass

from hfkit.config.knobs import knob


@dataclass
class DataArguments:
    """Which rows are read, and how they are split."""

    dataset: str = knob(
        "imdb",
        "A card's name (imdb), a Hub id (stanfordnlp/imdb), a CSV, JSON lines or Parquet file, a folder of them,"
        " a folder of images by class, or demo:imdb.",
    )
    dataset_config_name: str | None = knob(None, "The configuration of a Hub data set, such as mnli of nyu-mll/glue.")
    dataset_revision: str | None = knob(None, "Commit, tag or branch of a Hub data set. A card pins its own.")
    text_column: str | None = knob(None, "The column with the text. Found by name and content when not given.")
    text_pair_column: str | None = knob(None, "The column with the second text of a pair (MNLI, MRPC).")
    document_start: str | None = knob(
        None,
        "Regular expression of the line that begins a document, where many stand in one text file, or in a column"
        " line by line. Default: the card's.",
    )
    image_column: str | None = knob(
        None, "The column with the images, or their paths seen from the file's folder. Found when not given."
    )
    pixel_range: list[float] = knob(
        [],
        "Two numbers: which pixels of images of more than 8 bits become black and which white, as a CT window says it."
        " Default: the lowest and the highest of the training images.",
    )
    label_column: str | None = knob(None, "The column with the label. Found by name and content when not given.")
    train_split: str | None = knob(None, "The split to train on. Default: train.")
    validation_split: str | None = knob(None, "The split that picks the best model, such as validation_matched.")
    test_split: str | None = knob(None, "The split that the final figures come from. Default: test.")
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
    encoding: str = knob("utf-8", "Encoding of CSV and JSON files.")
    delimiter: str | None = knob(None, "Separator of CSV files. Default: comma, or tab in a .tsv file.")
    merge_labels: bool = knob(False, "Merge labels that differ only in case or surrounding space (Pos, pos ).")
    streaming: bool = knob(
        False,
        "Read documents as training goes on, from the Hub, .jsonl or .parquet files or texts that need not fit into"
        " memory (--task text-generation, --max_steps).",
    )
    streaming_window: int = knob(
        2000,
        "Documents of a stream that are held, packed and shuffled at a time. Where epochs are spoken of, as in"
        " --eval_strategy epoch, a stream has its windows.",
        low=1,
    )
    drop_bad_rows: bool = knob(False, "Drop rows without a text or label, counted, instead of stopping.")
    keep_duplicates: bool = knob(False, "Keep repeated texts, also those that stand in training and test at once.")
    skip_corrupt: bool = knob(False, "Go on without images that cannot be read, counted, instead of stopping.")
    max_train_samples: int | None = knob(None, "Train on at most so many rows, drawn with data_seed.", low=1)
    max_eval_samples: int | None = knob(None, "Validate on at most so many rows, drawn with data_seed.", low=1)
    max_test_samples: int | None = knob(
        None, "Take the final figures on at most so many rows, drawn with data_seed.", low=1
    )
